"""TensorBoard's event files: what steps and tags they hold, and the event that tells TensorBoard where a restart cut.

A file is a row of records: length (8 bytes, little-endian), masked CRC-32C of those, content, masked CRC-32C of it
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/io/record_writer.h). The content is an Event
(tensorflow/core/util/event.proto): 1 wall_time, 2 step, 3 file_version, 5 summary, 7 session_log. When TensorBoard
reads a session_log of status START with a step, it drops what it read before of that step or later; the first START of
a folder it takes for the beginning and drops nothing, so there are two
(tensorboard/backend/event_processing/plugin_event_accumulator.py, `_CheckForRestartAndMaybePurge`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MARK = ".tfevents."
_HEAD = 12  # bytes of a record before its content
_LOOKED_AT = 4096  # bytes of a longer content: step and tag stand in front
_LONGEST = 1 << 31
_POLYNOMIAL = 0x82F63B78
_START = 1


class Event(NamedTuple):
    """One record of a summary: its step and tag, and where it lies in the file (bytes)."""

    step: int
    tag: str
    offset: int
    size: int


def read_events(path: Path) -> Iterator[Event]:
    """The summaries of an event file, in its order; it ends where the file is cut or is none. OSError."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        offset = 0
        while offset + _HEAD + 4 <= end:
            file.seek(offset)
            length = int.from_bytes(file.read(8), "little")
            size = _HEAD + length + 4
            if length > _LONGEST or offset + size > end:
                return
            file.seek(offset + _HEAD)
            step, tag = _step_and_tag(file.read(min(length, _LOOKED_AT)))
            if tag is not None:
                yield Event(step, tag, offset, size)
            offset += size


def raw_record(file: BinaryIO, event: Event) -> bytes:
    """A record as it stands in its file, checksums and all."""
    file.seek(event.offset)
    return file.read(event.size)


def cut_records(step: int, wall_time: float) -> bytes:
    """The records of a file that says: training began again, and what has this step or a later one is superseded."""
    wall = b"\x09" + struct.pack("<d", wall_time)
    version = b"brain.Event:2"
    start = _framed(wall + b"\x10" + _varint(step) + b"\x3a\x02\x08" + bytes([_START]))
    return _framed(wall + b"\x1a" + bytes([len(version)]) + version) + start * 2


def _step_and_tag(data: bytes) -> tuple[int, str | None]:
    step = 0
    for number, value in _fields(data):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            inner = next((part for field, part in _fields(value) if field == 1 and isinstance(part, bytes)), b"")
            tag = next((part for field, part in _fields(inner) if field == 1 and isinstance(part, bytes)), None)
            return step, None if tag is None else tag.decode("utf-8", "replace")
    return step, None


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, as far as its bytes go: (number, whole number or bytes)."""
    place = 0
    try:
        while place < len(data):
            key, place = _read_varint(data, place)
            kind = key & 7
            if kind == 0:
                value, place = _read_varint(data, place)
                yield key >> 3, value
            elif kind in (1, 5):
                place += 8 if kind == 1 else 4
            elif kind == 2:
                length, place = _read_varint(data, place)
                yield key >> 3, data[place : place + length]
                place += length
            else:
                return
    except IndexError:  # cut
        return


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128 or shift > 63:
            return value, place
        shift += 7


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _framed(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", _masked_crc(length)) + content + struct.pack("<I", _masked_crc(content))


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

"""The frames of a TFRecord file, of which an event file is one.

A frame is a length (8 bytes, little-endian), the masked CRC-32C of those, the content, and the masked CRC-32C of that:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details. A file that is written now ends
anywhere.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.base.errors import CorruptError, FormatError, TruncatedError
from core.formats.checksum import crc32c, masked_crc

HEAD, FOOT = 12, 4  # bytes before and behind a content
_head = struct.Struct("<QI").unpack_from
_SECTION = "record"


class Frames(NamedTuple):
    """The whole frames at the beginning of some bytes: where their contents start and how long they are; where the last
    one ends; what is wrong behind it; the length of a frame that is sound as far as it goes, but not all there.
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    end: int
    fault: FormatError | None
    cut: int | None


def frames_in(data: bytes, offset: int) -> Frames:
    """The frames of bytes that begin at `offset` of a file. Lengths are proven by their checksums."""
    starts: list[int] = []
    lengths: list[int] = []
    proven: dict[int, int] = {}
    at, size, fault, cut = 0, len(data), None, None
    while at + HEAD <= size:
        length, crc = _head(data, at)
        if proven.get(length) != crc:
            if masked_crc(data[at : at + 8]) != crc:
                fault = CorruptError("the checksum of a length does not hold", section=_SECTION, offset=offset + at)
                break
            proven[length] = crc
        end = at + HEAD + length + FOOT
        if end > size:
            cut = HEAD + length + FOOT
            break
        starts.append(at + HEAD)
        lengths.append(length)
        at = end
    return Frames(np.array(starts, np.int64), np.array(lengths, np.int64), at, fault, cut)


def cut_off(offset: int, there: int, whole: int | None) -> TruncatedError:
    """The error of a file that ends in a frame at `offset`, of which so many bytes are there."""
    of = f"{there:,} of {whole:,} bytes" if whole else f"{there:,} bytes of its head"
    return TruncatedError(f"the file ends in it: {of}", section=_SECTION, offset=offset)


def broken(data: bytes, frames: Frames) -> npt.NDArray[np.int64]:
    """The numbers of the frames whose content is not what was written."""
    ends = frames.starts + frames.lengths
    view = memoryview(data)
    found = np.array(
        [crc32c(view[start:end]) for start, end in zip(frames.starts.tolist(), ends.tolist(), strict=True)], np.uint64
    )
    mask = (((found >> np.uint64(15)) | (found << np.uint64(17))) + np.uint64(0xA282EAD8)) & np.uint64(0xFFFFFFFF)
    array = np.frombuffer(data, np.uint8)
    stored = np.zeros(len(ends), np.uint64)
    for byte in range(FOOT):
        stored |= array[ends + byte].astype(np.uint64) << np.uint64(8 * byte)
    return np.flatnonzero(mask != stored)


def content_error(offset: int) -> CorruptError:
    """The error of a frame at `offset` whose content's checksum does not hold."""
    return CorruptError("the checksum of its content does not hold", section=_SECTION, offset=offset)

"""Event files byte by byte: frames around messages that are put together from their fields."""

import struct

from core.formats.checksum import masked_crc
from tests.support.builders import varint


def frame(content: bytes) -> bytes:
    """A TFRecord."""
    length = len(content).to_bytes(8, "little")
    crcs = [masked_crc(part).to_bytes(4, "little") for part in (length, content)]
    return length + crcs[0] + content + crcs[1]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def event(step: int, *values: bytes, wall_time: float = 1.7e9) -> bytes:
    """An Event with a Summary of some values."""
    summary = b"".join(field(1, value) for value in values)
    told = b"\x10" + varint(step) if step else b""
    return b"\x09" + struct.pack("<d", wall_time + step) + told + (field(5, summary) if values else b"")


def simple(tag: str, value: float) -> bytes:
    """A Summary.Value of TensorFlow 1."""
    return field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)


def metadata(plugin: str, content: bytes = b"") -> bytes:
    """The field of a Summary.Value that names its plugin."""
    return field(9, field(1, field(1, plugin.encode()) + (field(2, content) if content else b"")))


def tensor(tag: str, content: bytes, plugin: str = "scalars") -> bytes:
    """A Summary.Value of TensorFlow 2 around a TensorProto."""
    return field(1, tag.encode()) + field(8, content) + metadata(plugin)


def float_tensor(value: float) -> bytes:
    """A TensorProto of one float32."""
    return b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", value))


def hparams(number: float) -> bytes:
    """A Summary.Value of the hparams plugin: `lr` is a number."""
    value = b"\x11" + struct.pack("<d", number)
    info = field(1, field(1, b"lr") + field(2, value))
    return field(1, b"_hparams_/session_start_info") + metadata("hparams", field(3, info))


VERSION = frame(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))
RESTART = frame(event(5)[:-2] + b"\x10\x05" + field(7, b"\x08\x01"))

"""The fields of a protocol buffers message in memory, by their numbers, without its schema.

https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.base.errors import CorruptError, TruncatedError
from core.formats.varint import read_varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SECTION = "event"
_FIXED = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """A field: its number and kind, a varint's value (else 0), and the range of its bytes without its key."""

    number: int
    kind: int
    value: int
    start: int
    end: int


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message that stands at start … end. TruncatedError, CorruptError."""
    at = start
    while at < end:
        key = data[at]
        first = at
        if key < 0x80:
            at += 1
        else:
            key, at = read_varint(data, at, section=_SECTION)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == VARINT:
            begin = at
            value, at = read_varint(data, at, section=_SECTION)
        elif kind == BYTES:
            length, begin = read_varint(data, at, section=_SECTION)
            at = begin + length
        elif kind in _FIXED:
            begin = at
            at += _FIXED[kind]
        else:
            raise CorruptError(f"field {number} of wire type {kind}", section=_SECTION, offset=first)
        if number == 0:
            raise CorruptError("a field without a number", section=_SECTION, offset=first)
        if at > end:
            raise TruncatedError(f"field {number} leaves its message", section=_SECTION, offset=first)
        yield Field(number, kind, value, begin, at)


def signed(value: int) -> int:
    """A varint as the int64 that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value

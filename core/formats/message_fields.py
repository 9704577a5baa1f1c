"""The fields of a protocol buffers message in a file, by their places, without its schema.

https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.formats.varint import read_varint

MAX_FIELDS = 10_000
_FIXED = {1: 8, 5: 4}  # bytes by wire type; 0 is a varint, 2 a length and that many bytes


class Field(NamedTuple):
    """A length-delimited field: its number and the range of its content."""

    number: int
    start: int
    end: int


def fields(file: BinaryIO, start: int, end: int, section: str) -> Iterator[Field]:
    """A message's length-delimited fields, their contents stepped over. Raises where one leaves the message."""
    at = start
    for _ in range(MAX_FIELDS):
        if at == end:
            return
        file.seek(at)
        head = file.read(min(20, end - at))
        try:
            tag, used = read_varint(head, 0, section=section)
            number, kind = tag >> 3, tag & 7
            if number == 0 or kind not in (0, 1, 2, 5):
                raise CorruptError(f"field {number} of wire type {kind}", section=section)
            size = _FIXED.get(kind, 0)
            if kind in (0, 2):
                value, used = read_varint(head, used, section=section)
                size = value if kind == 2 else 0
        except FormatError as error:
            raise type(error)(error.message, section=section, offset=at) from error
        if at + used + size > end:
            raise TruncatedError(
                f"field {number} has {end - at - used:,} of {size:,} bytes", section=section, offset=at + used
            )
        if kind == 2:
            yield Field(number, at + used, at + used + size)
        at += used + size
    raise TooLargeError(f"more than {MAX_FIELDS:,} fields", section=section, offset=at)

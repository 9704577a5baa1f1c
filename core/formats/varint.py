"""Base-128 varints of protocol buffers and LevelDB.

Source: https://protobuf.dev/programming-guides/encoding/#varints.
"""

from core.base.errors import CorruptError, TruncatedError

_MAX_BITS = 70
_LARGEST = (1 << 64) - 1


def read_varint(data: bytes | memoryview, position: int, *, section: str, start: int | None = 0) -> tuple[int, int]:
    """The number that starts at `position`, and the position behind it. TruncatedError at the end of the data,
    CorruptError for more than ten bytes or 64 bits. `start` is the data's offset in the file, None where it has none.
    """
    result = shift = 0
    while True:
        if position >= len(data):
            raise TruncatedError("a number is cut off", section=section, offset=_offset(start, position))
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            if result > _LARGEST:
                raise CorruptError("a number has more than 64 bits", section=section, offset=_offset(start, position))
            return result, position
        shift += 7
        if shift >= _MAX_BITS:
            raise CorruptError("a number has more than ten bytes", section=section, offset=_offset(start, position))


def _offset(start: int | None, position: int) -> int | None:
    return None if start is None else start + position

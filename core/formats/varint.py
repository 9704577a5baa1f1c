"""Base-128 varints of protocol buffers and LevelDB.

Source: https://protobuf.dev/programming-guides/encoding/#varints.
"""

from core.errors import CorruptError, TruncatedError

_MAX_BITS = 70


def read_varint(data: bytes | memoryview, position: int, *, section: str) -> tuple[int, int]:
    """The number that starts at `position`, and the position behind it. TruncatedError at the end of the data,
    CorruptError for more than ten bytes.
    """
    result = shift = 0
    while True:
        if position >= len(data):
            raise TruncatedError("a number is cut off", section=section, offset=position)
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift >= _MAX_BITS:
            raise CorruptError("a number has more than ten bytes", section=section, offset=position)

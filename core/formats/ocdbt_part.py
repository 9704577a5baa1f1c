"""Parts of an OCDBT database, out of their wrapping: magic, length, version, zstd, CRC-32C; and a cursor over them.

Format: https://google.github.io/tensorstore/kvstore/ocdbt/index.html#storage-format.
"""

from collections.abc import Iterator

import cramjam

from core.base.errors import CorruptError, TooLargeError, TruncatedError, UnsupportedError
from core.formats.checksum import crc32c
from core.formats.varint import read_varint

MAX_PART = 16 << 20  # bytes, as stored and unpacked: TensorStore splits nodes at 8 MiB
MAX_BYTES = 64 << 20  # bytes of all parts, stored and unpacked, and of all keys and paths
MAX_ENTRIES = 400_000  # keys, nodes and data files
_ROOMS = (1 << 16, 1 << 20, MAX_PART)  # for unpacking: few parts need the last
_SMALLEST = 4 + 8 + 1 + 1 + 4


class Budget:
    """What one database may cost; shared nodes, prefixes and paths could ask for a file's size many times over."""

    def __init__(self) -> None:
        self.bytes, self.entries = MAX_BYTES, MAX_ENTRIES

    def spend(self, count: int, entries: int, section: str) -> None:
        """Take some bytes and entries off it. TooLargeError when it is used up."""
        self.bytes -= count
        self.entries -= entries
        if self.bytes < 0 or self.entries < 0:
            raise TooLargeError(f"more than {MAX_BYTES:,} bytes or {MAX_ENTRIES:,} entries", section=section)


class Cursor:
    """Reads one part's unpacked bytes from front to back."""

    def __init__(self, data: bytes, section: str, budget: Budget) -> None:
        self.data, self.at, self.section, self.budget = data, 0, section, budget
        budget.spend(len(data), 0, section)

    def take(self, length: int) -> bytes:
        """The next bytes."""
        if length > len(self.data) - self.at:
            raise CorruptError(f"{length:,} bytes are promised beyond its end", section=self.section)
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self) -> int:
        """The next varint."""
        value, self.at = read_varint(self.data, self.at, section=self.section, start=None)
        return value

    def count(self) -> int:
        """The next varint, which counts things of a byte or more."""
        value = self.number()
        if value > len(self.data) - self.at:
            raise CorruptError(f"it cannot hold {value:,} entries", section=self.section)
        self.budget.spend(0, value, self.section)
        return value

    def numbers(self, count: int) -> list[int]:
        """A column."""
        return [self.number() for _ in range(count)]

    def texts(self, kept: list[int], added: list[int]) -> Iterator[bytes]:
        """Prefix-compressed texts: how much of the one before each keeps, and how much it adds."""
        text = b""
        for keep, add in zip(kept, added, strict=True):
            text = text[:keep] + self.take(add)
            self.budget.spend(len(text), 0, self.section)
            yield text

    def keys(self, count: int) -> tuple[list[int], list[int]]:
        """The two columns that `texts` wants. The first text keeps nothing, and says nothing of it."""
        return [0, *self.numbers(count - 1)] if count else [], self.numbers(count)


def opened(data: bytes, length: int, magic: bytes, section: str, budget: Budget) -> Cursor:
    """A part's unpacked body, after its header and checksum were looked at."""
    if len(data) < max(length, _SMALLEST):
        raise TruncatedError(f"{len(data):,} of {max(length, _SMALLEST):,} bytes", section=section)
    if data[:4] != magic:
        raise CorruptError("another magic", section=section)
    if int.from_bytes(data[4:12], "little") != length:
        raise CorruptError("its header tells another length", section=section)
    if crc32c(data[: length - 4]) != int.from_bytes(data[length - 4 : length], "little"):
        raise CorruptError("its checksum does not fit", section=section)
    if data[12] != 0 or data[13] > 1:
        raise UnsupportedError(f"version {data[12]}, compression {data[13]}", section=section)
    body = data[14 : length - 4]
    return Cursor(_unpacked(body, section) if data[13] else body, section, budget)


def _unpacked(body: bytes, section: str) -> bytes:
    """A body out of its zstd frame, which need not tell its size."""
    for size in _ROOMS:
        room = bytearray(size)
        try:
            return bytes(room[: cramjam.zstd.decompress_into(body, room)])
        except (cramjam.DecompressionError, ValueError):
            continue
    raise CorruptError(f"it cannot be unpacked to {MAX_PART:,} bytes or less", section=section)

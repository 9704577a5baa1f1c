"""The table file under TensorFlow's bundle index and its V1 checkpoints: LevelDB's SSTable.

Layout: data blocks, a metaindex block, an index block, and a footer of 48 bytes (two block handles, padding, magic).
Each block is followed by a type byte (0 raw, 1 Snappy) and a masked CRC-32C of block and type byte.
Source: https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

import cramjam

from core.base.errors import CorruptError, TooLargeError, TruncatedError, UnsupportedError
from core.formats.checksum import masked_crc
from core.formats.varint import read_varint

FOOTER_SIZE = 48
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TRAILER_SIZE = 5
MAX_BLOCK = 64 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024  # bytes of all blocks together
MAX_ENTRIES = 200_000
MAX_KEY = 65_536  # bytes of one key
MAX_KEYS = 32 * 1024 * 1024  # bytes of all keys: an entry of five bytes may repeat a key of thousands
_RAW, _SNAPPY = 0, 1
_COPIED = 1024 * 1024  # bytes of a block up to which slices of it are taken the faster way, by copying

Buffer = bytes | memoryview
Fetch = Callable[[int, int], bytes]  # (offset, length) → bytes of the file


class Handle(NamedTuple):
    """Where a block lies in the file; its trailer of 5 bytes follows."""

    offset: int
    size: int


class Entry(NamedTuple):
    """One key and its value; `position` is the value's byte offset in the file, None in a compressed block."""

    key: bytes
    value: bytes
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A whole table: its entries in order, and every block that was read, for checking another file of its shape."""

    entries: tuple[Entry, ...]
    blocks: tuple[Handle, ...]
    compressed: bool


def read_table(data: bytes) -> Table:
    """Every entry of a table file. Raises a FormatError that names the section and the offset."""
    size, fetch = len(data), lambda offset, length: data[offset : offset + length]
    index_handle, metaindex_handle = _footer(data[-FOOTER_SIZE:], size)
    compressed = False
    entries: list[Entry] = []
    blocks = [metaindex_handle, index_handle]
    _checked(size, fetch, metaindex_handle, "metaindex block")
    index, raw = _block(size, fetch, index_handle, "index block")
    end = unpacked = keys = 0
    for pointer in _bounded(index, index_handle.offset if raw else None, "index block", MAX_ENTRIES):
        handle = _handle(pointer.value, 0, "index block", pointer.position)[0]
        if handle.offset < end:  # else a small index could ask for a large block a million times
            raise CorruptError("blocks overlap", section="index block", offset=pointer.position)
        end = handle.offset + handle.size + TRAILER_SIZE
        block, raw = _block(size, fetch, handle, "data block")
        compressed = compressed or not raw
        blocks.append(handle)
        found = _bounded(block, handle.offset if raw else None, "data block", MAX_ENTRIES - len(entries))
        entries += found
        unpacked += len(block)
        keys += sum([len(entry.key) for entry in found])
        if unpacked > MAX_UNPACKED or keys > MAX_KEYS:
            what = f"{unpacked:,} bytes with keys of {keys:,}"
            raise TooLargeError(f"its blocks unpack to {what}", section="data block", offset=handle.offset)
    for before, after in pairwise(entries):
        if before.key >= after.key:
            raise CorruptError("keys are not in order", section="data block", offset=after.position)
    return Table(entries=tuple(entries), blocks=tuple(blocks), compressed=compressed)


@dataclass(frozen=True, slots=True)
class LazyTable:
    """A table of which only the blocks that are asked for are read: for files that hold the tensors themselves."""

    size: int
    fetch: Fetch
    pointers: tuple[Entry, ...]

    @classmethod
    def open(cls, size: int, fetch: Fetch) -> "LazyTable":
        """Read the footer and the index block. `size` is the file's length; `fetch(offset, length)` reads from it."""
        start = max(0, size - FOOTER_SIZE)
        handle, _ = _footer(fetch(start, size - start), size)
        block, raw = _block(size, fetch, handle, "index block")
        return cls(size, fetch, tuple(_bounded(block, handle.offset if raw else None, "index block", MAX_ENTRIES)))

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where the table has none."""
        for pointer in self.pointers:
            if pointer.key >= key:
                handle, _ = _handle(pointer.value, 0, "index block", pointer.position)
                block, raw = _block(self.size, self.fetch, handle, "data block")
                found = _entries(block, handle.offset if raw else None, "data block")
                return next((entry.value for entry in found if entry.key == key), None)
        return None


def block_places(size: int, fetch: Fetch) -> Iterator[Handle]:
    """Where every block of a table file of `size` bytes lies: metaindex, index, then data in their order. Only the
    index is read.
    """
    start = max(0, size - FOOTER_SIZE)
    index, metaindex = _footer(fetch(start, size - start), size)
    yield metaindex
    yield index
    block, raw = _block(size, fetch, index, "index block")
    for pointer in _bounded(block, index.offset if raw else None, "index block", MAX_ENTRIES):
        yield _handle(pointer.value, 0, "index block", pointer.position)[0]


def _checked(size: int, fetch: Fetch, handle: Handle, section: str) -> bytes:
    """A block with its trailer, its place and checksum verified."""
    end = handle.offset + handle.size + TRAILER_SIZE
    if handle.size > MAX_BLOCK:
        raise TooLargeError(f"a block of {handle.size:,} bytes", section=section, offset=handle.offset)
    if end > size - FOOTER_SIZE:
        raise TruncatedError(
            f"a block should end at byte {end:,}, the file's blocks end at {size - FOOTER_SIZE:,}",
            section=section,
            offset=handle.offset,
        )
    block = fetch(handle.offset, handle.size + TRAILER_SIZE)
    if masked_crc(memoryview(block)[:-4]) != int.from_bytes(block[-4:], "little"):
        raise CorruptError("the checksum does not hold", section=section, offset=handle.offset)
    return block


def _footer(tail: bytes, size: int) -> tuple[Handle, Handle]:
    """(index handle, metaindex handle) of a file of `size` bytes that ends with `tail`."""
    if size < FOOTER_SIZE:
        raise TruncatedError(f"{size} bytes, a footer alone has {FOOTER_SIZE}", section="footer", offset=0)
    if tail[-8:] != MAGIC:
        raise CorruptError("the magic number is not that of a table", section="footer", offset=size - 8)
    start = size - FOOTER_SIZE
    metaindex, position = _handle(tail, 0, "footer", start)
    index, _ = _handle(tail, position, "footer", start)
    return index, metaindex


def _handle(data: bytes, position: int, section: str, start: int | None) -> tuple[Handle, int]:
    offset, position = read_varint(data, position, section=section, start=start)
    size, position = read_varint(data, position, section=section, start=start)
    return Handle(offset, size), position


def _block(size: int, fetch: Fetch, handle: Handle, section: str) -> tuple[Buffer, bool]:
    """A block's content, and whether it lies in the file as it is."""
    block: Buffer = _checked(size, fetch, handle, section)
    if len(block) > _COPIED:
        block = memoryview(block)
    content, kind = block[:-TRAILER_SIZE], block[-TRAILER_SIZE]
    if kind == _RAW:
        return content, True
    if kind != _SNAPPY:
        raise UnsupportedError(f"compression type {kind}", section=section, offset=handle.offset)
    unpacked, _ = read_varint(content, 0, section=section, start=handle.offset)
    if unpacked > MAX_BLOCK:
        raise TooLargeError(f"a block that unpacks to {unpacked:,} bytes", section=section, offset=handle.offset)
    try:
        return memoryview(cramjam.snappy.decompress_raw(content)), False
    except cramjam.DecompressionError as error:
        raise CorruptError(f"Snappy: {error}", section=section, offset=handle.offset) from error


def _bounded(block: Buffer, start: int | None, section: str, most: int) -> list[Entry]:
    """A block's entries, if there are no more than `most`."""
    found = list(islice(_entries(block, start, section), most + 1))
    if len(found) > most:
        raise TooLargeError(f"more than {MAX_ENTRIES:,} entries", section=section, offset=start)
    return found


def _entries(block: Buffer, start: int | None, section: str) -> Iterator[Entry]:
    """A block's entries; `start` is the block's offset in the file where it lies there as it is.

    Each entry: varints shared, unshared, value length; then the unshared bytes of the key, then the value. The block
    ends with the restart points (uint32 each) and their number (uint32).
    """
    if len(block) < 4:
        raise TruncatedError("no room for the number of restart points", section=section, offset=start)
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise CorruptError("more restart points than bytes", section=section, offset=start)
    key, position, repeated = b"", 0, 0
    while position < end:
        # One byte is the usual case by far, and calls for three numbers are what this loop would spend its time on.
        shared, unshared, length = block[position : position + 3] if position + 3 <= end else (128, 128, 128)
        if shared < 128 and unshared < 128 and length < 128:
            position += 3
        else:
            shared, position = read_varint(block, position, section=section, start=start)
            unshared, position = read_varint(block, position, section=section, start=start)
            length, position = read_varint(block, position, section=section, start=start)
            repeated += shared
            if shared + unshared > MAX_KEY or repeated > MAX_KEYS:
                where = None if start is None else start + position
                raise TooLargeError("its keys are too long", section=section, offset=where)
        value_at = position + unshared
        if shared > len(key) or value_at + length > end:
            where = None if start is None else start + position
            raise CorruptError("an entry reaches beyond its block", section=section, offset=where)
        key = key[:shared] + bytes(block[position:value_at])
        position = value_at + length
        yield Entry(key, bytes(block[value_at:position]), None if start is None else start + value_at)

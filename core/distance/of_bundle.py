"""The values of a TensorFlow bundle. Slices of a partitioned variable are its pieces, in the order of their keys."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from core.base.errors import CorruptError, TooLargeError
from core.distance.stored import Piece, stretches
from core.distance.sums import Bytes, size_of
from core.formats.bundle import MAX_INDEX, shard_name
from core.formats.bundle_index import BundleEntry, IndexCache, parse_slice
from core.formats.sstable import read_table
from core.stores.local import LocalStore
from core.verify.hdf5 import Place, blocks
from core.verify.tally import WINDOW
from waypoint_resume.names import join, to_text

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class BundleValues:
    """The values of the bundle with a prefix in a folder. FormatError for an index that cannot be read; OSError where a
    shard is missing.
    """

    def __init__(self, store: LocalStore, folder: str, prefix: str, stack: ExitStack) -> None:
        data = store.read(join(folder, f"{prefix}.index"), MAX_INDEX + 1)
        if len(data) > MAX_INDEX:
            raise TooLargeError("an index of that size is not read", section="index")
        found = IndexCache().read(data)
        count = len(found.index.shard_lengths)
        self._shards = [store.absolute(join(folder, shard_name(prefix, number, count))) for number in range(count)]
        self._stack, self._open = stack, dict[int, int]()
        self._entries: dict[str, list[BundleEntry]] = {}
        if found.index.slice_bytes:
            for entry in read_table(found.data).entries[1:]:
                if entry.key[0] == 0:
                    part = parse_slice(entry)
                    self._entries.setdefault(part.name, []).append(part)
        for name, whole in found.index.entries.items():
            self._entries.setdefault(name, [whole])
        self.pieces = {
            name: [_piece(entry, found.index.big_endian) for entry in entries]
            for name, entries in self._entries.items()
        }

    def parts(self, name: str, piece: int) -> Iterator[Place]:
        """Blocks of a window each."""
        one = self.pieces[name][piece]
        return blocks(one.shape, WINDOW // (size_of(one.dtype) or 1))

    def read(self, name: str, piece: int, place: Place) -> Bytes:
        """The bytes of a block, out of its shard."""
        entry, one = self._entries[name][piece], self.pieces[name][piece]
        size = size_of(one.dtype) or 1
        found = [
            self._bytes(entry, entry.offset + first * size, count * size)
            for first, count in stretches(one.shape, place)
        ]
        return np.frombuffer(found[0] if len(found) == 1 else b"".join(found), dtype=np.uint8)

    def _bytes(self, entry: BundleEntry, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor(entry.shard), length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor(entry.shard), length - len(data), offset + len(data))
            if not more:
                name = to_text(os.path.basename(self._shards[entry.shard]))
                raise CorruptError(f"{name} ends before it does", section="tensor", offset=entry.offset)
            data += more
        return data

    def _descriptor(self, shard: int) -> int:
        if shard not in self._open:
            self._open[shard] = os.open(self._shards[shard], _READ)
            self._stack.callback(os.close, self._open[shard])
        return self._open[shard]


def _piece(entry: BundleEntry, big_endian: bool) -> Piece:
    made = Piece(entry.shape or (), entry.dtype, big_endian)
    if size_of(entry.dtype) is not None and made.size != entry.size:
        return made._replace(why_not=f"Its {entry.size:,} bytes do not fit its shape.")
    return made

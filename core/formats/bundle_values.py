"""Single tensors out of a bundle's data shards, each verified against the checksum that the index keeps for it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from core.base.errors import CorruptError, FormatError, TruncatedError
from core.base.facts import Shard
from core.formats.bundle_index import BundleEntry, ReadIndex
from core.formats.checksum import crc32c, mask, masked_crc
from core.formats.varint import read_varint
from core.stores.store import Store
from waypoint_resume.names import join, to_text

_LARGEST_COUNT = (1 << 63) - 1  # an unsigned number may be larger; databases cannot keep it
_ONE_READ = 64 * 1024  # tensors within so many bytes of a shard are read in one go


class Values:
    """The tensors of one bundle. Keeps why one could not be read, the first whose checksum did not hold, and the
    first shard that may not be read.
    """

    def __init__(self, store: Store, folder: str, shards: Sequence[Shard], found: ReadIndex) -> None:
        self._store, self._folder, self._shards, self._found = store, folder, shards, found
        self.mismatch: str | None = None
        self.reason: str | None = None
        self.denied: tuple[str, PermissionError] | None = None

    def read(self, wanted: Mapping[int, Sequence[BundleEntry]]) -> dict[str, bytes]:
        """Contents by name, of those tensors (given by shard) that are there and whole; each shard is opened once."""
        values: dict[str, bytes] = {}
        for number, entries in wanted.items():
            shard = self._shards[number]
            if shard.actual is None:
                self.reason = f"{to_text(shard.name)}, which holds it, is missing"
                continue
            try:
                stored = self._stored(shard, entries)
            except OSError as error:
                self.reason = f"{to_text(shard.name)}: {error.strerror}"
                if isinstance(error, PermissionError):
                    self.denied = self.denied or (shard.name, error)
                continue
            for entry, data in zip(entries, stored, strict=True):
                try:
                    values[entry.name] = self._checked(entry, data)
                except FormatError as error:
                    self.reason = f"{to_text(shard.name)}: {error}"
        return values

    def _stored(self, shard: Shard, entries: Sequence[BundleEntry]) -> list[bytes]:
        """The stored bytes of tensors in one shard."""
        path = join(self._folder, shard.name)
        first = min([entry.offset for entry in entries])
        length = max([entry.offset + entry.size for entry in entries]) - first
        if length > _ONE_READ:
            return self._store.read_ranges(path, [(entry.offset, entry.size) for entry in entries])
        (data,) = self._store.read_ranges(path, ((first, length),))
        return [data[entry.offset - first : entry.offset - first + entry.size] for entry in entries]

    def _checked(self, entry: BundleEntry, data: bytes) -> bytes:
        if len(data) < entry.size:
            raise TruncatedError(f"{entry.name} ends beyond the file", section="tensor", offset=entry.offset)
        content, crc = _string(data) if entry.dtype == "string" and entry.shape == () else (data, masked_crc(data))
        if crc != self._found.crc(entry):
            self.mismatch = self.mismatch or entry.name
            raise CorruptError(f"the checksum of {entry.name} does not hold", section="tensor", offset=entry.offset)
        return content

    def integers(self, wanted: Mapping[int, Sequence[BundleEntry]]) -> dict[str, int]:
        """The values of integer scalars by name."""
        index = self._found.index
        order: Literal["big", "little"] = "big" if index.big_endian else "little"
        numbers = {}
        for name, data in self.read(wanted).items():
            number = int.from_bytes(data, order, signed=not index.entries[name].dtype.startswith("u"))
            if number <= _LARGEST_COUNT:
                numbers[name] = number
            else:
                self.reason = f"{name} is {number:,}, which counts nothing"
        return numbers

    def is_there(self, entry: BundleEntry) -> bool:
        """Whether the shard that holds a tensor exists."""
        return self._shards[entry.shard].actual is not None


def _string(data: bytes) -> tuple[bytes, int]:
    """A string scalar's content and masked checksum.

    Stored are the length (varint), a masked CRC-32C of the lengths as uint32 each, and the bytes; the tensor's checksum
    runs over the lengths, that stored CRC and the bytes. Source: tensor_bundle.cc, WriteStringTensor.
    """
    length, position = read_varint(data, 0, section="string tensor")
    lengths = length.to_bytes(4 if length <= 0xFFFFFFFF else 8, "little")
    stored, content = data[position : position + 4], data[position + 4 :]
    if len(content) != length or int.from_bytes(stored, "little") != masked_crc(lengths):
        raise CorruptError("the length does not match its checksum", section="string tensor", offset=0)
    return content, mask(crc32c(content, crc32c(stored, crc32c(lengths))))

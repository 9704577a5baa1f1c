"""Reads tensors of a bundle out of its shards: their masked CRC-32C and their values, through one buffer.

Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc (WriteTensor, WriteStringTensor). A tensor's checksum runs
over its bytes. That of strings runs over their lengths as uint32 each (uint64 for one of 4 GiB or more), the stored
checksum of those, and the strings' bytes; stored are the lengths as varints, that checksum, and the strings.
"""

import math
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from core.base.errors import CorruptError, FormatError
from core.formats.bundle_index import BundleEntry
from core.formats.checksum import crc32c, mask
from core.formats.varint import read_varint
from core.verify.finite import Finite
from core.verify.tally import WINDOW, Tally
from waypoint_resume.names import to_text

_OPAQUE = {
    "variant": "Variants, such as the state of an iterator, have no checksum that can be checked without TensorFlow.",
    "resource": "A resource has no value of its own.",
}
_VARINT = 10  # bytes of the longest
_LONG = 1 << 32
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class WantedTensor(NamedTuple):
    """A tensor or slice to read, and the masked checksum that it should have."""

    entry: BundleEntry
    crc: int


class SeenTensor(NamedTuple):
    """What reading one came to: a sentence about what is wrong, or why it could not be verified (`is_absent`: its shard
    is missing), or how many of its numbers are NaN or infinite.
    """

    entry: BundleEntry
    wrong: str | None = None
    why_not: str | None = None
    is_absent: bool = False
    non_finite: int = 0
    nans: int = 0


class TensorReader:
    """Reads tensors out of one shard after another, through one buffer."""

    def __init__(self, shards: Sequence[str], tally: Tally, big_endian: bool) -> None:
        self._shards, self._tally, self._big_endian = shards, tally, big_endian
        self._buffer = memoryview(mmap.mmap(-1, WINDOW))  # on a page's border: the checks want aligned numbers
        self._bytes = np.frombuffer(self._buffer, dtype=np.uint8)
        self._counters: dict[str, Finite | None] = {}
        self._number = self._descriptor = -1

    def close(self) -> None:
        """Give the shard back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._number = self._descriptor = -1

    def _open(self, number: int) -> None:
        """Go on to this shard, if there is such a file."""
        self.close()
        self._number = number
        with suppress(FileNotFoundError):
            self._descriptor = os.open(self._shards[number], _READ)

    def look_at(self, wanted: WantedTensor) -> SeenTensor:
        """Read one tensor or slice."""
        entry = wanted.entry
        if entry.shard != self._number:
            self._open(entry.shard)
        if self._descriptor < 0 or entry.dtype in _OPAQUE:
            self._tally.advance(entry.size)
            is_absent = self._descriptor < 0
            return SeenTensor(
                entry, why_not=f"{self._shown} is missing." if is_absent else _OPAQUE[entry.dtype], is_absent=is_absent
            )
        finite = self._counter(entry.dtype)
        before = (0, 0) if finite is None else (finite.count, finite.nans)
        try:
            found = self._string_crc(entry) if entry.dtype == "string" else self._crc(entry, finite)
        except FormatError as error:
            return SeenTensor(entry, wrong=f"{self._shown}: {error}.")
        except OSError as error:
            return SeenTensor(entry, wrong=f"{self._shown} cannot be read: {error.strerror}.")
        if found != wanted.crc:
            place = f"bytes {entry.offset:,} to {entry.offset + entry.size:,} of {self._shown}"
            return SeenTensor(entry, wrong=f"The checksum of {place} does not hold.")
        if finite is None:
            return SeenTensor(entry)
        return SeenTensor(entry, non_finite=finite.count - before[0], nans=finite.nans - before[1])

    def _counter(self, dtype: str) -> Finite | None:
        """The one counter for all variables of a dtype."""
        if dtype not in self._counters:
            self._counters[dtype] = Finite.of(dtype, big_endian=self._big_endian)
        return self._counters[dtype]

    @property
    def _shown(self) -> str:
        return to_text(self._shards[self._number].rpartition("/")[2])

    def _crc(self, entry: BundleEntry, finite: Finite | None) -> int:
        """The masked checksum of a tensor's bytes; its values are looked at on the way."""
        crc = 0
        for start, length in _windows(entry.offset, entry.size):
            self._fill(entry, start, length)
            crc = crc32c(self._buffer[:length], crc)
            if finite is not None:
                finite.look(self._bytes[:length])
        return mask(crc)

    def _string_crc(self, entry: BundleEntry) -> int:
        """The masked checksum of strings. CorruptError where their lengths do not add up."""
        count = math.prod(entry.shape or ())
        if count > entry.size:
            raise _strange(entry, f"{count:,} strings in {entry.size:,} bytes")
        crc, read, characters = self._lengths(entry, count)
        if read + 4 + characters != entry.size:
            raise _strange(entry, "the lengths of its strings do not add up")
        self._fill(entry, entry.offset + read, 4)
        if int.from_bytes(self._buffer[:4], "little") != mask(crc):
            raise _strange(entry, "the checksum of its strings' lengths does not hold")
        crc = crc32c(self._buffer[:4], crc)
        for start, length in _windows(entry.offset + read + 4, characters):
            self._fill(entry, start, length)
            crc = crc32c(self._buffer[:length], crc)
        return mask(crc)

    def _lengths(self, entry: BundleEntry, count: int) -> tuple[int, int, int]:
        """Of the strings' lengths: their checksum, the bytes that they take, their sum."""
        crc = read = characters = found = 0
        while found < count:
            length = min(WINDOW, entry.size - read)
            self._fill(entry, entry.offset + read, length)
            data, at, seen = bytes(self._buffer[:length]), 0, bytearray()
            is_last = read + length == entry.size
            while found < count and (is_last or at + _VARINT <= length):
                number, at = read_varint(data, at, section="string tensor", start=entry.offset + read)
                seen += number.to_bytes(4 if number < _LONG else 8, "little")
                characters += number
                found += 1
            crc, read = crc32c(seen, crc), read + at
        return crc, read, characters

    def _fill(self, entry: BundleEntry, start: int, length: int) -> None:
        """Read some bytes to the start of the buffer."""
        read = 0
        while read < length:
            count = os.preadv(self._descriptor, [self._buffer[read:length]], start + read)
            if not count:
                raise _strange(entry, "the file ends before it does")
            read += count
        self._tally.advance(length)


def _windows(offset: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(offset, offset + size, WINDOW):
        yield start, min(WINDOW, offset + size - start)


def _strange(entry: BundleEntry, what: str) -> CorruptError:
    return CorruptError(what, section="tensor", offset=entry.offset)

"""The values of a checkpoint by variable, as all formats give them; each format's reader is one module beside this.

A variable is one piece, or several where it is partitioned. A part of a piece is a block: its start and its extents.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from core.distance.sums import Bytes, size_of
from core.verify.hdf5 import Place


class Piece(NamedTuple):
    """A variable, or one slice of it: what stands where. `why_not`: why its values are not read."""

    shape: tuple[int, ...]
    dtype: str
    big_endian: bool = False
    why_not: str | None = None

    @property
    def size(self) -> int:
        """Bytes of its values; 0 where they are no numbers."""
        return math.prod(self.shape) * (size_of(self.dtype) or 0)


class Stored(Protocol):
    """The values of one checkpoint."""

    @property
    def pieces(self) -> Mapping[str, Sequence[Piece]]:
        """All variables by name."""

    def parts(self, name: str, piece: int) -> Iterator[Place]:
        """The blocks in which a piece is read best, together all of it."""

    def read(self, name: str, piece: int, place: Place) -> Bytes:
        """The stored bytes of a block, in row-major order; valid until the next call. OSError, ValueError or
        RuntimeError where it cannot be read.
        """


def stretches(shape: Sequence[int], place: Place) -> Iterator[tuple[int, int]]:
    """Where a block of an array in row-major order lies: (first value, number of values) of each unbroken stretch."""
    start, extents = place
    axis = len(shape)
    while axis and extents[axis - 1] == shape[axis - 1]:
        axis -= 1
    cut = max(axis - 1, 0)
    strides = [math.prod(shape[number + 1 :]) for number in range(len(shape))]
    count = math.prod(extents[cut:])
    for outer in itertools.product(*(range(at, at + extent) for at, extent in zip(start[:cut], extents, strict=False))):
        yield sum(at * stride for at, stride in zip((*outer, *start[cut:]), strides, strict=True)), count

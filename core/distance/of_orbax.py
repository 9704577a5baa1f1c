"""The values of an Orbax checkpoint, read through TensorStore, by the chunks in which they are kept."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from core.distance.stored import Piece
from core.distance.sums import Bytes
from core.verify.hdf5 import Place
from core.verify.orbax import opened_arrays, parts_of, too_large
from core.verify.tally import Job


class OrbaxValues:
    """The arrays of every item. NotReadableError where TensorStore is not installed."""

    def __init__(self, job: Job, _stack: ExitStack) -> None:
        self._arrays: dict[str, Any] = {}
        self.pieces: dict[str, list[Piece]] = {}
        for name, array, why in opened_arrays(job):
            self._arrays[name] = array
            shape = () if array is None else tuple(array.shape)
            dtype = "" if array is None else array.dtype.name
            self.pieces[name] = [Piece(shape, dtype, why_not=why if array is None else too_large(array))]

    def parts(self, name: str, piece: int) -> Iterator[Place]:  # noqa: ARG002 - an array is one piece
        """One chunk after another."""
        for part in parts_of(self._arrays[name]):
            yield tuple(side.start for side in part), tuple(side.stop - side.start for side in part)

    def read(self, name: str, piece: int, place: Place) -> Bytes:  # noqa: ARG002
        """The bytes of a block, unpacked."""
        sides = tuple(slice(at, at + extent) for at, extent in zip(*place, strict=True))
        values = np.ascontiguousarray(self._arrays[name][sides].read().result())
        return values.reshape(-1).view(np.uint8)

"""The values of Keras' HDF5 files, also in shards, in a folder or inside a `.keras` file."""

import itertools
import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import h5py
import numpy as np
from h5py import h5d

from core.distance.stored import Piece
from core.distance.sums import Bytes, size_of
from core.formats.keras_zip import WEIGHTS
from core.verify.hdf5 import Place, blocks, kind_and_order, read_block, why_not_read
from core.verify.keras_zip import opened_weights
from core.verify.tally import WINDOW, Job
from core.workers.h5.objects import names_of, text


class HDF5Values:
    """The datasets of some files."""

    def __init__(self, files: list[Any], stack: ExitStack) -> None:
        self._places: dict[str, tuple[Any, bytes]] = {}
        self.pieces: dict[str, list[Piece]] = {}
        for file in files:
            root = stack.enter_context(closing(h5py.File(file, "r")))["/"].id
            for name in names_of(root)[0]:
                shown = text(name)
                if shown not in self._places:
                    self._places[shown] = (root, name)
                    self.pieces[shown] = [_piece(h5d.open(root, name))]

    def parts(self, name: str, piece: int) -> Iterator[Place]:
        """Its chunks, else blocks of a window each."""
        dataset, one = self._dataset(name), self.pieces[name][piece]
        plan = dataset.get_create_plist()
        if plan.get_layout() != h5d.CHUNKED:
            yield from blocks(one.shape, WINDOW // (size_of(one.dtype) or 1))
            return
        chunk = plan.get_chunk()
        for start in itertools.product(*map(range, [0] * len(chunk), one.shape, chunk)):
            sides = zip(start, chunk, one.shape, strict=True)
            yield start, tuple(min(side, extent - at) for at, side, extent in sides)

    def read(self, name: str, piece: int, place: Place) -> Bytes:
        """The bytes of a block, unpacked and unconverted."""
        dataset, size = self._dataset(name), size_of(self.pieces[name][piece].dtype) or 1
        data = np.empty(math.prod(place[1]) * size, dtype=np.uint8)
        read_block(dataset, *place, data, dataset.get_type())
        return data

    def _dataset(self, name: str) -> Any:  # noqa: ANN401 (h5py has no types)
        return h5d.open(*self._places[name])


def one_file(job: Job, stack: ExitStack) -> HDF5Values:
    """Those of one file."""
    return HDF5Values([f"{job.folder}/{job.name}"], stack)


def in_shards(job: Job, stack: ExitStack) -> HDF5Values:
    """Those of a sharded `.weights.h5`."""
    return HDF5Values([f"{job.folder}/{name}" for name in sorted(job.files) if name.endswith(".h5")], stack)


def in_folder(job: Job, stack: ExitStack) -> HDF5Values:
    """Those of a model in a folder."""
    return HDF5Values([f"{job.folder}/{WEIGHTS}"], stack)


def in_zip(job: Job, stack: ExitStack) -> HDF5Values:
    """Those inside a `.keras` file."""
    return HDF5Values([stack.enter_context(opened_weights(f"{job.folder}/{job.name}"))], stack)


def _piece(dataset: Any) -> Piece:  # noqa: ANN401
    kind, big_endian = kind_and_order(dataset)
    made = Piece(tuple(dataset.shape or ()), kind, big_endian, why_not_read(dataset))
    stored = dataset.get_type().get_size()
    if made.why_not is None and size_of(kind) not in (None, stored):
        return made._replace(why_not=f"Its values of {kind} have {stored} bytes each.")
    return made

"""Every array of an Orbax checkpoint, read through TensorStore, the library that Orbax keeps its arrays with.

TensorStore checks what the database keeps checksums of, its nodes and the small arrays inside them, and what the
compression refuses. It comes with Orbax, which the dashboard itself does not need.
"""

import importlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.formats import orbax_arrays
from core.formats.ocdbt import MANIFEST
from core.formats.orbax import tree_items
from core.formats.orbax_items import inner
from core.stores.local import LocalStore
from core.verify.finite import Finite
from core.verify.hdf5 import blocks, read_values
from core.verify.tally import Job, NotReadableError, Tally

MISSING = "Reading Orbax arrays needs TensorStore: pip install orbax-checkpoint (or tensorstore)."
NOTE = "The format keeps no checksum of large arrays: damage is noticed where their compression tells it."
MAX_ARRAY = 1 << 40  # bytes that an array may unpack to
MAX_CHUNK = 1 << 30  # bytes of the smallest part that can be read
_DRIVERS = ("zarr", "zarr3")
_LIMITS = {"file_io_concurrency": {"limit": 2}, "data_copy_concurrency": {"limit": 2}, "cache_pool": {}}


def verify_orbax(job: Job, tally: Tally) -> None:
    """Read every array of every item. Raises NotReadableError where TensorStore is not installed."""
    try:
        tensorstore = importlib.import_module("tensorstore")
    except ImportError as error:
        raise NotReadableError(MISSING) from error
    tally.notes.append(NOTE)
    context = tensorstore.Context(_LIMITS)
    waiting = dict.fromkeys(job.roles)
    for item, name, place in _arrays(job):
        shown = _variable(job, item, name)
        waiting.pop(shown, None)
        try:
            array = _opened(tensorstore, context, place)
            _verify(array, shown, job, tally)
        except (ValueError, OSError) as error:  # TensorStore raises ValueError for all kinds of damage
            tally.mismatch(shown, f"TensorStore cannot read it: {error}")
    for name in waiting:
        tally.skip(name, "It is not stored as an array.")


def _arrays(job: Job) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Item, array name and key-value store of each array."""
    store = LocalStore(job.folder)
    for item in tree_items(job.files):
        inside = inner(job.files, item)
        folder = {"driver": "file", "path": f"{job.folder}/{item}/" if item else f"{job.folder}/"}
        for array in sorted(orbax_arrays.find(store, item, inside).by_name):
            if MANIFEST in inside:
                yield item, array, {"driver": "ocdbt", "base": folder, "path": f"{array}/"}
            else:
                yield item, array, {"driver": "file", "path": f"{folder['path']}{array}/"}


def _variable(job: Job, item: str, array: str) -> str:
    """The variable's name that an array has in the facts: there its keys are joined by slashes."""
    known = {array, array.replace(".", "/")}
    known |= {f"{item}/{name}" for name in known} if item else set()
    return next((name for name in sorted(known) if name in job.roles), array.replace(".", "/"))


def _opened(tensorstore: Any, context: Any, place: dict[str, Any]) -> Any:  # noqa: ANN401 (TensorStore may be absent)
    """The array in a store, whichever version of Zarr it is."""
    for driver in _DRIVERS:
        try:
            return tensorstore.open({"driver": driver, "kvstore": place}, read=True, context=context).result()
        except ValueError as error:
            if driver == _DRIVERS[-1] or "NOT_FOUND" not in str(error):
                raise
    raise AssertionError("unreachable")


def _verify(array: Any, name: str, job: Job, tally: Tally) -> None:  # noqa: ANN401
    size = array.dtype.numpy_dtype.itemsize
    shape = tuple(array.shape)
    chunk = tuple(array.chunk_layout.read_chunk.shape or ())  # None for a scalar
    for length, most in ((math.prod(shape) * size, MAX_ARRAY), (math.prod(chunk) * size, MAX_CHUNK)):
        if length > most:
            tally.skip(name, f"It unpacks to {length:,} bytes at once, more than {most:,}.")
            return
    tally.expect(math.prod(shape) * size)
    finite = Finite.of(array.dtype.name) if job.checks_values(name) else None
    read = (array[part].read().result() for part in _parts(shape, chunk))
    values = (np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in read)
    read_values(values, name, finite, job, tally)


def _parts(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """One chunk after another."""
    grid = tuple(-(-extent // max(1, side)) for extent, side in zip(shape, chunk, strict=True))
    for start, _ in blocks(grid, 1):
        yield tuple(
            slice(at * side, min((at + 1) * side, extent)) for at, side, extent in zip(start, chunk, shape, strict=True)
        )

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
    tally.notes.append(NOTE)
    waiting = dict.fromkeys(job.roles)
    for name, array, why in opened_arrays(job):
        waiting.pop(name, None)
        if why is not None:
            tally.mismatch(name, why)
            continue
        try:
            _verify(array, name, job, tally)
        except (ValueError, OSError) as error:
            tally.mismatch(name, _unread(error))
    for name in waiting:
        tally.skip(name, "It is not stored as an array.")


def opened_arrays(job: Job) -> Iterator[tuple[str, Any, str | None]]:
    """The variable's name, the array and None of each array that can be opened; of another one None and why. Raises
    NotReadableError where TensorStore is not installed.
    """
    try:
        tensorstore = importlib.import_module("tensorstore")
    except ImportError as error:
        raise NotReadableError(MISSING) from error
    context = tensorstore.Context(_LIMITS)
    for item, name, place in _arrays(job):
        try:
            array, why = _opened(tensorstore, context, place), None
        except (ValueError, OSError) as error:
            array, why = None, _unread(error)
        yield _variable(job, item, name), array, why


def _unread(error: Exception) -> str:
    """Why TensorStore reads no array: it raises ValueError for all kinds of damage."""
    return f"TensorStore cannot read it: {error}"


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
    if (why := too_large(array)) is not None:
        tally.skip(name, why)
        return
    tally.expect(math.prod(array.shape) * array.dtype.numpy_dtype.itemsize)
    finite = Finite.of(array.dtype.name) if job.checks_values(name) else None
    read = (array[part].read().result() for part in parts_of(array))
    values = (np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in read)
    read_values(values, name, finite, job, tally)


def too_large(array: Any) -> str | None:  # noqa: ANN401
    """Why an array is too large to be read; None where it is not."""
    size = array.dtype.numpy_dtype.itemsize
    for length, most in ((math.prod(array.shape) * size, MAX_ARRAY), (math.prod(_chunk(array)) * size, MAX_CHUNK)):
        if length > most:
            return f"It unpacks to {length:,} bytes at once, more than {most:,}."
    return None


def parts_of(array: Any) -> Iterator[tuple[slice, ...]]:  # noqa: ANN401
    """One chunk after another."""
    shape, chunk = tuple(array.shape), _chunk(array)
    grid = tuple(-(-extent // max(1, side)) for extent, side in zip(shape, chunk, strict=True))
    for start, _ in blocks(grid, 1):
        yield tuple(
            slice(at * side, min((at + 1) * side, extent)) for at, side, extent in zip(start, chunk, shape, strict=True)
        )


def _chunk(array: Any) -> tuple[int, ...]:  # noqa: ANN401
    return tuple(array.chunk_layout.read_chunk.shape or ())  # None for a scalar

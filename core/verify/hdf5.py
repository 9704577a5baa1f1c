"""Every dataset of Keras' HDF5 files, read through the C library: filters with checksums, and values.

Run in the worker only: hostile files can crash the library. Links out of the file, external and virtual storage are
never followed. Keras stores datasets in one piece and without filters, so that there is no checksum to compare.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5a, h5d, h5s, h5t, h5z

from core.verify.finite import Finite
from core.verify.tally import WINDOW, Job, Tally
from core.workers.h5.objects import is_inside, kind_of, names_of, text, text_attribute
from waypoint_resume.names import to_text

ROOM = 32 << 20  # bytes of one chunk: the library holds it packed and unpacked
MAX_CHUNKS = 200_000  # of one dataset
NO_CHECKSUMS = "Keras writes HDF5 without checksums: a value that was changed into another one goes unseen."
_ROWS = 1_024  # strings that are read at once

Place = tuple[tuple[int, ...], tuple[int, ...]]  # start and extents


def verify_file(file: str | Any, job: Job, tally: Tally, where: str = "") -> None:  # noqa: ANN401 (a path or a file object)
    """Read every dataset of a file. What is wrong with one of several files is told with `where`."""
    with closing(h5py.File(file, "r")) as opened:
        root = opened["/"].id
        names, _ = names_of(root)
        tally.expect(sum(_size(h5d.open(root, name)) for name in names))  # not kept open: there may be thousands
        summed = 0
        for name in names:
            shown = text(name)
            try:
                dataset = h5d.open(root, name)
                summed += _has_checksum(dataset)
                why = why_not_read(dataset)
                if why is None:
                    _verify(dataset, shown, job, tally)
                else:
                    tally.skip(shown, why)
            except MemoryError:
                tally.skip(shown, "Reading it takes more memory than a file may cost.")
            except TypeError as error:  # of values that NumPy has no type for
                tally.skip(shown, f"{where}The HDF5 library has no way to read it: {error}.")
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                tally.mismatch(shown, f"{where}The HDF5 library cannot read it: {error}")

        in_zip = not isinstance(file, str)  # whose own checksum was compared
        if summed < len(names) and not in_zip and NO_CHECKSUMS not in tally.notes:
            tally.notes.append(NO_CHECKSUMS)


def _has_checksum(dataset: Any) -> bool:  # noqa: ANN401
    plan = dataset.get_create_plist()
    return any(plan.get_filter(number)[0] == h5z.FILTER_FLETCHER32 for number in range(plan.get_nfilters()))


def verify_job(job: Job, tally: Tally) -> None:
    """One HDF5 file."""
    verify_file(f"{job.folder}/{job.name}", job, tally)


def verify_sharded_job(job: Job, tally: Tally) -> None:
    """The files of a sharded `.weights.h5`."""
    for name in sorted(name for name in job.files if name.endswith(".h5")):
        verify_file(f"{job.folder}/{name}", job, tally, f"{to_text(name)}: ")


def why_not_read(dataset: Any) -> str | None:  # noqa: ANN401 (h5py has no types)
    """Why a dataset's values cannot be verified; None where they can."""
    plan = dataset.get_create_plist()
    if not is_inside(dataset):
        return "Its values lie in another file, which is not followed."
    for number in range(plan.get_nfilters()):
        code, _, _, name = plan.get_filter(number)
        if not h5z.filter_avail(code):
            return f"It is packed with a filter that is not installed: {text(name) or code}."
    if plan.get_layout() == h5d.CHUNKED:
        if math.prod(plan.get_chunk()) * dataset.get_type().get_size() > ROOM:
            return f"Its chunks have more than {ROOM >> 20} MiB each."
        if dataset.get_num_chunks() > MAX_CHUNKS:
            return f"It has more than {MAX_CHUNKS:,} chunks."
    return None


def _verify(dataset: Any, name: str, job: Job, tally: Tally) -> None:  # noqa: ANN401
    if not dataset.get_storage_size():  # never written: all values are the fill value
        tally.read(name)
        return
    kind, big_endian = kind_and_order(dataset)
    if _is_varying(dataset.get_type()):
        _read_varying(dataset, tally)
        tally.read(name)
        return
    finite = Finite.of(kind, big_endian=big_endian) if job.checks_values(name) else None
    read_values(_windows(dataset), name, finite, job, tally)


def read_values(
    parts: Iterable[npt.NDArray[np.uint8]], name: str, finite: Finite | None, job: Job, tally: Tally
) -> None:
    """Read a variable's bytes, part by part, and count with `finite` what ought to be finite and is not."""
    for part in parts:
        if finite is not None:
            for start in range(0, len(part), WINDOW):
                finite.look(part[start : start + WINDOW])
        tally.advance(len(part))
    tally.read(name)
    if finite is not None and finite.count:
        tally.non_finite(job, name, finite.count, finite.nans)


def kind_and_order(dataset: Any) -> tuple[str, bool]:  # noqa: ANN401
    """The dtype's name, and whether the most significant byte stands first."""
    found = dataset.get_type()
    kind = kind_of(found)
    if kind.startswith("opaque") and h5a.exists(dataset, b"dtype"):
        kind = text_attribute(dataset, b"dtype") or kind
    number = found.get_member_type(0) if kind.startswith("complex") else found
    return kind, number.get_class() == h5t.FLOAT and number.get_order() == h5t.ORDER_BE


def _is_varying(kind: Any) -> bool:  # noqa: ANN401
    """Whether values lie outside of their dataset: strings and lists of any length, references."""
    is_string = kind.get_class() == h5t.STRING and kind.is_variable_str()
    return is_string or any(kind.detect_class(one) for one in (h5t.VLEN, h5t.REFERENCE))


def _windows(dataset: Any) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:  # noqa: ANN401
    """The stored bytes of all values, a part at a time, unconverted, in one buffer."""
    stored, size = dataset.get_type(), dataset.get_type().get_size()
    buffer = np.empty(0, dtype=np.uint8)
    for start, extents in _parts(dataset, max(1, WINDOW // size)):
        length = math.prod(extents) * size
        if len(buffer) < length:
            buffer = np.empty(length, dtype=np.uint8)
        read_block(dataset, start, extents, buffer[:length], stored)
        yield buffer[:length]


def read_block(dataset: Any, start: Sequence[int], extents: Sequence[int], into: Any, kind: Any) -> None:  # noqa: ANN401
    """Read a block of a dataset, as values of the type `kind`, into some bytes."""
    space = dataset.get_space()
    if not extents:
        dataset.read(h5s.ALL, h5s.ALL, into, mtype=kind)
        return
    space.select_hyperslab(tuple(start), tuple(extents))
    dataset.read(h5s.create_simple(tuple(extents)), space, into, mtype=kind)


def _read_varying(dataset: Any, tally: Tally) -> None:  # noqa: ANN401
    """Read strings and lists of any length, as Python objects."""
    opened, size = h5py.Dataset(dataset), dataset.get_type().get_size()
    for start, extents in _parts(dataset, _ROWS):
        opened[tuple(slice(at, at + extent) for at, extent in zip(start, extents, strict=True))]
        tally.advance(math.prod(extents) * size)


def _parts(dataset: Any, most: int) -> Iterator[Place]:  # noqa: ANN401
    """The places that cover what is stored: its chunks one by one, else blocks of at most `most` values."""
    plan = dataset.get_create_plist()
    if plan.get_layout() != h5d.CHUNKED:
        yield from blocks(dataset.shape, most)
        return
    starts: list[tuple[int, ...]] = []
    dataset.chunk_iter(lambda info: starts.append(info.chunk_offset))
    for start in starts:
        sides = zip(start, plan.get_chunk(), dataset.shape, strict=True)
        extents = tuple(min(extent, end - at) for at, extent, end in sides)
        if all(extent > 0 for extent in extents):
            yield start, extents


def blocks(shape: Sequence[int], most: int) -> Iterator[Place]:
    """Blocks in row-major order that cover a shape, each of at most `most` values."""
    if 0 in shape:
        return
    axis, inner = len(shape), 1
    while axis and inner * shape[axis - 1] <= most:
        axis -= 1
        inner *= shape[axis]
    if not axis:
        yield (0,) * len(shape), tuple(shape)
        return
    step, cut = max(1, most // inner), axis - 1
    tail = tuple(shape[axis:])
    for outer in itertools.product(*(range(extent) for extent in shape[:cut])):
        for start in range(0, shape[cut], step):
            extents = (*(1,) * cut, min(step, shape[cut] - start), *tail)
            yield (*outer, start, *(0,) * len(tail)), extents


def _size(dataset: Any) -> int:  # noqa: ANN401
    """Bytes of all values that were ever written, those of strings not counted."""
    if not dataset.get_storage_size():
        return 0
    return math.prod(dataset.shape or ()) * int(dataset.get_type().get_size())

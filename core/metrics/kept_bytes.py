"""The points that a summary keeps as bytes for a database: some kilobytes for 500 of them.

A byte that says which forms follow, the number of points, then deflated columns: indices and steps as differences,
times in milliseconds as differences, values in 32 bits where those hold them well. Written anew the bytes are the same.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from core.base.errors import CorruptError
from core.metrics.records import Floats, Numbers
from core.metrics.summary import MOST_KEPT, Kept

_FLOAT_X, _WIDE_VALUES, _NO_TIMES = 1, 2, 4
_NO_TIME = np.iinfo(np.int64).min
_FARTHEST = 1e15  # milliseconds; what is told beyond is no time
_COLUMN = np.dtype("<i8")
_SECTION = "points kept of a tag"


def to_bytes(kept: Kept) -> bytes:
    """Points as bytes."""
    has_float_x = not np.issubdtype(kept.x.dtype, np.integer)
    narrow = _in_32_bits(kept.values)
    millis = _milliseconds(kept.wall_time)
    is_timeless = bool((millis == _NO_TIME).all())
    form = _FLOAT_X * has_float_x | _WIDE_VALUES * (narrow is None) | _NO_TIMES * is_timeless
    columns = [_differences(kept.index)]
    columns.append(_planes(kept.x.astype("<f8")) if has_float_x else _differences(kept.x.astype(np.int64)))
    if not is_timeless:
        columns.append(_differences(millis))
    columns.append(_planes(kept.values.astype("<f8") if narrow is None else narrow))
    return bytes([form]) + len(kept).to_bytes(2, "little") + zlib.compress(b"".join(columns), 9)


def from_bytes(content: bytes) -> Kept:
    """The points of `to_bytes`; CorruptError."""
    form, count = content[0] if content else 0, int.from_bytes(content[1:3], "little")
    widths = [8, 8] + ([] if form & _NO_TIMES else [8]) + [8 if form & _WIDE_VALUES else 4]
    expected = count * sum(widths)
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(content[3:], max(expected, 1) + 1)
    except zlib.error as error:
        raise CorruptError(str(error), section=_SECTION) from error
    if count > MOST_KEPT or len(data) != expected or not inflater.eof:
        raise CorruptError(f"{len(data):,} bytes for {count:,} points", section=_SECTION)
    ends = np.cumsum(widths) * count
    parts = [data[end - width * count : end] for end, width in zip(ends.tolist(), widths, strict=True)]
    x: Numbers = _from_planes(parts[1], "<f8").astype(np.float64) if form & _FLOAT_X else _summed(parts[1])
    times = np.full(count, np.nan) if form & _NO_TIMES else _seconds(_summed(parts[2]))
    values = _from_planes(parts[-1], "<f8" if form & _WIDE_VALUES else "<f4").astype(np.float64)
    return Kept(index=_summed(parts[0]), x=x, wall_time=times, values=values)


def _in_32_bits(values: Floats) -> npt.NDArray[np.float32] | None:
    """The values in 32 bits, None where those would lose one to infinity or to zero."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = values.astype("<f4")
    lost = (np.isfinite(values) & ~np.isfinite(narrow)) | ((values != 0) & (np.abs(narrow) < np.finfo(np.float32).tiny))
    return None if lost.any() else narrow


def _milliseconds(times: Floats) -> npt.NDArray[np.int64]:
    scaled = times * 1000
    is_told = np.abs(scaled) < _FARTHEST
    return np.where(is_told, np.round(np.where(is_told, scaled, 0)), _NO_TIME).astype(np.int64)


def _seconds(millis: npt.NDArray[np.int64]) -> Floats:
    return np.where(millis == _NO_TIME, np.nan, millis / 1000)


def _differences(values: npt.NDArray[np.int64]) -> bytes:
    """Each but the first less the one before, modulo 2^64."""
    return _planes(np.diff(values.astype("<i8"), prepend=np.zeros(1, "<i8")).astype("<i8"))


def _summed(content: bytes) -> npt.NDArray[np.int64]:
    return np.cumsum(_from_planes(content, _COLUMN), dtype=np.int64)


def _planes(column: npt.NDArray[np.generic]) -> bytes:
    """All first bytes, then all second ones …: what is alike stands together."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1).T.tobytes()


def _from_planes(content: bytes, kind: npt.DTypeLike) -> npt.NDArray[np.generic]:
    width = np.dtype(kind).itemsize
    rows = np.frombuffer(content, np.uint8).reshape(width, -1).T
    return np.ascontiguousarray(rows).reshape(-1).view(kind)

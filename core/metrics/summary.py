"""What is known of one tag without its points: how many, the first, last, lowest and highest, and at most 500 of them.

The points that are kept are the lowest and the highest of each bucket of neighbours (in the order in which they came),
so that no spike is lost. A bucket holds 2, 4, 8 … points, as few as make 250 buckets do; new points are added without
the old ones, and what comes out is the same as if all had been there at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.metrics.records import Floats, Numbers, Point, Series, XKind

MOST_KEPT = 500
_MOST_BUCKETS = MOST_KEPT // 2
_LEAST = 2  # points of a file that stay, however many files there are
_Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """The points that stand for all: the number that each had as it came (from 0), and its columns."""

    index: _Indices
    x: Numbers
    wall_time: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def points(self) -> list[Point]:
        """All of them, as Python's numbers."""
        return list(map(Point, self.x.tolist(), self.wall_time.tolist(), self.values.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """One tag's points in short. `lowest` and `highest` are of finite values, None where there are none; of equal ones
    the first. `not_finite` counts the others (NaN, infinite), of which `first_not_finite` is the first.
    """

    x_kind: XKind
    count: int
    first: Point
    last: Point
    lowest: Point | None
    highest: Point | None
    not_finite: int
    first_not_finite: Point | None
    kept: Kept


def summarised(known: Summary | None, new: Series) -> Summary | None:
    """What is known of a tag, and the points that came since. None where there never was one."""
    if not len(new):
        return known
    index = np.arange(len(new), dtype=np.int64)
    kept = Kept(index=index, x=new.x, wall_time=new.wall_time, values=new.values)
    finite = np.isfinite(new.values)
    odd = np.flatnonzero(~finite)
    found = Summary(
        x_kind=new.x_kind,
        count=len(new),
        first=new.point(0),
        last=new.point(len(new) - 1),
        lowest=new.point(int(np.argmin(np.where(finite, new.values, np.inf)))) if finite.any() else None,
        highest=new.point(int(np.argmax(np.where(finite, new.values, -np.inf)))) if finite.any() else None,
        not_finite=len(odd),
        first_not_finite=new.point(int(odd[0])) if len(odd) else None,
        kept=kept,
    )
    return _thinned(found) if known is None else joined(known, found)


def joined(before: Summary, after: Summary) -> Summary:
    """Two parts of one tag's points, as of two files that one job wrote after another."""
    found = Summary(
        x_kind=after.x_kind,
        count=before.count + after.count,
        first=before.first,
        last=after.last,
        lowest=_better(before.lowest, after.lowest, -1),
        highest=_better(before.highest, after.highest, 1),
        not_finite=before.not_finite + after.not_finite,
        first_not_finite=before.first_not_finite or after.first_not_finite,
        kept=Kept(
            index=np.concatenate((before.kept.index, after.kept.index + before.count)),
            x=_one_kind(before.kept.x, after.kept.x),
            wall_time=np.concatenate((before.kept.wall_time, after.kept.wall_time)),
            values=np.concatenate((before.kept.values, after.kept.values)),
        ),
    )
    return _thinned(found)


def _one_kind(before: Numbers, after: Numbers) -> Numbers:
    """Whole numbers where both are."""
    if before.dtype == np.int64 and after.dtype == np.int64:
        return np.concatenate((before, after)).astype(np.int64)
    return np.concatenate((before.astype(np.float64), after.astype(np.float64)))


def _better(before: Point | None, after: Point | None, sign: int) -> Point | None:
    if before is None or after is None:
        return before or after
    return after if sign * after.value > sign * before.value else before


def thinned_together(parts: Sequence[Kept]) -> list[Kept]:
    """Parts of one tag's points, as of files, with as many as one of them may keep, or two of each."""
    width = 2
    while sum(map(len, parts)) > MOST_KEPT and any(len(part) > _LEAST for part in parts):
        width *= 2
        parts = [_in_buckets(part, width) if len(part) > _LEAST else part for part in parts]
    return list(parts)


def _in_buckets(kept: Kept, width: int) -> Kept:
    """The lowest and the highest of each so many neighbours."""
    chosen = _extremes(kept.index // width, kept.values)
    return Kept(
        index=kept.index[chosen], x=kept.x[chosen], wall_time=kept.wall_time[chosen], values=kept.values[chosen]
    )


def _thinned(summary: Summary) -> Summary:
    """With as many points as are kept."""
    width = 2
    while summary.count > width * _MOST_BUCKETS:
        width *= 2
    part = _in_buckets(summary.kept, width)
    return Summary(
        x_kind=summary.x_kind,
        count=summary.count,
        first=summary.first,
        last=summary.last,
        lowest=summary.lowest,
        highest=summary.highest,
        not_finite=summary.not_finite,
        first_not_finite=summary.first_not_finite,
        kept=part,
    )


def _extremes(bucket: _Indices, values: Floats) -> _Indices:
    """The places of each bucket's first lowest and last highest finite value; where it has none, of its first. Buckets
    stand in rising order.
    """
    starts = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), bucket[1:] != bucket[:-1])))
    sizes = np.diff(starts, append=len(bucket))
    finite = np.isfinite(values)
    lowest = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    highest = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    low = np.flatnonzero(finite & (values == np.repeat(lowest, sizes)))
    high = np.flatnonzero(finite & (values == np.repeat(highest, sizes)))
    parts = [starts[np.isinf(lowest)]]
    if len(low):
        parts.append(low[np.concatenate((np.ones(1, np.bool_), bucket[low][1:] != bucket[low][:-1]))])
        parts.append(high[np.concatenate((bucket[high][1:] != bucket[high][:-1], np.ones(1, np.bool_)))])
    return np.unique(np.concatenate(parts)).astype(np.int64)

"""The points of one metric of a run, out of all files that tell it, as branches: one for each attempt.

After a restart or a rewind a job writes steps that are there already. Those belong to another branch than the points
before: a curve never goes back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from core.metrics.records import Floats, Numbers, Point, Series, XKind
from core.metrics.summary import Kept

GroupKey: TypeAlias = tuple[str, XKind]  # a source's name and what it counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """What one file tells of a metric: `source` is the name of its row, `count` how many points there are in all, of
    which the columns may hold fewer (`is_thinned`).
    """

    path: str
    source: str
    tag: str
    x_kind: XKind
    count: int
    x: Numbers
    wall_time: Floats
    values: Floats

    @classmethod
    def of_series(cls, path: str, source: str, series: Series) -> Track:
        """All of a file's points."""
        return cls(
            path=path,
            source=source,
            tag=series.tag,
            x_kind=series.x_kind,
            count=len(series),
            x=series.x,
            wall_time=series.wall_time,
            values=series.values,
        )

    @classmethod
    def of_kept(cls, path: str, source: str, tag: str, x_kind: XKind, kept: Kept, count: int) -> Track:
        """What is kept of a file's points."""
        return cls(
            path=path,
            source=source,
            tag=tag,
            x_kind=x_kind,
            count=count,
            x=kept.x,
            wall_time=kept.wall_time,
            values=kept.values,
        )

    @property
    def is_thinned(self) -> bool:
        """Whether there are more points than these."""
        return self.count > len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """One attempt's points, x rising: `attempt` counts from 1."""

    attempt: int
    x: Numbers
    wall_time: Floats
    values: Floats

    def points(self) -> list[Point]:
        """All of them, as Python's numbers."""
        return list(map(Point, self.x.tolist(), self.wall_time.tolist(), self.values.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One metric of a run: `tag` is its name, `source` what the tool is called whose `files` tell it. `count` points
    are there in all; the branches hold fewer where it `is_thinned`.
    """

    tag: str
    x_kind: XKind
    source: str
    files: tuple[str, ...]
    count: int
    is_thinned: bool
    branches: tuple[Branch, ...]

    def points(self) -> list[Point]:
        """The points of all branches, one branch after another."""
        return [point for branch in self.branches for point in branch.points()]


def curve_of(tag: str, tracks: Sequence[Track], preference: Sequence[str] = ()) -> Curve | None:
    """The curve of a metric out of all that files tell of it; None where that is nothing."""
    groups: dict[GroupKey, list[Track]] = {}
    for track in tracks:
        if len(track.values):
            groups.setdefault((track.source, track.x_kind), []).append(track)
    if not groups:
        return None
    weights = {key: (sum(one.count for one in found), all(map(_has_times, found))) for key, found in groups.items()}
    source, kind = standing(weights, preference)
    chosen = sorted(groups[source, kind], key=_begins)
    return Curve(
        tag=tag,
        x_kind=kind,
        source=source,
        files=tuple(track.path for track in chosen),
        count=sum(track.count for track in chosen),
        is_thinned=any(track.is_thinned for track in chosen),
        branches=tuple(_branches(chosen)),
    )


def standing(weights: Mapping[GroupKey, tuple[int, bool]], preference: Sequence[str]) -> GroupKey:
    """Which group stands for a metric where several tools tell it, or one by step and by epoch: of those with at least
    half as many points as any other the one by steps, with times, earlier in `preference` (names of sources).

    `weights` has the number of points of each, and whether all its files tell times.
    """
    most = max(count for count, _ in weights.values())
    order = {name: place for place, name in enumerate(preference)}

    def rank(key: GroupKey) -> tuple[bool, bool, bool, int, str]:
        count, has_times = weights[key]
        return 2 * count < most, key[1] is not XKind.STEP, not has_times, order.get(key[0], len(order)), key[0]

    return min(weights, key=rank)


def _has_times(track: Track) -> bool:
    return bool(np.isfinite(track.wall_time).any())


def _begins(track: Track) -> tuple[float, str]:
    told = track.wall_time[np.isfinite(track.wall_time)]
    return (float(told[0]) if len(told) else math.inf, track.path)


def _branches(tracks: Sequence[Track]) -> Iterable[Branch]:
    """Points one after another, a new branch wherever x falls, and where another file begins at or before the x that
    was reached.
    """
    x = np.concatenate([np.asarray(track.x, np.float64) for track in tracks])
    wall = np.concatenate([track.wall_time for track in tracks])
    values = np.concatenate([track.values for track in tracks])
    falls = np.flatnonzero(np.diff(x) < 0) + 1
    begins = np.cumsum([len(track.values) for track in tracks])[:-1]
    again = [int(at) for at in begins if x[at] <= x[at - 1]]
    whole = all(np.issubdtype(track.x.dtype, np.integer) for track in tracks)
    starts = sorted({0, *map(int, falls), *again})
    for number, (start, end) in enumerate(pairwise([*starts, len(x)]), 1):
        part = x[start:end]
        yield Branch(
            attempt=number,
            x=part.astype(np.int64) if whole else part,
            wall_time=wall[start:end],
            values=values[start:end],
        )

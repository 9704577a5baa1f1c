"""A metric's value at a checkpoint, and how it was found.

In order of trust: recorded with the checkpoint by its job; the point of the same step; of the same epoch; the last
point before it was saved; the value in its name. Points belong to the attempt that wrote them: where a job was started
again, those that a later attempt wrote say nothing of what an earlier one saved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from core.metrics.curves import Branch, Curve
from core.metrics.records import Point, XKind
from core.metrics.saved_at import SavedAt

_LEAST_SLACK_S = 3_600.0  # what is saved so long after the last point was saved at the end of its training
_GAPS = 3
_LEAST_DECIMALS = 2  # of a value in a name that tells attempts apart
UNNAMED = "metric"  # what a value in a name is called that bears none


class Way(StrEnum):
    """How a value was found; earlier ones are to be trusted more."""

    RECORDED = "recorded"
    SAME_STEP = "same step"
    SAME_EPOCH = "same epoch"
    LAST_BEFORE = "last before"
    NAME = "name"

    @property
    def meaning(self) -> str:
        """What is said of it."""
        return _MEANINGS[self]

    @property
    def is_of_it(self) -> bool:
        """Whether the value is of the very checkpoint, and not of an earlier time."""
        return self is not Way.LAST_BEFORE


_MEANINGS = {
    Way.RECORDED: "recorded with the checkpoint by its job",
    Way.SAME_STEP: "logged at the checkpoint's step",
    Way.SAME_EPOCH: "logged at the end of the checkpoint's epoch",
    Way.LAST_BEFORE: "the last that was logged before the checkpoint was saved",
    Way.NAME: "in the checkpoint's name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAt:
    """A metric's value at a checkpoint, the way it was found, and where it stands: its step or epoch as it was logged,
    and when (seconds since 1970), and in which branch of its curve; None where that is not told.
    """

    tag: str
    value: float
    way: Way
    x_kind: XKind | None = None
    x: float | None = None
    wall_time: float | None = None
    attempt: int | None = None


def value_at(tag: str, saved: SavedAt, curve: Curve | None) -> ValueAt | None:
    """The value of a metric at a checkpoint; None where nothing tells it."""
    for name, value in saved.recorded:
        if name == tag:
            return ValueAt(tag=tag, value=value, way=Way.RECORDED)
    found = None if curve is None else _on_curve(curve, saved)
    if found is not None:
        return found
    if saved.named is not None and _is_named(tag, saved.named[0]):
        return ValueAt(tag=tag, value=saved.named[1], way=Way.NAME)
    return None


def _is_named(tag: str, name: str) -> bool:
    return tag.replace("/", "_").replace("-", "_").lower() == name.replace("/", "_").replace("-", "_").lower()


def _on_curve(curve: Curve, saved: SavedAt) -> ValueAt | None:
    wanted: float | None = saved.step
    way = Way.SAME_STEP
    if curve.x_kind is XKind.EPOCH:
        first = first_epoch(curve)
        wanted = None if saved.epochs_done is None else saved.epochs_done - 1 + first
        way = Way.SAME_EPOCH
    branches = _before_it(curve, saved)
    found = None if wanted is None else _at(curve.tag, branches, saved, wanted)
    if found is None:
        way = Way.LAST_BEFORE
        found = _last_before(curve, branches, saved, wanted)
    if found is None or math.isnan(found.point.x):
        return None
    x, wall_time, value = found.point
    return ValueAt(
        tag=curve.tag,
        value=shortest(value),
        way=way,
        x_kind=curve.x_kind,
        x=x,
        wall_time=wall_time if math.isfinite(wall_time) else None,
        attempt=found.attempt,
    )


class _Found(NamedTuple):
    """A point and the branch that it stands in."""

    point: Point
    attempt: int

    @classmethod
    def of(cls, branch: Branch, at: int) -> _Found:
        """A point of a branch."""
        point = Point(branch.x[at].item(), float(branch.wall_time[at]), float(branch.values[at]))
        return cls(point, branch.attempt)


def values_until(curve: Curve, at: ValueAt) -> list[float]:
    """The values of a curve up to a point of it: of its branch, and of earlier ones what lies before that begins."""
    end, found = math.inf if at.x is None else at.x, list[float]()
    for branch in sorted(curve.branches, key=lambda one: -one.attempt):
        if at.attempt is not None and branch.attempt > at.attempt:
            continue
        found += branch.values[branch.x <= end].tolist()
        end = min(end, float(branch.x[0]) - 1)
    return found


def shortest(value: float) -> float:
    """A number of 32 bits, as most jobs log them, as the shortest decimal number that it may be: 0.3, and not
    0.30000001192092896; any other as it is.
    """
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else value


def first_epoch(curve: Curve) -> int:
    """What the first epoch of a curve is called: 0, as by Keras' CSVLogger, or 1."""
    lowest = min((float(branch.x[0]) for branch in curve.branches), default=0.0)
    return 1 if lowest == 1.0 else 0


def _before_it(curve: Curve, saved: SavedAt) -> Sequence[Branch]:
    """The branches that began before a checkpoint was saved, all where no time tells."""
    if saved.time is None:
        return curve.branches
    known = [branch for branch in curve.branches if not float(np.nanmin(_times(branch))) > saved.time]
    return known or curve.branches


def _times(branch: Branch) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Its wall times; one that is before all others where it has none."""
    told = branch.wall_time[np.isfinite(branch.wall_time)]
    return told if len(told) else np.array([-math.inf])


def _at(tag: str, branches: Sequence[Branch], saved: SavedAt, wanted: float) -> _Found | None:
    """The last point at an x, of the attempt that may have saved the checkpoint."""
    holding = [branch for branch in branches if bool((branch.x == wanted).any())]
    if not holding:
        return None
    own = next((one for one in holding if one.attempt == saved.attempt and saved.attempts > 1), None)
    is_timed = saved.time is not None and all(np.isfinite(one.wall_time).any() for one in holding)
    branch = holding[-1] if is_timed or own is None else own
    return _as_named(tag, [_last_at(one, wanted) for one in holding], saved) or _last_at(branch, wanted)


def _last_at(branch: Branch, wanted: float) -> _Found:
    return _Found.of(branch, int(np.flatnonzero(branch.x == wanted)[-1]))


def _as_named(tag: str, found: Sequence[_Found], saved: SavedAt) -> _Found | None:
    """Of the same step in several attempts the one whose value stands in the checkpoint's name, if only one does."""
    if len(found) < 2 or saved.named is None or not (_is_named(tag, saved.named[0]) or saved.named[0] == UNNAMED):
        return None
    value = saved.named[1]
    decimals = len(repr(value).partition(".")[2])
    if "e" in repr(value) or decimals < _LEAST_DECIMALS:
        return None
    fitting = [one for one in found if abs(one.point.value - value) <= 0.500_001 * 10**-decimals]
    return fitting[0] if len(fitting) == 1 else None


def _last_before(curve: Curve, branches: Sequence[Branch], saved: SavedAt, wanted: float | None) -> _Found | None:
    """The last point before a checkpoint was saved: by wall times, else by its step or epoch."""
    timed = [branch for branch in curve.branches if np.isfinite(branch.wall_time).any()]
    if saved.time is not None and timed:
        return _by_time(timed, saved.time)
    if wanted is None or not branches:
        return None
    branch = next((one for one in branches if one.attempt == saved.attempt), branches[-1])
    before = np.flatnonzero(branch.x <= wanted)
    if not len(before):
        return None
    return _Found.of(branch, int(before[-1]))


def _by_time(branches: Sequence[Branch], time: float) -> _Found | None:
    """None where the file's time is none of the training: of a copy, that of its copying."""
    times = np.concatenate([branch.wall_time for branch in branches])
    told = np.sort(times[np.isfinite(times)])
    gap = float(np.median(np.diff(told))) if len(told) > 1 else 0.0
    if time > float(told[-1]) + max(_LEAST_SLACK_S, _GAPS * gap):
        return None
    for branch in reversed(branches):
        before = np.flatnonzero(np.nan_to_num(branch.wall_time, nan=math.inf) <= time)
        if len(before):
            return _Found.of(branch, int(before[-1]))
    return None

"""What a reader of metrics gives: series of points, parameters, problems, and the place where it goes on.

A wall time is in seconds since 1970, NaN where a file tells none or what is none (outside the years 1 to 9999). A value
may be NaN or infinite: that is what the job wrote. Columns are NumPy arrays, because one event file may hold a million
points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.int64] | Floats
ParamValue: TypeAlias = str | int | float | bool | None
# Where reading goes on: JSON, made and understood by the source alone.
Position: TypeAlias = Mapping[str, Any]


class XKind(StrEnum):
    """What the x of a point counts."""

    STEP = "step"
    EPOCH = "epoch"


class Point(NamedTuple):
    """One value: at which step or epoch, when, and what."""

    x: int | float
    wall_time: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The points of one tag in the order of the file: `x` in whole numbers where all are, `wall_time` in seconds."""

    tag: str
    x_kind: XKind
    x: Numbers
    wall_time: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def point(self, number: int) -> Point:
        """One of its points."""
        return Point(self.x[number].item(), float(self.wall_time[number]), float(self.values[number]))

    def points(self) -> list[Point]:
        """All of them, as Python's numbers."""
        return list(map(Point, self.x.tolist(), self.wall_time.tolist(), self.values.tolist()))


class Text(NamedTuple):
    """A text that was logged at a step."""

    tag: str
    step: int
    wall_time: float
    text: str


class Restart(NamedTuple):
    """The writer says that training began again at this step: what came before of it or later is another branch."""

    step: int
    wall_time: float
    offset: int


class ProblemKind(StrEnum):
    """What keeps a file, or a part of it, from being read. `truncated` at the end of a live file is normal."""

    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"


class MetricProblem(NamedTuple):
    """Something that was not read: where (path relative to the root, byte in it or None), and a sentence."""

    path: str
    offset: int | None
    kind: ProblemKind
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What one call gave.

    `position` is handed to the next call when the file has changed; None for files that are always read whole.
    `is_anew`: what earlier calls gave of this file no longer holds (it shrank, or was written anew). `has_more`: the
    call stopped at its limit of bytes, the next one goes on at `position`. `is_foreign`: another tool's file bears such
    a name, and nothing else is said of it.
    """

    series: tuple[Series, ...] = ()
    parameters: Mapping[str, ParamValue] = field(default_factory=dict)
    texts: tuple[Text, ...] = ()
    restarts: tuple[Restart, ...] = ()
    problems: tuple[MetricProblem, ...] = ()
    position: Position | None = None
    is_anew: bool = True
    has_more: bool = False
    is_foreign: bool = False

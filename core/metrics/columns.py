"""Points in the making: columns by tag, as many tags as are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.metrics.limits import MOST_NAME, MOST_TAGS
from core.metrics.problems import Problems
from core.metrics.records import Numbers, ProblemKind, Series, XKind
from core.metrics.x_names import told_times

_EXACT = 1 << 53  # a float64 holds every whole number up to here


@dataclass(slots=True)
class _Columns:
    x_kind: XKind
    x: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class SeriesBuilder:
    """Series by tag, in the order in which their tags came."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._by_tag: dict[tuple[str, XKind], _Columns] = {}
        self._is_full = False

    def add(self, tag: str, x_kind: XKind, x: float, value: float, wall_time: float = math.nan) -> None:
        """One point."""
        found = self._by_tag.get((tag, x_kind))
        if found is None:
            if not self._takes(tag):
                return
            found = self._by_tag[tag, x_kind] = _Columns(x_kind)
        found.x.append(x)
        found.wall.append(wall_time)
        found.values.append(value)

    def _takes(self, tag: str) -> bool:
        if len(tag) <= MOST_NAME and len(self._by_tag) < MOST_TAGS:
            return True
        if not self._is_full:
            self._is_full = True
            why = (
                f"a tag of more than {MOST_NAME} characters"
                if len(tag) > MOST_NAME
                else f"more than {MOST_TAGS:,} tags"
            )
            self._problems.add(ProblemKind.TOO_LARGE, f"{why}: what goes beyond is left out")
        return False

    def series(self) -> tuple[Series, ...]:
        """All of them."""
        return tuple(
            Series(
                tag=tag,
                x_kind=kind,
                x=numbers(found.x),
                wall_time=told_times(np.array(found.wall, np.float64)),
                values=np.array(found.values, np.float64),
            )
            for (tag, kind), found in self._by_tag.items()
        )


def numbers(values: Sequence[float]) -> Numbers:
    """Whole numbers of 64 bits where all are, else floats."""
    if all(isinstance(one, int) or (one.is_integer() and abs(one) <= _EXACT) for one in values):
        try:
            return np.array([int(one) for one in values], np.int64)
        except OverflowError:
            pass
    return np.array(values, np.float64)

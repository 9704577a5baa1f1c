"""Which metric tells the best of a run, and which of its checkpoints that is. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.base.direction import Direction
from core.metrics.at_checkpoint import ValueAt


class ToldBy(StrEnum):
    """Who says which metric it is: somebody for this run, the settings for its project, or a guess."""

    RUN = "run"
    PROJECT = "project"
    GUESS = "guess"


@dataclass(frozen=True, slots=True, kw_only=True)
class BestMetric:
    """The metric by which the best is told, and which values of it are better."""

    tag: str
    mode: Direction
    told_by: ToldBy

    @property
    def is_guess(self) -> bool:
        """Whether nobody said so."""
        return self.told_by is ToldBy.GUESS


def best_of(values: Mapping[str, ValueAt], mode: Direction, order: Iterable[str]) -> str | None:
    """The key with the best finite value; None where there is none. Of equal ones that whose value is its own, and not
    of an earlier time, and the last in `order`.
    """
    chosen: tuple[tuple[float, bool], str] | None = None
    for key in order:
        value = values.get(key)
        if value is None or not math.isfinite(value.value):
            continue
        rank = (mode.rank(value.value), not value.way.is_of_it)
        if chosen is None or rank <= chosen[0]:
            chosen = (rank, key)
    return None if chosen is None else chosen[1]

"""Retention rules: which checkpoints of a series stay. Small pure classes over step, time and metric.

A policy keeps what any of its rules keeps. A rule that lacks what it judges by (a step, a save time, a metric) keeps
the checkpoint: nothing goes because something is not known. Only whole checkpoints fill the places of "the latest 3"
and the like; a damaged one takes none of them. The model is Orbax's preservation_policy:
https://github.com/google/orbax/blob/main/checkpoint/orbax/checkpoint/checkpoint_managers/preservation_policy.py
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from core.base.direction import Direction
from core.sweeps.places import TrialPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One checkpoint of a series as rules see it. `time` is None where save times are not to be believed; `metric` is
    the name and the value in the file's name, `values` are those of metrics that its job logged, by name in small
    letters; `trial` is the sweep's trial that the series is of.
    """

    step: int | None = None
    time: datetime | None = None
    metric: tuple[str, float] | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    restorable: bool = True
    pinned: bool = False
    trial: TrialPlace | None = None

    def value_of(self, metric: str) -> float | None:
        """The value of a metric: as it was logged, else as the file's name has it."""
        if metric in self.values:
            return self.values[metric]
        return self.metric[1] if self.metric is not None and self.metric[0] == metric else None


Kept = Mapping[int, str]
Series = Sequence[Point]


class Rule(Protocol):
    """What stays of a series. `judges_trials`: it asks for the place of a run in its sweep."""

    judges_trials: ClassVar[bool]

    def keep(self, series: Series, now: datetime) -> Kept:
        """The places of those that stay, with the reason; the series has the newest last."""


@dataclass(frozen=True, slots=True)
class KeepLatest:
    """The latest so many that can be restored."""

    judges_trials: ClassVar[bool] = False
    count: int

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002 - rules are called alike
        """See `Rule.keep`."""
        whole = _whole(series)[-self.count :]
        return dict.fromkeys(whole, f"one of the latest {self.count:,}" if self.count > 1 else "the latest")


@dataclass(frozen=True, slots=True)
class KeepBest:
    """The so many with the best value of a metric; of equal ones the newer first."""

    judges_trials: ClassVar[bool] = False
    count: int
    metric: str
    mode: Direction

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002
        """See `Rule.keep`."""
        known: list[tuple[float, int]] = []
        kept: dict[int, str] = {}
        for place in _whole(series):
            value = series[place].value_of(self.metric)
            if value is None:
                kept[place] = f"neither its job's logs nor its name tell its {self.metric}"
            else:
                known.append((self.mode.rank(value), -place))
        best = [-place for _, place in sorted(known)[: self.count]]
        what = f"the {self.mode.word} {self.metric}"
        return kept | dict.fromkeys(best, f"one of the {self.count:,} with {what}" if self.count > 1 else what)


@dataclass(frozen=True, slots=True)
class EverySteps:
    """Those whose step is a multiple of a number, and the first at or after each multiple that none hits."""

    judges_trials: ClassVar[bool] = False
    steps: int

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002
        """See `Rule.keep`."""
        kept: dict[int, str] = {}
        taken: dict[int, tuple[int, int]] = {}
        for place in _whole(series):
            step = series[place].step
            if step is None:
                kept[place] = "its step is not known"
                continue
            # Of one interval the one with the lowest step; of equal steps (after a restart) the newer one.
            interval = step // self.steps
            taken[interval] = min(taken.get(interval, (step, -place)), (step, -place))
        return kept | {-place: f"one every {self.steps:,} steps" for _, place in taken.values()}


@dataclass(frozen=True, slots=True)
class EveryHours:
    """The first one, and each that was saved so many hours or more after the last one that stays."""

    judges_trials: ClassVar[bool] = False
    hours: float

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002
        """See `Rule.keep`."""
        kept: dict[int, str] = {}
        last: datetime | None = None
        for place in _whole(series):
            time = series[place].time
            if time is None:
                kept[place] = "its save time is not known"
            elif last is None or time - last >= timedelta(hours=self.hours):
                kept[place] = f"one every {self.hours:g} hours"
                last = time
        return kept


@dataclass(frozen=True, slots=True)
class NewerThan:
    """Those saved within so many days, damaged ones too."""

    judges_trials: ClassVar[bool] = False
    days: float

    def keep(self, series: Series, now: datetime) -> Kept:
        """See `Rule.keep`."""
        kept: dict[int, str] = {}
        for place, point in enumerate(series):
            if point.time is None:
                kept[place] = "its save time is not known"
            elif now - point.time < timedelta(days=self.days):
                kept[place] = f"newer than {self.days:g} days"
        return kept


@dataclass(frozen=True, slots=True)
class Pinned:
    """Nothing but the pinned ones, which stay under every policy: as the only rule it lets all others go."""

    judges_trials: ClassVar[bool] = False

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002
        """See `Rule.keep`."""
        return {place: "pinned" for place, point in enumerate(series) if point.pinned}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Some rules; what any of them keeps stays. `leftovers_after` is how old (seconds) a leftover must be to go, if
    that is more than the grace.
    """

    rules: tuple[Rule, ...] = ()
    leftovers_after: float = 0.0

    @property
    def judges_trials(self) -> bool:
        """Whether some rule asks for the places of trials in their sweeps."""
        return any(rule.judges_trials for rule in self.rules)

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that rules ask for."""
        return frozenset(rule.metric for rule in self.rules if isinstance(rule, KeepBest))

    def kept(self, series: Series, now: datetime) -> dict[int, tuple[str, ...]]:
        """The places of those that stay, with every rule's reason. Without rules all stay."""
        if not self.rules:
            return dict.fromkeys(range(len(series)), ("no retention policy for it",))
        found: dict[int, tuple[str, ...]] = {}
        for rule in self.rules:
            for place, reason in rule.keep(series, now).items():
                found[place] = (*found.get(place, ()), reason)
        return found


def is_past(newest_ns: int, now_ns: int, *, grace: float, after: float = 0.0) -> bool:
    """Whether a leftover whose newest file has this mtime may go: older than the grace and than `after` (seconds)."""
    return now_ns - newest_ns > max(grace, after) * 1_000_000_000


def _whole(series: Series) -> list[int]:
    return [place for place, point in enumerate(series) if point.restorable]

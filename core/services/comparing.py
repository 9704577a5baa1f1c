"""Runs side by side, what differs first; and two checkpoints side by side, with what a load of one into the other would
miss.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.base.facts import Sourced, Variable
from core.base.records import Checkpoint, Run
from core.services.checkpoints import inspect
from core.services.metrics import (
    BestMetric,
    BestOfSeries,
    Metrics,
    RunMetric,
    best_checkpoints,
    best_metric,
    metrics,
    metrics_of_runs,
)
from core.services.workspace import Workspace

__all__ = [
    "CheckpointComparison",
    "Fact",
    "MetricRow",
    "RunComparison",
    "VariablePair",
    "comparable",
    "compare_checkpoints",
    "compare_runs",
]

MOST_RUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing of all that are compared, as text, None where one has none; `numbers` where they are such."""

    name: str
    texts: tuple[str | None, ...]
    numbers: tuple[float | None, ...]

    @property
    def differs(self) -> bool:
        """Whether not all are equal."""
        return len(set(self.texts)) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """A metric of each run, None where one has none."""

    tag: str
    of_runs: tuple[RunMetric | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Runs in the order in which they were asked for, and for each, in this order: what is known of its metrics, its
    parameters and facts (those that differ first), and the best checkpoint of each of its series by `metric`, the one
    by which all of them are compared (None: nobody knows one that all have).
    """

    runs: tuple[Run, ...]
    metric: BestMetric | None
    details: tuple[Metrics, ...]
    metrics: tuple[MetricRow, ...]
    params: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    best: tuple[tuple[BestOfSeries, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablePair:
    """A variable that two checkpoints hold with another shape or dtype."""

    name: str
    left: Variable
    right: Variable


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointComparison:
    """Two checkpoints: facts (those that differ first), the variables that only one has, those that differ in shape or
    dtype, and how many agree.
    """

    left: Checkpoint
    right: Checkpoint
    facts: tuple[Fact, ...]
    only_left: tuple[Variable, ...]
    only_right: tuple[Variable, ...]
    differing: tuple[VariablePair, ...]
    same: int

    @property
    def fits(self) -> bool:
        """Whether each holds what the other would load."""
        return not (self.only_left or self.only_right or self.differing)


def compare_runs(workspace: Workspace, runs: Sequence[Run], tag: str | None = None) -> RunComparison:
    """Some runs side by side, at most MOST_RUNS. `tag`: by which metric; without one, that of the first run whose
    metric is known.
    """
    runs = tuple(runs[:MOST_RUNS])
    details = tuple(metrics(workspace, run.root, run.path) for run in runs)
    metric = _common_metric(workspace, runs, details, tag)
    tags = dict.fromkeys(one.tag for detail in details for one in detail.metrics)
    best = [() if metric is None else best_checkpoints(workspace, run.root, run.path, metric) for run in runs]
    return RunComparison(
        runs=runs,
        metric=metric,
        details=details,
        metrics=tuple(MetricRow(tag=one, of_runs=tuple(detail.metric(one) for detail in details)) for one in tags),
        params=_params(details),
        facts=_facts(_RUN_FACTS, runs),
        best=tuple(best),
    )


def comparable(workspace: Workspace, runs: Sequence[Run]) -> tuple[tuple[str, ...], BestMetric | None]:
    """By what some runs can be compared: their metrics, those of most runs first, and the one that is taken without a
    choice.
    """
    details = metrics_of_runs(workspace, runs[:MOST_RUNS])
    counts = Counter(one.tag for detail in details for one in detail.metrics)
    return tuple(sorted(counts, key=lambda tag: -counts[tag])), _common_metric(workspace, runs, details, None)


def compare_checkpoints(workspace: Workspace, left: Checkpoint, right: Checkpoint) -> CheckpointComparison:
    """Two checkpoints side by side, read now. FileNotFoundError where one went away."""
    (_, here), (_, there) = inspect(workspace, left), inspect(workspace, right)
    ours, theirs = {one.name: one for one in here}, {one.name: one for one in there}
    both = [name for name in ours if name in theirs]
    differing = [name for name in both if _kind(ours[name]) != _kind(theirs[name])]
    return CheckpointComparison(
        left=left,
        right=right,
        facts=_facts(_CHECKPOINT_FACTS, (left, right)),
        only_left=tuple(one for name, one in ours.items() if name not in theirs),
        only_right=tuple(one for name, one in theirs.items() if name not in ours),
        differing=tuple(VariablePair(name=name, left=ours[name], right=theirs[name]) for name in differing),
        same=len(both) - len(differing),
    )


def _kind(variable: Variable) -> tuple[object, ...]:
    return variable.shape, variable.dtype


def _common_metric(
    workspace: Workspace, runs: Sequence[Run], details: Sequence[Metrics], tag: str | None
) -> BestMetric | None:
    """The metric by which runs are compared: one that most of them have."""
    if tag is not None:
        return next((found for run in runs if (found := best_metric(workspace, run.root, run.path, [tag], tag))), None)
    known = [detail.best for detail in details if detail.best is not None]
    counts = Counter(one.tag for detail in details for one in detail.metrics)
    return max(known, key=lambda one: counts[one.tag], default=None)


def _params(details: Sequence[Metrics]) -> tuple[Fact, ...]:
    by_name = [{one.name: one for one in detail.params} for detail in details]
    rows = []
    for name in sorted({name for params in by_name for name in params}):
        found = [params.get(name) for params in by_name]
        texts = tuple(None if one is None else one.text for one in found)
        rows.append(Fact(name=name, texts=texts, numbers=tuple(None if one is None else one.number for one in found)))
    return _differences_first(rows)


def _differences_first(rows: Sequence[Fact]) -> tuple[Fact, ...]:
    return tuple(sorted(rows, key=lambda row: not row.differs))


def _facts(table: Sequence[tuple[str, Callable[..., object]]], items: Sequence[object]) -> tuple[Fact, ...]:
    rows = []
    for name, of in table:
        values = [of(item) for item in items]
        rows.append(
            Fact(
                name=name,
                texts=tuple(None if value is None else str(value) for value in values),
                numbers=tuple(float(value) if type(value) in (int, float) else None for value in values),  # type: ignore[arg-type]
            )
        )
    return _differences_first(rows)


def _number(found: Sourced | None) -> int | None:
    return None if found is None else found.value


_RUN_FACTS: tuple[tuple[str, Callable[[Run], object]], ...] = (
    ("status", lambda run: run.status),
    ("checkpoints", lambda run: run.checkpoints),
    ("restorable", lambda run: run.restorable),
    ("series", lambda run: run.series),
    ("newest step", lambda run: run.newest_step),
    ("last saved", lambda run: run.last_saved and run.last_saved.isoformat()),
    ("bytes", lambda run: run.bytes),
    ("errors", lambda run: run.errors),
    ("warnings", lambda run: run.warnings),
)
_CHECKPOINT_FACTS: tuple[tuple[str, Callable[[Checkpoint], object]], ...] = (
    ("format", lambda item: item.format.value),
    ("contents", lambda item: item.facts.contents.value),
    ("optimizer", lambda item: item.facts.has_optimizer),
    ("step", lambda item: _number(item.facts.step)),
    ("epoch", lambda item: _number(item.facts.epoch)),
    ("saved at", lambda item: item.saved_at.isoformat()),
    ("variables", lambda item: item.facts.variables),
    ("parameters", lambda item: item.facts.parameters),
    ("bytes", lambda item: item.bytes),
    ("restorable", lambda item: item.restorable),
    ("health", lambda item: item.health.value),
    ("written by", lambda item: item.facts.writer),
)

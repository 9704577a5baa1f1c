"""What a run achieved: its metrics in short and as curves, its parameters, their values at checkpoints, and the best.

A metric is named as the job called it; where files of one run bear the same tag, what their folders tell comes before
it (`core.metrics.metric_names`). Steps, epochs and wall times (seconds since 1970) are those that were logged.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.base.direction import Direction
from core.base.errors import PlaceError
from core.base.records import Checkpoint, Run
from core.catalog.best_metrics import said_metrics
from core.catalog.metric_files import count_due
from core.catalog.metric_queries import run_problems
from core.catalog.rows import run_id
from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam, load_levels, load_metrics, load_params
from core.metrics.at_checkpoint import ValueAt, Way, shortest, value_at
from core.metrics.best import BestMetric, ToldBy, best_of
from core.metrics.curves import Branch, Curve
from core.metrics.direction import guess, main_metric
from core.metrics.records import MetricProblem, XKind
from core.metrics.registry import source_named
from core.metrics.saved_at import SavedAt
from core.resume.recorded_logs import recorded_logs
from core.runs.series import in_series
from core.runs.series_order import times_are_useful
from core.services.curves import curve, curves, curves_of_runs
from core.services.workspace import Workspace

__all__ = [
    "AtCheckpoints",
    "BestMetric",
    "BestOfSeries",
    "Branch",
    "Curve",
    "Direction",
    "MetricPoint",
    "MetricProblem",
    "Metrics",
    "RunMetric",
    "RunParam",
    "ToldBy",
    "ValueAt",
    "Way",
    "XKind",
    "at_checkpoints",
    "best_checkpoints",
    "best_metric",
    "curve",
    "curves",
    "curves_of_runs",
    "metrics",
    "metrics_of_runs",
    "shortest",
    "source_label",
    "values_at_checkpoints",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A run's metrics and parameters, each by name; the metric that tells the best (None: nobody knows); the levels of
    its path (project, user …); what of its logs could not be read; `is_waiting`: not all of them were read yet.
    """

    metrics: tuple[RunMetric, ...] = ()
    params: tuple[RunParam, ...] = ()
    best: BestMetric | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[MetricProblem, ...] = ()
    is_waiting: bool = False

    def metric(self, tag: str) -> RunMetric | None:
        """One of them."""
        return next((one for one in self.metrics if one.tag == tag), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfSeries:
    """The best restorable checkpoint of a series by a metric; `values` are those of all its checkpoints by path."""

    series: str
    metric: BestMetric
    checkpoint: Checkpoint
    value: ValueAt
    values: Mapping[str, ValueAt]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtCheckpoints:
    """The metric that tells the best of a run, its values at the run's checkpoints by path, and the best of each
    series, where one is restorable and its value is known.
    """

    metric: BestMetric
    values: Mapping[str, ValueAt]
    best: tuple[BestOfSeries, ...]


def metrics(workspace: Workspace, root_id: str, run: str) -> Metrics:
    """What is known of a run's metrics and parameters."""
    (found,) = _of_runs(workspace, [run_id(root_id, run)])
    problems = run_problems(workspace.engine, root_id, run)
    return replace(found, problems=problems, is_waiting=count_due(workspace.engine, [root_id], run) > 0)


def metrics_of_runs(workspace: Workspace, runs: Sequence[Run]) -> list[Metrics]:
    """The same of several runs, in their order, without problems and what is waiting: for lists."""
    return _of_runs(workspace, [run_id(run.root, run.path) for run in runs])


def _of_runs(workspace: Workspace, ids: Sequence[int]) -> list[Metrics]:
    with workspace.engine.connect() as connection:
        found, params, levels = (
            load_metrics(connection, ids),
            load_params(connection, ids),
            load_levels(connection, ids),
        )
        said = said_metrics(connection, ids, workspace.projects)
    return [
        Metrics(
            metrics=found.get(number, ()),
            params=params.get(number, ()),
            best=said.get(number) or _guessed([one.tag for one in found.get(number, ())]),
            levels=levels.get(number, {}),
        )
        for number in ids
    ]


def _guessed(tags: Collection[str]) -> BestMetric | None:
    tag = main_metric(tags)
    mode = None if tag is None else guess(tag)
    return None if tag is None or mode is None else BestMetric(tag=tag, mode=mode, told_by=ToldBy.GUESS)


def best_metric(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str], wanted: str | None = None
) -> BestMetric | None:
    """The metric by which the best of a run with these metrics is told: the one that is `wanted`, as somebody said for
    the run, as the settings say for its project, or guessed. None where nobody knows.
    """
    number = run_id(root_id, run)
    with workspace.engine.connect() as connection:
        said = said_metrics(connection, [number], workspace.projects).get(number)
    if said is not None and wanted in (None, said.tag):
        return said
    return _guessed(tags if wanted is None else [wanted])


def values_at_checkpoints(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str] | None = None
) -> dict[str, dict[str, ValueAt]]:
    """The values of some metrics of a run, of all without `tags`, at each of its checkpoints: by path and name."""
    return _values_at(workspace, root_id, run, workspace.members(root_id, run), tags)


def _values_at(
    workspace: Workspace, root_id: str, run: str, members: Sequence[Checkpoint], tags: Collection[str] | None
) -> dict[str, dict[str, ValueAt]]:
    found = curves(workspace, root_id, run, tags, full=tags is not None)
    named = {item.metric[0] for item in members if item.metric is not None}
    wanted = [*found, *sorted(named - found.keys())] if tags is None else list(tags)
    recorded: dict[str, Mapping[str, float]] = {}
    with contextlib.suppress(PlaceError, OSError):
        recorded = recorded_logs(workspace.run_folder(root_id, run), members)
    if tags is None:
        wanted += sorted({name for logs in recorded.values() for name in logs}.difference(wanted))
    values: dict[str, dict[str, ValueAt]] = {}
    for series in in_series(members):
        for item, saved in zip(series, _saved(series, recorded), strict=True):
            told = {tag: value_at(tag, saved, found.get(tag)) for tag in wanted}
            values[item.path] = {tag: value for tag, value in told.items() if value is not None}
    return values


def best_checkpoints(
    workspace: Workspace, root_id: str, run: str, metric: BestMetric | None = None
) -> tuple[BestOfSeries, ...]:
    """The best restorable checkpoint of each series of a run by a metric (without one: `best_metric`). A series of
    which no value is known is left out; of equal values the newest counts.
    """
    found = at_checkpoints(workspace, root_id, run, metric)
    return () if found is None else found.best


def at_checkpoints(
    workspace: Workspace, root_id: str, run: str, metric: BestMetric | None = None
) -> AtCheckpoints | None:
    """The values of a metric (without one: of `best_metric`) at a run's checkpoints, and the best of each series. None
    where nobody knows which metric tells it.
    """
    members = workspace.members(root_id, run)
    if metric is None:
        named = {item.metric[0] for item in members if item.metric is not None}
        (known,) = _of_runs(workspace, [run_id(root_id, run)])
        is_said = known.best is not None and not known.best.is_guess
        metric = known.best if is_said else _guessed([*(one.tag for one in known.metrics), *named])
    if metric is None:
        return None
    told = _values_at(workspace, root_id, run, members, [metric.tag])
    values = {path: found[metric.tag] for path, found in told.items() if metric.tag in found}
    best = []
    for series in in_series(members):
        here = {item.path: values[item.path] for item in series if item.path in values}
        path = best_of(here, metric.mode, [item.path for item in series if item.restorable])
        if path is not None:
            chosen = next(item for item in series if item.path == path)
            best.append(
                BestOfSeries(series=chosen.series, metric=metric, checkpoint=chosen, value=here[path], values=here)
            )
    return AtCheckpoints(metric=metric, values=values, best=tuple(best))


def source_label(name: str) -> str:
    """What a source is called for people; its name where it is none of today's."""
    try:
        return source_named(name).label
    except KeyError:
        return name


def _saved(series: Sequence[Checkpoint], recorded: Mapping[str, Mapping[str, float]]) -> list[SavedAt]:
    attempts, has_times = max(item.attempt for item in series), times_are_useful(series)
    return [
        SavedAt.of(item, attempts=attempts, has_times=has_times, recorded=recorded.get(item.path, {}))
        for item in series
    ]

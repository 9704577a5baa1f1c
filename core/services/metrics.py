"""What a run achieved: its metrics in short and as curves, its parameters, their values at checkpoints, and the best.

A metric is named as the job called it; where files of one run bear the same tag, what their folders tell comes before
it (`core.metrics.metric_names`). Steps, epochs and wall times (seconds since 1970) are those that were logged.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.base.direction import Direction
from core.base.records import Checkpoint
from core.catalog.metric_queries import best_said, folders_of
from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam
from core.metrics.at_checkpoint import SavedAt, ValueAt, Way, value_at
from core.metrics.best import BestMetric, ToldBy, best_of
from core.metrics.curves import Branch, Curve
from core.metrics.direction import guess, main_metric
from core.metrics.of_run import Parameter, RunLogs, SourceFile, read_run
from core.metrics.records import MetricProblem, Point, XKind
from core.metrics.registry import source_named, source_of
from core.metrics.spec import Names
from core.runs.series import in_series
from core.runs.series_order import times_are_useful
from core.services.workspace import Workspace
from core.stores.local import LocalStore
from core.stores.store import Store
from waypoint_resume.names import join

__all__ = [
    "BestMetric",
    "BestOfSeries",
    "Branch",
    "Curve",
    "Direction",
    "MetricPoint",
    "MetricProblem",
    "Metrics",
    "Parameter",
    "RunMetric",
    "RunParam",
    "ToldBy",
    "ValueAt",
    "Way",
    "XKind",
    "best_checkpoints",
    "best_metric",
    "curve",
    "curves",
    "metrics",
    "source_label",
    "values_at_checkpoints",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A run's metrics and parameters, each by name; the metric that tells the best (None: nobody knows); what of its
    logs could not be read; `is_waiting`: the catalog has not read all of them yet.
    """

    metrics: tuple[RunMetric, ...] = ()
    params: tuple[RunParam, ...] = ()
    best: BestMetric | None = None
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


def metrics(workspace: Workspace, root_id: str, run: str) -> Metrics:
    """What is known of a run's metrics and parameters."""
    logs = _logs(workspace, root_id, run)
    found = tuple(_in_short(one) for one in logs.curves().values())
    params = tuple(_param(one) for _, one in sorted(logs.parameters.items()))
    best = best_metric(workspace, root_id, run, [one.tag for one in found])
    return Metrics(metrics=found, params=params, best=best, problems=tuple(logs.problems))


def curve(workspace: Workspace, root_id: str, run: str, tag: str, *, full: bool = False) -> Curve | None:
    """The points of a metric of a run, at most some hundred; `full`: all of them, from the files. None where the run
    has no such metric.
    """
    return curves(workspace, root_id, run, [tag], full=full).get(tag)


def curves(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str] | None = None, *, full: bool = False
) -> dict[str, Curve]:
    """The curves of some metrics of a run, of all without `tags`, by name; see `curve`."""
    del full
    found = _logs(workspace, root_id, run).curves()
    return {tag: one for tag, one in found.items() if tags is None or tag in tags}


def best_metric(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str], wanted: str | None = None
) -> BestMetric | None:
    """The metric by which the best of a run with these metrics is told: the one that is `wanted`, as somebody said for
    the run, as the settings say for its project, or guessed. None where nobody knows.
    """
    said = best_said(workspace.engine, root_id, run)
    if wanted is not None:
        said, tags = said if said is not None and said[0] == wanted else None, [wanted]
    if said is not None and (mode := said[1] or guess(said[0])) is not None:
        return BestMetric(tag=said[0], mode=mode, told_by=ToldBy.RUN)
    tag = main_metric(tags)
    mode = None if tag is None else guess(tag)
    return None if tag is None or mode is None else BestMetric(tag=tag, mode=mode, told_by=ToldBy.GUESS)


def values_at_checkpoints(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str] | None = None
) -> dict[str, dict[str, ValueAt]]:
    """The values of some metrics of a run, of all without `tags`, at each of its checkpoints: by path and name."""
    found = _logs(workspace, root_id, run).curves()
    members = workspace.members(root_id, run)
    named = {item.metric[0] for item in members if item.metric is not None}
    wanted = [*found, *sorted(named - found.keys())] if tags is None else list(tags)
    values: dict[str, dict[str, ValueAt]] = {}
    for series in in_series(members):
        for item, saved in zip(series, _saved(series), strict=True):
            told = {tag: value_at(tag, saved, found.get(tag)) for tag in wanted}
            values[item.path] = {tag: value for tag, value in told.items() if value is not None}
    return values


def best_checkpoints(
    workspace: Workspace, root_id: str, run: str, metric: BestMetric | None = None
) -> tuple[BestOfSeries, ...]:
    """The best restorable checkpoint of each series of a run by a metric (without one: `best_metric`). A series of
    which no value is known is left out; of equal values the newest counts.
    """
    if metric is None:
        members = workspace.members(root_id, run)
        named = {item.metric[0] for item in members if item.metric is not None}
        metric = best_metric(workspace, root_id, run, [*_logs(workspace, root_id, run).tracks, *named])
    if metric is None:
        return ()
    values = values_at_checkpoints(workspace, root_id, run, [metric.tag])
    found = []
    for series in in_series(workspace.members(root_id, run)):
        here = {item.path: values[item.path][metric.tag] for item in series if metric.tag in values[item.path]}
        best = best_of(here, metric.mode, [item.path for item in series if item.restorable])
        if best is not None:
            chosen = next(item for item in series if item.path == best)
            found.append(
                BestOfSeries(series=chosen.series, metric=metric, checkpoint=chosen, value=here[best], values=here)
            )
    return tuple(found)


def source_label(name: str) -> str:
    """What a source is called for people; its name where it is none of today's."""
    try:
        return source_named(name).label
    except KeyError:
        return name


def _saved(series: Sequence[Checkpoint]) -> list[SavedAt]:
    attempts, has_times = max(item.attempt for item in series), times_are_useful(series)
    return [SavedAt.of(item, attempts=attempts, has_times=has_times, recorded={}) for item in series]


def _logs(workspace: Workspace, root_id: str, run: str) -> RunLogs:
    store = LocalStore(workspace.root(root_id).path)
    return read_run(store, run, _files(store, folders_of(workspace.engine, root_id, run)))


def _files(store: Store, folders: Sequence[str]) -> list[SourceFile]:
    names: dict[str, Collection[str]] = {}
    for folder in folders:
        names[folder] = _names_in(store, folder)

    def names_in(folder: str) -> Collection[str]:
        if folder not in names:
            names[folder] = _names_in(store, folder)
        return names[folder]

    return [found for folder in folders for found in _recognised(folder, names[folder], names_in)]


def _recognised(folder: str, names: Collection[str], names_in: Names) -> list[SourceFile]:
    paths = [join(folder, name) for name in sorted(names)]
    sources = [(path, source_of(path, names_in)) for path in paths]
    return [SourceFile(path, source.name) for path, source in sources if source is not None]


def _names_in(store: Store, folder: str) -> Collection[str]:
    try:
        return {file.name for file in store.members(folder).files}
    except OSError:
        return ()


def _in_short(found: Curve) -> RunMetric:
    points = found.points()
    finite = [point for point in points if math.isfinite(point.value)]
    mode = guess(found.tag)
    lowest = min(finite, key=lambda point: point.value, default=None)
    highest = max(finite, key=lambda point: point.value, default=None)
    return RunMetric(
        tag=found.tag,
        x_kind=found.x_kind.value,
        source=found.source,
        count=found.count,
        first=_point(points[0]),
        last=_point(points[-1]),
        min=_point(lowest),
        max=_point(highest),
        mode=None if mode is None else mode.value,
    )


def _point(point: Point | None) -> MetricPoint:
    if point is None:
        return MetricPoint(None)
    return MetricPoint(
        point.value if math.isfinite(point.value) else None,
        point.x if math.isfinite(point.x) else None,
        point.wall_time if math.isfinite(point.wall_time) else None,
    )


def _param(found: Parameter) -> RunParam:
    value = found.value
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return RunParam(found.name, "" if value is None else str(value), number, found.source)

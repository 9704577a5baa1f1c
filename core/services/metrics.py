"""What a run achieved: its metrics in short and as curves, its parameters, their values at checkpoints, and the best.

A metric is named as the job called it; where files of one run bear the same tag, what their folders tell comes before
it (`core.metrics.metric_names`). Steps, epochs and wall times (seconds since 1970) are those that were logged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.base.direction import Direction
from core.base.records import Checkpoint, Run
from core.catalog.best_metrics import said_metrics
from core.catalog.metric_files import count_due
from core.catalog.metric_queries import run_problems, source_files
from core.catalog.metric_series import load_tracks
from core.catalog.rows import run_id
from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam, load_levels, load_metrics, load_params
from core.metrics.at_checkpoint import SavedAt, ValueAt, Way, shortest, value_at
from core.metrics.best import BestMetric, ToldBy, best_of
from core.metrics.curves import Branch, Curve, curve_of
from core.metrics.direction import guess, main_metric
from core.metrics.of_run import read_run
from core.metrics.records import MetricProblem, XKind
from core.metrics.registry import PREFERENCE, source_named
from core.runs.series import in_series
from core.runs.series_order import times_are_useful
from core.services.workspace import Workspace
from core.stores.local import LocalStore

__all__ = [
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


def curve(workspace: Workspace, root_id: str, run: str, tag: str, *, full: bool = False) -> Curve | None:
    """The points of a metric of a run, at most some hundred; `full`: all of them, from the files. None where the run
    has no such metric.
    """
    return curves(workspace, root_id, run, [tag], full=full).get(tag)


def curves(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str] | None = None, *, full: bool = False
) -> dict[str, Curve]:
    """The curves of some metrics of a run, of all without `tags`, by name; see `curve`."""
    return curves_of_runs(workspace, [(root_id, run)], tags, full=full)[root_id, run]


def curves_of_runs(
    workspace: Workspace, runs: Sequence[tuple[str, str]], tags: Collection[str] | None = None, *, full: bool = False
) -> dict[tuple[str, str], dict[str, Curve]]:
    """The curves of several runs, given by root and path; see `curves`."""
    names = None if tags is None else list(tags)
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for root_id in dict.fromkeys(root for root, _ in runs):
        here = [run for root, run in runs if root == root_id]
        for run, tracks in load_tracks(workspace.engine, root_id, here, names).items():
            told = {tag: curve_of(tag, parts, PREFERENCE) for tag, parts in tracks.items()}
            found[root_id, run] = {tag: one for tag, one in told.items() if one is not None}
            if full:
                found[root_id, run] |= _in_full(workspace, root_id, run, found[root_id, run])
    return found


def _in_full(workspace: Workspace, root_id: str, run: str, known: Mapping[str, Curve]) -> dict[str, Curve]:
    """All points of those curves of which the catalog keeps a part."""
    thinned = [one for one in known.values() if one.is_thinned]
    if not thinned:
        return {}
    wanted = {path for one in thinned for path in one.files}
    files = [file for file in source_files(workspace.engine, root_id, run) if file.path in wanted]
    logs = read_run(LocalStore(workspace.root(root_id).path), run, files)
    return {one.tag: whole for one in thinned if (whole := logs.curve(one.tag)) is not None}


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
    found = curves(workspace, root_id, run, tags, full=tags is not None)
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
        known = [one.tag for one in metrics(workspace, root_id, run).metrics]
        metric = best_metric(workspace, root_id, run, [*known, *named])
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

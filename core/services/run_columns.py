"""What a list of runs shows beside what they are: chosen metrics and parameters, small curves; and groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from core.base.records import Run
from core.catalog import run_columns as catalog
from core.catalog.filters import RunFilter
from core.catalog.rows import run_id
from core.catalog.run_columns import PARAM, ColumnChoice, RunGroup
from core.catalog.run_metrics import RunMetric, RunParam, load_metrics, load_params
from core.catalog.run_order import ValueSort, value_sorts
from core.metrics.curves import Curve
from core.metrics.direction import main_metric
from core.search.meaning import Which
from core.services.curves import curves_of_runs
from core.services.workspace import Workspace

__all__ = [
    "BEST",
    "LAST",
    "PARAM",
    "Choices",
    "ColumnChoice",
    "RunCells",
    "RunGroup",
    "cells",
    "choices",
    "groups",
    "order_of",
]

BEST, LAST = "best:", "last:"

_SPARK_POINTS = 40
_FEW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What columns can be chosen: metrics and parameters, the most frequent first, and the levels of paths. `at_first`:
    the names that are shown until somebody chooses.
    """

    metrics: tuple[ColumnChoice, ...]
    params: tuple[ColumnChoice, ...]
    levels: tuple[str, ...]
    main: str | None

    @property
    def at_first(self) -> tuple[str, ...]:
        """The metric that tells the best, and the parameters that most runs have with values of their own."""
        varied = [one.name for one in self.params if one.values > 1 and 2 * one.runs >= self.params[0].runs]
        return (*((self.main,) if self.main else ()), *varied[:_FEW])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCells:
    """The values of chosen columns of one run; `curves` are the last attempt's values of a metric, few of them."""

    metrics: Mapping[str, RunMetric]
    params: Mapping[str, RunParam]
    curves: Mapping[str, tuple[float, ...]]


def choices(workspace: Workspace) -> Choices:
    """What columns can be chosen for the runs of all roots."""
    roots = _roots(workspace)
    metrics = catalog.metric_choices(workspace.engine, roots)
    most = metrics[0].runs if metrics else 0
    return Choices(
        metrics=metrics,
        params=catalog.param_choices(workspace.engine, roots),
        levels=catalog.level_names(workspace.engine, roots),
        main=main_metric([one.name for one in metrics if 4 * one.runs >= most]),
    )


def cells(workspace: Workspace, runs: Sequence[Run], names: Collection[str]) -> dict[tuple[str, str], RunCells]:
    """The values of chosen metrics and parameters of some runs, by root and path."""
    if not names:
        return {}
    ids = {run_id(run.root, run.path): run for run in runs}
    with workspace.engine.connect() as connection:
        metrics = load_metrics(connection, list(ids))
        params = load_params(connection, list(ids))
    curves = curves_of_runs(workspace, [(run.root, run.path) for run in runs], names)
    return {
        (run.root, run.path): RunCells(
            metrics={one.tag: one for one in metrics.get(number, ()) if one.tag in names},
            params={one.name: one for one in params.get(number, ()) if one.name in names},
            curves={tag: _small(curve) for tag, curve in curves[run.root, run.path].items()},
        )
        for number, run in ids.items()
    }


def order_of(workspace: Workspace, sort: str) -> str | ValueSort:
    """What a list of runs is sorted by: `best:TAG` and `last:TAG` for a metric's value, `param:NAME`; others as they
    are.
    """
    for kind, which in ((BEST, Which.BEST), (LAST, Which.LAST)):
        if sort.startswith(kind):
            return workspace.reader.value_sort(sort.removeprefix(kind), which) or sort
    if sort.startswith(PARAM):
        _, number, text, _ = value_sorts(sort.removeprefix(PARAM), Which.LAST)
        known = {one.name: one for one in catalog.param_choices(workspace.engine, _roots(workspace))}
        choice = known.get(number.name)
        return number if choice is not None and choice.numbers else text
    return sort


def groups(
    workspace: Workspace, where: RunFilter, now: datetime, *, by: str, metric: str | None = None
) -> tuple[RunGroup, ...]:
    """The runs that fit a filter, by a level of their paths or a parameter (`param:NAME`)."""
    return catalog.groups(workspace.engine, _roots(workspace), where, now, by=by, metric=metric)


def _roots(workspace: Workspace) -> list[str]:
    return [root.id for root in workspace.reader.roots()]


def _small(curve: Curve) -> tuple[float, ...]:
    """Few of the values of a curve's last attempt."""
    values = curve.branches[-1].values
    few = values[np.isfinite(values)][:: max(1, len(values) // _SPARK_POINTS)]
    return tuple(few.tolist())

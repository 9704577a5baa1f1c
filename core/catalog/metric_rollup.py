"""A run's rows of metrics and parameters, as they follow from what its files tell."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, select, update

from core.catalog.best_metrics import set_modes
from core.catalog.chunks import chunks
from core.catalog.metric_series import told_points
from core.catalog.rows import run_id
from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam, replace_metrics, replace_params
from core.catalog.run_tables import metric_files, metric_series
from core.metrics.curves import standing
from core.metrics.direction import guess
from core.metrics.kept_bytes import from_bytes, to_bytes
from core.metrics.parameters import parameter_text
from core.metrics.project_metrics import ProjectMetrics
from core.metrics.records import Point, XKind
from core.metrics.registry import PREFERENCE
from core.metrics.summary import MOST_KEPT, thinned_together


def derive_runs(connection: Connection, root: str, runs: Iterable[str], projects: ProjectMetrics) -> None:
    """Make some runs' rows of metrics and parameters anew from what their files tell."""
    ids = [run_id(root, run) for run in runs]
    files: dict[int, list[RowMapping]] = {number: [] for number in ids}
    named: dict[int, dict[str, list[_FileTold]]] = {number: {} for number in ids}
    columns = [metric_files.c[one] for one in ("run_id", "path", "source", "params")]
    wanted = ("run_id", "path", "tag", "x_kind", "name", "count", "summary", "kept_count")
    series = [metric_series.c[one] for one in wanted]
    for part in chunks(ids):
        for file in connection.execute(select(*columns).where(metric_files.c.run_id.in_(part))).mappings():
            files[file["run_id"]].append(file)
        sources = {(number, file["path"]): file["source"] for number in part for file in files[number]}
        for number, path, tag, kind, name, count, summary, kept in connection.execute(
            select(*series).where(metric_series.c.run_id.in_(part))
        ):
            if (source := sources.get((number, path))) is not None:
                told = _FileTold(path, source, tag, XKind(kind), count, summary, kept)
                named[number].setdefault(name, []).append(told)
    for number, metrics in named.items():
        for name, parts in metrics.items():
            if len(parts) > 1 and sum(one.kept for one in parts) > MOST_KEPT:
                _thin(connection, number, name)
    replace_params(connection, {number: _params(found) for number, found in files.items()})
    replace_metrics(
        connection,
        {number: [_in_short(name, parts) for name, parts in metrics.items()] for number, metrics in named.items()},
    )
    set_modes(connection, ids, projects)


class _FileTold(NamedTuple):
    """One file's row of a metric."""

    path: str
    source: str
    tag: str
    x_kind: XKind
    points: int
    summary: str
    kept: int

    @property
    def begins(self) -> tuple[float, str]:
        """By which the files of a metric are ordered."""
        first = told_points(self.summary)[0][0]
        wall = float("inf") if first is None or first.wall_time != first.wall_time else first.wall_time
        return wall, self.path


def _params(files: Iterable[RowMapping]) -> list[RunParam]:
    """The parameters of all files; of a name that several tell the one of the source that comes first in the table."""
    order = {name: place for place, name in enumerate(PREFERENCE)}
    found: dict[str, RunParam] = {}
    for file in sorted(files, key=lambda file: (order.get(file["source"], len(order)), file["path"])):
        for name, value in (json.loads(file["params"]) if file["params"] else {}).items():
            number = float(value) if type(value) in (int, float) else None
            found.setdefault(name, RunParam(name, parameter_text(value), number, file["source"]))
    return list(found.values())


def _in_short(name: str, told: Sequence[_FileTold]) -> RunMetric:
    groups: dict[tuple[str, XKind], list[_FileTold]] = {}
    for one in told:
        groups.setdefault((one.source, one.x_kind), []).append(one)
    weights = {
        key: (sum(one.points for one in found), all(one.begins[0] < float("inf") for one in found))
        for key, found in groups.items()
    }
    source, kind = standing(weights, PREFERENCE)
    chosen = sorted(groups[source, kind], key=lambda one: one.begins)
    points = [told_points(one.summary)[0] for one in chosen]
    lows = [one[2] for one in points if one[2] is not None]
    highs = [one[3] for one in points if one[3] is not None]
    mode = guess(name)
    return RunMetric(
        tag=name,
        x_kind=kind.value,
        source=source,
        count=sum(one.points for one in chosen),
        first=_point(points[0][0]),
        last=_point(points[-1][1]),
        min=_point(min(lows, key=lambda one: one.value, default=None)),
        max=_point(max(highs, key=lambda one: one.value, default=None)),
        mode=None if mode is None else mode.value,
    )


def _point(point: Point | None) -> MetricPoint:
    return MetricPoint(None) if point is None else MetricPoint(point.value, point.x, point.wall_time)


def _thin(connection: Connection, number: int, name: str) -> None:
    """Let all files of a metric together keep as many points as one of them may."""
    here = (metric_series.c.run_id == number) & (metric_series.c.name == name)
    rows = connection.execute(select(metric_series).where(here)).mappings().all()
    for row, kept in zip(rows, thinned_together([from_bytes(row["kept"]) for row in rows]), strict=True):
        if len(kept) < row["kept_count"]:
            own = here & (metric_series.c.path == row["path"]) & (metric_series.c.tag == row["tag"])
            own &= metric_series.c.x_kind == row["x_kind"]
            values = {"kept": to_bytes(kept), "kept_count": len(kept)}
            connection.execute(update(metric_series).where(own).values(**values))

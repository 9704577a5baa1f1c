"""Writing and reading what runs achieved, and with which parameters: what is searched, sorted and listed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Table, delete, insert, select

from core.base.names import printable
from core.catalog.chunks import chunks
from core.catalog.rows import bounded, run_id
from core.catalog.run_tables import run_levels, run_metrics, run_params
from core.search.folding import fold


class MetricPoint(NamedTuple):
    """A value, where it stands (step, epoch or time, as the metric's `x_kind` says), and when it was written (seconds
    since the epoch). None for what is unknown, and for what is no finite number.
    """

    value: float | None
    step: float | None = None
    wall: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetric:
    """One tag of a run in short; `mode` tells which values are better: min, max, or None where that is unknown."""

    tag: str
    x_kind: str
    source: str
    count: int
    first: MetricPoint
    last: MetricPoint
    min: MetricPoint
    max: MetricPoint
    mode: str | None = None

    @property
    def best(self) -> MetricPoint | None:
        """The best point; None where nobody knows which is better."""
        return {"min": self.min, "max": self.max}.get(self.mode or "")


class RunParam(NamedTuple):
    """One parameter of a run: `text` as it is written, `number` where it is one."""

    name: str
    text: str
    number: float | None
    source: str


_POINTS = ("first", "last", "min", "max")


def store_metrics(connection: Connection, root: str, run: str, metrics: Iterable[RunMetric]) -> None:
    """Replace all metrics of a run; of a tag that comes twice the first counts."""
    replace_metrics(connection, {run_id(root, run): metrics})


def store_params(connection: Connection, root: str, run: str, params: Iterable[RunParam]) -> None:
    """Replace all parameters of a run; of a name that comes twice the first counts."""
    replace_params(connection, {run_id(root, run): params})


def replace_metrics(connection: Connection, found: Mapping[int, Iterable[RunMetric]]) -> None:
    """The same for some runs, given by `run_id`."""
    _replace(
        connection, run_metrics, {run: [_metric_to_row(run, one) for one in items] for run, items in found.items()}
    )


def replace_params(connection: Connection, found: Mapping[int, Iterable[RunParam]]) -> None:
    """The same for some runs, given by `run_id`."""
    rows = {run: [_param_to_row(run, one) for one in items] for run, items in found.items()}
    _replace(connection, run_params, rows)


def load_metrics(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[RunMetric, ...]]:
    """The metrics of some runs, given by `run_id`, by tag."""
    found: dict[int, tuple[RunMetric, ...]] = {}
    for part in chunks(ids):
        query = select(run_metrics).where(run_metrics.c.run_id.in_(part)).order_by(run_metrics.c.tag)
        for row in connection.execute(query).mappings():
            found[row["run_id"]] = (*found.get(row["run_id"], ()), _metric_from_row(row))
    return found


def load_params(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[RunParam, ...]]:
    """The parameters of some runs, given by `run_id`, by name."""
    found: dict[int, tuple[RunParam, ...]] = {}
    for part in chunks(ids):
        query = select(run_params).where(run_params.c.run_id.in_(part)).order_by(run_params.c.name)
        for row in connection.execute(query).mappings():
            one = RunParam(row["name"], row["text"], row["number"], row["source"])
            found[row["run_id"]] = (*found.get(row["run_id"], ()), one)
    return found


def load_levels(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """The levels of the paths of some runs, given by `run_id`: value by name."""
    found: dict[int, dict[str, str]] = {}
    for part in chunks(ids):
        query = select(run_levels.c.run_id, run_levels.c.name, run_levels.c.value)
        for number, name, value in connection.execute(query.where(run_levels.c.run_id.in_(part))):
            found.setdefault(number, {})[name] = value
    return found


def _replace(connection: Connection, table: Table, rows: Mapping[int, Iterable[dict[str, object]]]) -> None:
    key = list(table.primary_key.columns)[1].name
    firsts: dict[tuple[int, object], dict[str, object]] = {}
    for run, items in rows.items():
        for row in items:
            firsts.setdefault((run, row[key]), row)
    for part in chunks(list(rows)):
        connection.execute(delete(table).where(table.c.run_id.in_(part)))
    if firsts:
        connection.execute(insert(table), list(firsts.values()))


def _metric_to_row(run: int, item: RunMetric) -> dict[str, object]:
    row: dict[str, object] = {
        "run_id": run,
        "tag": printable(item.tag),
        "x_kind": item.x_kind,
        "source": printable(item.source),
        "mode": item.mode,
        "count": bounded(item.count),
        "best": None if item.best is None else _finite(item.best.value),
    }
    for name in _POINTS:
        value, step, wall = getattr(item, name)
        row |= {name: _finite(value), f"{name}_step": _finite(step), f"{name}_wall": _finite(wall)}
    return row


def _metric_from_row(row: RowMapping) -> RunMetric:
    points: dict[str, Any] = {
        name: MetricPoint(row[name], row[f"{name}_step"], row[f"{name}_wall"]) for name in _POINTS
    }
    told = {name: row[name] for name in ("tag", "x_kind", "source", "count", "mode")}
    return RunMetric(**told, **points)


def _param_to_row(run: int, item: RunParam) -> dict[str, object]:
    text = printable(item.text)
    return {
        "run_id": run,
        "name": printable(item.name),
        "text": text,
        "folded": fold(text),
        "number": _finite(item.number),
        "source": printable(item.source),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)

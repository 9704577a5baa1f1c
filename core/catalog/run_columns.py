"""Columns of a list of runs beyond their own: metrics and parameters, what can be chosen, and groups of runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, FromClause, Select, and_, case, func, select

from core.catalog.filters import RunFilter, run_conditions
from core.catalog.rows import to_us
from core.catalog.run_tables import run_levels, run_metrics, run_params
from core.catalog.search_conditions import run_states
from core.catalog.tables import runs

MOST = 300  # names that a choice of columns offers
_GROUPS = 200
PARAM = "param:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """A metric or parameter that runs have: its name, how many have it, how many values are told apart, and in how many
    the value is a number.
    """

    name: str
    runs: int
    values: int
    numbers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """Runs that share a value: how many, how many of them live, have errors or warnings, their bytes, and the best
    value of a metric (None: unknown).
    """

    value: str
    runs: int
    live: int
    errors: int
    warnings: int
    bytes: int
    best: float | None


def metric_choices(engine: Engine, roots: list[str]) -> tuple[ColumnChoice, ...]:
    """The metrics of the runs of some roots, the most frequent first; how many values are told apart is not counted."""
    count = func.count()
    return _choices(engine, roots, run_metrics.c.tag, values=count, numbers=count)


def param_choices(engine: Engine, roots: list[str]) -> tuple[ColumnChoice, ...]:
    """Their parameters."""
    values, numbers = func.count(func.distinct(run_params.c.text)), func.count(run_params.c.number)
    return _choices(engine, roots, run_params.c.name, values=values, numbers=numbers)


def level_names(engine: Engine, roots: list[str]) -> tuple[str, ...]:
    """The levels of their paths, the coarsest first: project before user before run."""
    count = func.count(func.distinct(run_levels.c.folded))
    query = select(run_levels.c.name).join(runs, runs.c.id == run_levels.c.run_id).where(runs.c.root.in_(roots))
    with engine.connect() as connection:
        return tuple(connection.execute(query.group_by(run_levels.c.name).order_by(count)).scalars())


def groups(
    engine: Engine, roots: list[str], where: RunFilter, now: datetime, *, by: str, metric: str | None
) -> tuple[RunGroup, ...]:
    """The runs that fit a filter by a level of their paths, or by a parameter (`param:NAME`), the most bytes first."""
    table, value = _grouped(by)
    joined = runs.join(table, table.c.run_id == runs.c.id)
    best: ColumnElement[Any] = func.min(None)
    if metric is not None:
        joined = joined.outerjoin(run_metrics, and_(run_metrics.c.run_id == runs.c.id, run_metrics.c.tag == metric))
        is_max = func.max(run_metrics.c.mode) == "max"
        best = case((is_max, func.max(run_metrics.c.best)), else_=func.min(run_metrics.c.best))
    now_us = to_us(now)
    query: Select[Any] = (
        select(
            value.label("value"),
            func.count().label("runs"),
            func.count().filter(run_states(now_us)["live"]).label("live"),
            func.count().filter(runs.c.errors > 0).label("errors"),
            func.count().filter(and_(runs.c.errors == 0, runs.c.warnings > 0)).label("warnings"),
            func.coalesce(func.sum(runs.c.bytes), 0).label("bytes"),
            best.label("best"),
        )
        .select_from(joined)
        .where(runs.c.root.in_(roots), table.c.name == by.removeprefix(PARAM), *run_conditions(where, now_us))
        .group_by(value)
        .order_by(func.sum(runs.c.bytes).desc(), value)
        .limit(_GROUPS)
    )
    with engine.connect() as connection:
        return tuple(RunGroup(**row) for row in connection.execute(query).mappings())


def _grouped(by: str) -> tuple[FromClause, ColumnElement[Any]]:
    return (run_params, run_params.c.text) if by.startswith(PARAM) else (run_levels, run_levels.c.value)


def _choices(
    engine: Engine, roots: list[str], name: Column[str], *, values: ColumnElement[int], numbers: ColumnElement[int]
) -> tuple[ColumnChoice, ...]:
    count = func.count()
    query = (
        select(name.label("name"), count.label("runs"), values.label("values"), numbers.label("numbers"))
        .select_from(name.table.join(runs, runs.c.id == name.table.c.run_id))
        .where(runs.c.root.in_(roots))
        .group_by(name)
        .order_by(count.desc(), name)
        .limit(MOST)
    )
    with engine.connect() as connection:
        return tuple(ColumnChoice(**row) for row in connection.execute(query).mappings())

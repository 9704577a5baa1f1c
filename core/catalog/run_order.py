"""The order of a list of runs: which of them stand on a page. Keys first, rows after: keys, filters and common orders
stand together in one index (`runs_for_lists`), of which 100,000 entries are read in the time of 10,000 rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Select, Table, and_, case, select

from core.catalog.run_tables import run_levels, run_metrics, run_params
from core.catalog.tables import runs
from core.search.meaning import Which

_FEW = 2_000  # runs that are sorted faster than they are found by an index of values


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSort:
    """An order by what is known of runs beside their row: the values of a metric, parameter or level, by its name."""

    table: Table
    name: str
    value: str

    @property
    def names(self) -> Column[Any]:
        """The column that holds the names."""
        return next(column for column in self.table.primary_key.columns if column.name != "run_id")

    @property
    def values(self) -> Column[Any]:
        """The column that is sorted by."""
        return self.table.c[self.value]


def value_sorts(name: str, which: Which) -> tuple[ValueSort, ...]:
    """What a name may mean: a metric, else a parameter, else a level."""
    return (
        ValueSort(table=run_metrics, name=name, value=which.value),
        ValueSort(table=run_params, name=name, value="number"),
        ValueSort(table=run_params, name=name, value="folded"),
        ValueSort(table=run_levels, name=name, value="folded"),
    )


def keys_by_column(
    column: ColumnElement[Any], descending: bool, conditions: Sequence[ColumnElement[bool]]
) -> Select[tuple[str, str, int]]:
    """Keys of runs (root, path, id) by a column, those without a value last."""
    order = column.desc() if descending else column.asc()
    return _keys(runs).where(*conditions).order_by(order.nulls_last(), runs.c.path, runs.c.root)


def keys_by_value(
    sort: ValueSort, descending: bool, conditions: Sequence[ColumnElement[bool]]
) -> Select[tuple[str, str, int]]:
    """The same by what stands beside the row: each run that fits is looked up, then all are sorted."""
    here = and_(sort.table.c.run_id == runs.c.id, sort.names == sort.name)
    joined = runs.outerjoin(sort.table, here)
    value = sort.values.desc() if descending else sort.values.asc()
    return _keys(joined).where(*conditions).order_by(value.nulls_last(), *_ties(sort.values))


def first_ids_by_value(
    sort: ValueSort, descending: bool, conditions: Sequence[ColumnElement[bool]]
) -> Select[tuple[int]]:
    """The ids of those that have a value, in that order: by the index of values, each looked at until enough fit."""
    fits = select(runs.c.id).where(runs.c.id == sort.table.c.run_id, *conditions).exists()
    value = sort.values.desc() if descending else sort.values.asc()
    return (
        select(sort.table.c.run_id)
        .where(sort.names == sort.name, sort.values.is_not(None), fits)
        .order_by(value, sort.table.c.run_id)
    )


def is_by_index(fitting: int, wanted: int, every: Callable[[], int]) -> bool:
    """Whether the first `wanted` are found sooner by the index than by sorting all that fit: where many of all fit."""
    return fitting > _FEW and wanted * every() < fitting * fitting


def _keys(source: FromClause) -> Select[tuple[str, str, int]]:
    return select(runs.c.root, runs.c.path, runs.c.id).select_from(source)


def _ties(value: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """Equal values by id, as in their index; runs without one by path."""
    return case((value.is_(None), runs.c.path)), runs.c.id

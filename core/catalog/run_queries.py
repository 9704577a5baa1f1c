"""Lists of runs out of the catalog: filtered, sorted, in pages; and what of them has a name to be sorted by."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Float, Integer, Text, func, select

from core.base.records import Run
from core.catalog.answers import Page
from core.catalog.chunks import chunks
from core.catalog.filters import RunFilter, run_conditions
from core.catalog.finding_queries import LIST_LIMIT, FindingReader
from core.catalog.rows import run_from_row, to_us
from core.catalog.run_order import (
    ValueSort,
    first_ids_by_value,
    is_by_index,
    keys_by_column,
    keys_by_value,
    value_sorts,
)
from core.catalog.tables import runs
from core.search.meaning import Which

_WITHOUT_ORDER = ("id", "tags")  # a digest, and a list as JSON
# By what of a run, as `Run` names it, a list of runs can be sorted: all that is text or a number in the catalog.
RUN_SORTS: Mapping[str, Column[Any]] = {
    item.name: column
    for item in fields(Run)
    if item.name not in _WITHOUT_ORDER
    for name in (item.name, f"{item.name.removesuffix('_at')}_us")
    if (column := runs.c.get(name)) is not None and isinstance(column.type, Text | Integer | Float)
}


class RunReader(FindingReader):
    """The runs of some roots of one catalog."""

    def runs(
        self,
        where: RunFilter,
        now: datetime,
        *,
        sort: str | ValueSort = "last_saved",
        descending: bool = True,
        limit: int | None = LIST_LIMIT,
        offset: int = 0,
    ) -> Page[Run]:
        """A page of runs; `sort` ∈ RUN_SORTS, or a `ValueSort`. Runs without a value come last either way."""
        conditions = [self._mine(runs), *run_conditions(where, to_us(now))]
        total, size = self._totals(select(func.count(), func.coalesce(func.sum(runs.c.bytes), 0)).where(*conditions))
        if isinstance(sort, str):
            keys = keys_by_column(RUN_SORTS.get(sort, runs.c.last_saved_us), descending, conditions)
        else:
            keys = keys_by_value(sort, descending, conditions)
            if limit is not None and is_by_index(total, offset + limit, self._count):
                # Each run is to be found by its id, not by its root, of which SQLite thinks that it has few runs.
                mine = func.coalesce(runs.c.root, "").in_(self._roots)
                query = first_ids_by_value(sort, descending, [mine, *conditions[1:]])
                ids = self._rows(query.limit(limit).offset(offset))
                if len(ids) == limit:
                    return Page(items=self._runs_of([row["run_id"] for row in ids], now), total=total, total_bytes=size)
        if limit is None:
            items = tuple(run_from_row(row, now) for row in self._rows(keys.with_only_columns(*runs.c).offset(offset)))
        else:
            items = self._runs_of([row["id"] for row in self._rows(keys.limit(limit).offset(offset))], now)
        return Page(items=items, total=total, total_bytes=size)

    def _count(self) -> int:
        return int(self._rows(select(func.count().label("runs")).where(self._mine(runs)))[0]["runs"])

    def _runs_of(self, ids: Sequence[int], now: datetime) -> tuple[Run, ...]:
        """Runs by their ids, in that order."""
        query = select(runs).where(self._mine(runs))
        rows = [row for part in chunks(ids) for row in self._rows(query.where(runs.c.id.in_(part)))]
        by_id = {row["id"]: row for row in rows}
        return tuple(run_from_row(by_id[one], now) for one in ids if one in by_id)

    def value_sort(self, name: str, which: Which) -> ValueSort | None:
        """An order by a metric, else a parameter, else a level of that name; None where no run has one."""
        for sort in value_sorts(name, which):
            query = select(sort.table.c.run_id).where(sort.names == name, sort.values.is_not(None)).limit(1)
            if self._rows(query):
                return sort
        return None

    def has_value(self, name: str) -> bool:
        """Whether any run has a metric, parameter or level of that name."""
        tables = {sort.table: sort for sort in value_sorts(name, Which.LAST)}.values()
        return any(self._rows(select(sort.table.c.run_id).where(sort.names == name).limit(1)) for sort in tables)

    def value_names(self) -> tuple[str, ...]:
        """The names of all metrics, parameters and levels."""
        tables = {sort.table: sort for sort in value_sorts("", Which.LAST)}.values()
        return tuple(row["name"] for sort in tables for row in self._rows(select(sort.names.label("name")).distinct()))

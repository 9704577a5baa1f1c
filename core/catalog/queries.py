"""Reading the catalog: filtered, sorted, paged lists and single records. Nothing here writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Float, Integer, RowMapping, Text, and_, func, or_, select

from core.base.errors import NotFoundError
from core.base.records import Checkpoint, Leftover, Root, Run, StateFile
from core.catalog.answers import Overview, Page
from core.catalog.chunks import chunks
from core.catalog.filters import CheckpointFilter, RunFilter, checkpoint_conditions, run_conditions
from core.catalog.finding_queries import LIST_LIMIT, FindingReader
from core.catalog.rows import from_us, leftovers_from_json, states_from_json, to_us
from core.catalog.run_order import (
    ValueSort,
    first_ids_by_value,
    is_by_index,
    keys_by_column,
    keys_by_value,
    value_sorts,
)
from core.catalog.tables import checkpoints, folders, roots, runs
from core.search.meaning import Which
from waypoint_resume.names import from_text, to_text

_WITHOUT_ORDER = ("id", "tags")  # a digest, and a list as JSON
# By what of a run, as `Run` names it, a list of runs can be sorted: all that is text or a number in the catalog.
RUN_SORTS: Mapping[str, Column[Any]] = {
    item.name: column
    for item in fields(Run)
    if item.name not in _WITHOUT_ORDER
    for name in (item.name, f"{item.name.removesuffix('_at')}_us")
    if (column := runs.c.get(name)) is not None and isinstance(column.type, Text | Integer | Float)
}
_AS_KEPT = tuple(item.name for item in fields(Run) if item.name in runs.c and item.name not in ("path", "tags"))
CHECKPOINT_SORTS = ("saved_at", "step", "epoch", "bytes", "path", "run", "variables", "parameters", "health")


class Reader(FindingReader):
    """Reading some roots of one catalog, given by their ids: others may share it and are not seen.

    `now` is passed in, so that ages mean the same everywhere on a page.
    """

    def roots(self) -> tuple[Root, ...]:
        """Every root of the last pass, by path."""
        return tuple(
            Root(
                id=row["id"],
                path=from_text(row["path"]),
                problem=row["problem"],
                looked_at=None if row["looked_at_us"] is None else from_us(row["looked_at_us"]),
            )
            for row in self._rows(select(roots).where(self._mine(roots)).order_by(roots.c.path))
        )

    def overview(self, now: datetime) -> Overview:
        """The totals over all roots."""
        live = runs.c.live_until_us >= to_us(now)
        stale = and_(~live, runs.c.stale_from_us <= to_us(now))
        sums = [
            func.coalesce(func.sum(column), 0).label(name)
            for name, column in (
                ("checkpoints", runs.c.checkpoints),
                ("restorable", runs.c.restorable),
                ("bytes", runs.c.bytes),
                ("leftover_bytes", runs.c.leftover_bytes),
                ("errors", runs.c.errors),
                ("warnings", runs.c.warnings),
                ("infos", runs.c.infos),
            )
        ]
        counts = (
            func.count().label("runs"),
            func.count().filter(live).label("live"),
            func.count().filter(stale).label("stale"),
        )
        row = self._rows(select(*counts, *sums).where(self._mine(runs)))[0]
        return Overview(**row, idle=row["runs"] - row["live"] - row["stale"])

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
            items = tuple(_run_from_row(row, now) for row in self._rows(keys.with_only_columns(*runs.c).offset(offset)))
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
        return tuple(_run_from_row(by_id[one], now) for one in ids if one in by_id)

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

    def run(self, root: str, path: str, now: datetime) -> Run:
        """One run with its state files. NotFoundError when the catalog has none."""
        rows = self._rows(select(runs).where(self._mine(runs), runs.c.root == root, runs.c.path == to_text(path)))
        if not rows:
            raise NotFoundError(f"No run {to_text(path)!r} in root {root}.")
        return _run_from_row(rows[0], now, self.states(root, path))

    def runs_inside(self, root: str, run: str) -> frozenset[str]:
        """The runs inside a run, relative to it."""
        query = select(runs.c.path).where(self._mine(runs), runs.c.root == root, _below(runs.c.path, run))
        before = "" if run == "." else f"{run}/"
        return frozenset(from_text(row["path"]).removeprefix(before) for row in self._rows(query))

    def folders_in(self, root: str, run: str) -> tuple[str, ...]:
        """A run's folder and all below it, also of runs inside it, relative to the root ('' is the root)."""
        query = select(folders.c.path).where(self._mine(folders), folders.c.root == root)
        if run != ".":
            query = query.where(or_(folders.c.path == to_text(run), _below(folders.c.path, run)))
        return tuple(from_text(row["path"]) for row in self._rows(query))

    def states(self, root: str, run: str) -> tuple[StateFile, ...]:
        """The state files of a run."""
        query = select(folders.c.states).where(
            self._mine(folders), folders.c.root == root, folders.c.run == to_text(run), folders.c.states != "[]"
        )
        return tuple(state for row in self._rows(query) for state in states_from_json(row["states"]))

    def all_states(self, root: str) -> tuple[StateFile, ...]:
        """Every state file of a root."""
        query = select(folders.c.states).where(self._mine(folders), folders.c.root == root, folders.c.states != "[]")
        return tuple(state for row in self._rows(query) for state in states_from_json(row["states"]))

    def leftovers(self, root: str, run: str) -> tuple[Leftover, ...]:
        """The leftovers of a run."""
        query = select(folders.c.leftovers).where(
            self._mine(folders), folders.c.root == root, folders.c.run == to_text(run), folders.c.leftovers != "[]"
        )
        return tuple(item for row in self._rows(query) for item in leftovers_from_json(row["leftovers"]))

    def all_leftovers(self, root: str) -> tuple[tuple[str, Leftover], ...]:
        """Every leftover of a root's runs, each with its run."""
        query = select(folders.c.run, folders.c.leftovers).where(
            self._mine(folders), folders.c.root == root, folders.c.run.is_not(None), folders.c.leftovers != "[]"
        )
        return tuple(
            (from_text(row["run"]), item) for row in self._rows(query) for item in leftovers_from_json(row["leftovers"])
        )

    def checkpoints(
        self,
        where: CheckpointFilter,
        *,
        sort: str = "saved_at",
        descending: bool = True,
        limit: int | None = 100,
        offset: int = 0,
    ) -> Page[Checkpoint]:
        """A page of checkpoints; `sort` ∈ CHECKPOINT_SORTS; `limit` None gives all."""
        conditions = [self._mine(checkpoints), *checkpoint_conditions(where)]
        column = {"saved_at": checkpoints.c.saved_at_us}.get(sort, checkpoints.c.get(sort, checkpoints.c.saved_at_us))
        query = (
            select(checkpoints)
            .where(*conditions)
            .order_by(*_ordered(column, descending), checkpoints.c.path, checkpoints.c.root)
        )
        total, size = self._totals(
            select(func.count(), func.coalesce(func.sum(checkpoints.c.bytes), 0)).where(*conditions)
        )
        rows = self._rows(query.limit(limit).offset(offset))
        return Page(items=self._with_findings(rows), total=total, total_bytes=size)

    def members(self, root: str, run: str) -> tuple[Checkpoint, ...]:
        """Every checkpoint of a run, the newest first."""
        query = select(checkpoints).where(
            self._mine(checkpoints), checkpoints.c.root == root, checkpoints.c.run == to_text(run)
        )
        return self._with_findings(self._rows(query.order_by(checkpoints.c.saved_at_us.desc(), checkpoints.c.path)))

    def checkpoint(self, root: str, path: str) -> Checkpoint:
        """One checkpoint with its findings. NotFoundError when the catalog has none."""
        rows = self._rows(
            select(checkpoints).where(
                self._mine(checkpoints), checkpoints.c.root == root, checkpoints.c.path == to_text(path)
            )
        )
        if not rows:
            raise NotFoundError(f"No checkpoint {to_text(path)!r} in root {root}.")
        return self._with_findings(rows)[0]


def _below(path: ColumnElement[str], run: str) -> ColumnElement[bool]:
    """Whether a path, as text, lies below a run; '.' is the root, below which no path is '.'."""
    if run == ".":
        return path != run
    own = to_text(run)
    return and_(path > f"{own}/", path < f"{own}0")  # 0 follows the slash


def _ordered(column: ColumnElement[Any], descending: bool) -> tuple[ColumnElement[Any], ...]:
    return (column.is_(None), column.desc() if descending else column.asc())


def _run_from_row(row: RowMapping, now: datetime, states: tuple[StateFile, ...] = ()) -> Run:
    """A row of `runs`; `now` decides its status."""
    now_us = to_us(now)
    aged = "stale" if row["stale_from_us"] <= now_us else "idle"
    status = "live" if row["live_until_us"] >= now_us else aged
    return Run(
        **{name: row[name] for name in _AS_KEPT},
        path=from_text(row["path"]),
        status=status,
        last_saved=None if row["last_saved_us"] is None else from_us(row["last_saved_us"]),
        changed_at=None if row["changed_us"] is None else from_us(row["changed_us"]),
        states=states,
        tags=tuple(json.loads(row["tags"])) if row["tags"] else (),
    )

"""Reading the catalog: filtered, sorted, paged lists and single records. Nothing here writes."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from core.base.errors import NotFoundError
from core.base.records import Checkpoint, Leftover, Root, Run, StateFile
from core.catalog.answers import Overview, Page
from core.catalog.filters import CheckpointFilter, checkpoint_conditions
from core.catalog.rows import from_us, leftovers_from_json, run_from_row, states_from_json, to_us
from core.catalog.run_queries import RunReader
from core.catalog.tables import checkpoints, folders, roots, runs
from waypoint_resume.names import from_text, to_text

CHECKPOINT_SORTS = ("saved_at", "step", "epoch", "bytes", "path", "run", "variables", "parameters", "health")


class Reader(RunReader):
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

    def run(self, root: str, path: str, now: datetime) -> Run:
        """One run with its state files. NotFoundError when the catalog has none."""
        rows = self._rows(select(runs).where(self._mine(runs), runs.c.root == root, runs.c.path == to_text(path)))
        if not rows:
            raise NotFoundError(f"No run {to_text(path)!r} in root {root}.")
        return run_from_row(rows[0], now, self.states(root, path))

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

"""Reading the catalog: filtered, sorted, paged lists and single records. Nothing here writes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Table, and_, case, func, or_, select

from core.base.errors import NotFoundError
from core.base.records import Checkpoint, Finding, Leftover, Root, Run, StateFile
from core.catalog.answers import Overview, Page, PlacedFinding, run_from_row
from core.catalog.filters import (
    CheckpointFilter,
    FindingFilter,
    RunFilter,
    checkpoint_conditions,
    finding_conditions,
    run_conditions,
)
from core.catalog.finding_groups import FindingGroup, count_groups, read_groups
from core.catalog.rows import (
    checkpoint_from_row,
    finding_from_row,
    from_us,
    leftovers_from_json,
    states_from_json,
    to_us,
)
from core.catalog.tables import checkpoints, findings, folders, roots, runs
from waypoint_resume.names import from_text, to_text

RUN_SORTS = ("path", "last_saved", "newest_step", "checkpoints", "bytes", "errors")
CHECKPOINT_SORTS = ("saved_at", "step", "epoch", "bytes", "path", "run", "variables", "parameters", "health")
_LIST_LIMIT = 500
_WORST_FIRST = case({"error": 0, "warning": 1}, value=findings.c.severity, else_=2)


class Reader:
    """Reading some roots of one catalog, given by their ids: others may share it and are not seen.

    `now` is passed in, so that ages mean the same everywhere on a page.
    """

    def __init__(self, engine: Engine, root_ids: Iterable[str]) -> None:
        self._engine = engine
        self._roots = tuple(root_ids)

    def _mine(self, table: Table) -> ColumnElement[bool]:
        return table.c["id" if table is roots else "root"].in_(self._roots)

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().all()

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
        sort: str = "last_saved",
        descending: bool = True,
        limit: int | None = _LIST_LIMIT,
        offset: int = 0,
    ) -> Page[Run]:
        """A page of runs; `sort` ∈ RUN_SORTS. Runs without a value come last either way."""
        conditions = [self._mine(runs), *run_conditions(where, to_us(now))]
        column = {"last_saved": runs.c.last_saved_us}.get(sort, runs.c.get(sort, runs.c.last_saved_us))
        query = select(runs).where(*conditions).order_by(*_ordered(column, descending), runs.c.path, runs.c.root)
        total, size = self._totals(select(func.count(), func.coalesce(func.sum(runs.c.bytes), 0)).where(*conditions))
        items = tuple(run_from_row(row, now) for row in self._rows(query.limit(limit).offset(offset)))
        return Page(items=items, total=total, total_bytes=size)

    def run(self, root: str, path: str, now: datetime) -> Run:
        """One run with its state files. NotFoundError when the catalog has none."""
        rows = self._rows(select(runs).where(self._mine(runs), runs.c.root == root, runs.c.path == to_text(path)))
        if not rows:
            raise NotFoundError(f"No run {to_text(path)!r} in root {root}.")
        return run_from_row(rows[0], now, self.states(root, path))

    def folders_in(self, root: str, run: str) -> tuple[str, ...]:
        """A run's folder and all below it, also of runs inside it, relative to the root ('' is the root)."""
        query = select(folders.c.path).where(self._mine(folders), folders.c.root == root)
        if run != ".":
            own = to_text(run)
            below = and_(folders.c.path > f"{own}/", folders.c.path < f"{own}0")  # 0 follows the slash
            query = query.where(or_(folders.c.path == own, below))
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

    def findings(
        self, where: FindingFilter, *, limit: int | None = _LIST_LIMIT, offset: int = 0
    ) -> tuple[PlacedFinding, ...]:
        """Findings, worst first."""
        is_checkpoint = (
            select(checkpoints.c.id)
            .where(checkpoints.c.root == findings.c.root, checkpoints.c.path == findings.c.path)
            .exists()
            .label("is_checkpoint")
        )
        query = (
            select(findings, is_checkpoint)
            .where(self._mine(findings), *finding_conditions(where))
            .order_by(*_finding_order(where))
            .limit(limit)
            .offset(offset)
        )
        return tuple(
            PlacedFinding(
                root=row["root"],
                run=from_text(row["run"]),
                finding=finding_from_row(row),
                is_checkpoint=row["is_checkpoint"],
            )
            for row in self._rows(query)
        )

    def finding_groups(
        self, where: FindingFilter, *, limit: int | None = _LIST_LIMIT, offset: int = 0
    ) -> tuple[FindingGroup, ...]:
        """Findings with those of the same rule in the same folder as one, worst first."""
        places = findings.c.root, findings.c.run, findings.c.folder, findings.c.rule
        order = places if where.rule is not None else (_WORST_FIRST, *places)
        with self._engine.connect() as connection:
            return read_groups(connection, self._of_findings(where), order, limit, offset)

    def group_count(self, where: FindingFilter) -> int:
        """How many groups `finding_groups` gives in all."""
        with self._engine.connect() as connection:
            return count_groups(connection, self._of_findings(where))

    def _of_findings(self, where: FindingFilter) -> list[ColumnElement[bool]]:
        return [self._mine(findings), *finding_conditions(where)]

    def finding_counts(self, where: FindingFilter) -> dict[str, int]:
        """How many findings each rule has, by its id."""
        query = (
            select(findings.c.rule, func.count().label("number"))
            .where(self._mine(findings), *finding_conditions(where))
            .group_by(findings.c.rule)
        )
        return {row["rule"]: row["number"] for row in self._rows(query)}

    def _totals(self, query: Select[Any]) -> tuple[int, int]:
        with self._engine.connect() as connection:
            count, size = connection.execute(query).one()
        return int(count), int(size)

    def _with_findings(self, rows: Sequence[Any]) -> tuple[Checkpoint, ...]:
        by_place: dict[tuple[str, str], list[Finding]] = {}
        by_root: dict[str, list[str]] = {}
        for row in rows:
            by_root.setdefault(row["root"], []).append(row["path"])
        for root, paths in by_root.items():
            for start in range(0, len(paths), _LIST_LIMIT):
                found = select(findings).where(
                    findings.c.root == root, findings.c.path.in_(paths[start : start + _LIST_LIMIT])
                )
                for row in self._rows(found):
                    by_place.setdefault((root, row["path"]), []).append(finding_from_row(row))
        return tuple(checkpoint_from_row(row, by_place.get((row["root"], row["path"]), ())) for row in rows)


def _finding_order(where: FindingFilter) -> tuple[ColumnElement[Any], ...]:
    """Worst first; findings of one rule are equally bad, and an index has them in this order."""
    places = findings.c.root, findings.c.run, findings.c.folder, findings.c.path, findings.c.rule
    return places if where.rule is not None else (_WORST_FIRST, *places)


def _ordered(column: ColumnElement[Any], descending: bool) -> tuple[ColumnElement[Any], ...]:
    return (column.is_(None), column.desc() if descending else column.asc())

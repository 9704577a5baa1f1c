"""Reading the catalog: filtered, sorted, paged lists and single records. Nothing here writes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, Table, and_, case, func, or_, select

from core.catalog.rows import (
    checkpoint_from_row,
    finding_from_row,
    from_us,
    leftovers_from_json,
    states_from_json,
    to_us,
)
from core.catalog.tables import checkpoints, findings, folders, roots, runs
from core.errors import NotFoundError
from core.fs.names import from_text, to_text
from core.model import Checkpoint, Finding, Leftover, Root, Run, StateFile

RUN_SORTS = ("path", "last_saved", "newest_step", "checkpoints", "bytes", "errors")
CHECKPOINT_SORTS = ("saved_at", "step", "epoch", "bytes", "path", "run", "variables", "parameters", "health")
_LIST_LIMIT = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: `text` is in the path, `status` ⊆ live, idle, stale, `health` ⊆ ok, warning, error; empty: all."""

    root: str | None = None
    text: str = ""
    status: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFilter:
    """Which checkpoints; empty tuples mean all. `text` is looked for in the path; `saved_after`/`saved_before` bound
    the save time, `min_bytes`/`max_bytes` the size.
    """

    root: str | None = None
    run: str | None = None
    text: str = ""
    format: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    restorable: bool | None = None
    saved_after: datetime | None = None
    saved_before: datetime | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a longer list: its items, how many there are in all, and their bytes in all."""

    items: tuple[T, ...]
    total: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The numbers of the first page. Bytes are apparent sizes of everything inside the runs' folders."""

    runs: int
    live: int
    idle: int
    stale: int
    checkpoints: int
    restorable: int
    bytes: int
    leftover_bytes: int
    errors: int
    warnings: int
    infos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """A finding and where it belongs; `is_checkpoint` tells whether its path is a row of the checkpoint list."""

    root: str
    run: str
    finding: Finding
    is_checkpoint: bool


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
        conditions = [self._mine(runs), *_run_conditions(where, to_us(now))]
        column = {"last_saved": runs.c.last_saved_us}.get(sort, runs.c.get(sort, runs.c.last_saved_us))
        query = select(runs).where(*conditions).order_by(*_ordered(column, descending), runs.c.path, runs.c.root)
        total, size = self._totals(select(func.count(), func.coalesce(func.sum(runs.c.bytes), 0)).where(*conditions))
        items = tuple(_run(row, now) for row in self._rows(query.limit(limit).offset(offset)))
        return Page(items=items, total=total, total_bytes=size)

    def run(self, root: str, path: str, now: datetime) -> Run:
        """One run with its state files. NotFoundError when the catalog has none."""
        rows = self._rows(select(runs).where(self._mine(runs), runs.c.root == root, runs.c.path == to_text(path)))
        if not rows:
            raise NotFoundError(f"No run {to_text(path)!r} in root {root}.")
        return _run(rows[0], now, self.states(root, path))

    def states(self, root: str, run: str) -> tuple[StateFile, ...]:
        """The state files of a run."""
        query = select(folders.c.states).where(
            folders.c.root == root, folders.c.run == to_text(run), folders.c.states != "[]"
        )
        return tuple(state for row in self._rows(query) for state in states_from_json(row["states"]))

    def leftovers(self, root: str, run: str) -> tuple[Leftover, ...]:
        """The leftovers of a run."""
        query = select(folders.c.leftovers).where(
            folders.c.root == root, folders.c.run == to_text(run), folders.c.leftovers != "[]"
        )
        return tuple(item for row in self._rows(query) for item in leftovers_from_json(row["leftovers"]))

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
        conditions = [self._mine(checkpoints), *_checkpoint_conditions(where)]
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
        self,
        *,
        root: str | None = None,
        run: str | None = None,
        severities: Iterable[str] = (),
        limit: int = _LIST_LIMIT,
    ) -> tuple[PlacedFinding, ...]:
        """Findings, worst first."""
        rank = case({"error": 0, "warning": 1}, value=findings.c.severity, else_=2)
        is_checkpoint = (
            select(checkpoints.c.id)
            .where(checkpoints.c.root == findings.c.root, checkpoints.c.path == findings.c.path)
            .exists()
            .label("is_checkpoint")
        )
        query = (
            select(findings, is_checkpoint)
            .where(self._mine(findings))
            .order_by(rank, findings.c.root, findings.c.run, findings.c.path)
            .limit(limit)
        )
        if root is not None:
            query = query.where(findings.c.root == root)
        if run is not None:
            query = query.where(findings.c.run == to_text(run))
        if wanted := tuple(severities):
            query = query.where(findings.c.severity.in_(wanted))
        return tuple(
            PlacedFinding(
                root=row["root"],
                run=from_text(row["run"]),
                finding=finding_from_row(row),
                is_checkpoint=row["is_checkpoint"],
            )
            for row in self._rows(query)
        )

    def known_paths(self, root: str, paths: Iterable[str]) -> frozenset[str]:
        """Those of `paths` that are checkpoints in the catalog."""
        wanted = [to_text(path) for path in paths]
        query = select(checkpoints.c.path).where(checkpoints.c.root == root, checkpoints.c.path.in_(wanted))
        return frozenset(from_text(row["path"]) for row in self._rows(query))

    def _totals(self, query: Select[Any]) -> tuple[int, int]:
        with self._engine.connect() as connection:
            count, size = connection.execute(query).one()
        return int(count), int(size)

    def _with_findings(self, rows: Sequence[Any]) -> tuple[Checkpoint, ...]:
        by_place: dict[tuple[str, str], list[Finding]] = {}
        for start in range(0, len(rows), _LIST_LIMIT):
            paths = [row["path"] for row in rows[start : start + _LIST_LIMIT]]
            for row in self._rows(select(findings).where(findings.c.path.in_(paths))):
                by_place.setdefault((row["root"], row["path"]), []).append(finding_from_row(row))
        return tuple(checkpoint_from_row(row, by_place.get((row["root"], row["path"]), ())) for row in rows)


def _ordered(column: ColumnElement[Any], descending: bool) -> tuple[ColumnElement[Any], ...]:
    return (column.is_(None), column.desc() if descending else column.asc())


def _contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def _run_conditions(where: RunFilter, now_us: int) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if where.root is not None:
        conditions.append(runs.c.root == where.root)
    if where.text:
        conditions.append(_contains(runs.c.path, where.text))
    live = runs.c.live_until_us >= now_us
    old = runs.c.stale_from_us <= now_us
    states = {"live": live, "stale": and_(~live, old), "idle": and_(~live, ~old)}
    if wanted := [states[name] for name in where.status if name in states]:
        conditions.append(or_(*wanted))
    bad = runs.c.errors > 0
    doubtful = runs.c.warnings > 0
    healths = {"error": bad, "warning": and_(~bad, doubtful), "ok": and_(~bad, ~doubtful)}
    if wanted := [healths[name] for name in where.health if name in healths]:
        conditions.append(or_(*wanted))
    return conditions


def _checkpoint_conditions(where: CheckpointFilter) -> list[ColumnElement[bool]]:
    table = checkpoints.c
    pairs: list[tuple[object, ColumnElement[bool]]] = [
        (where.root, table.root == where.root),
        (where.run, table.run == to_text(where.run or "")),
        (where.text or None, _contains(table.path, where.text)),
        (where.format or None, table.format.in_(where.format)),
        (where.contents or None, table.contents.in_(where.contents)),
        (where.health or None, table.health.in_(where.health)),
        (where.restorable, table.restorable.is_(bool(where.restorable))),
        (where.min_bytes, table.bytes >= (where.min_bytes or 0)),
        (where.max_bytes, table.bytes <= (where.max_bytes or 0)),
    ]
    if where.saved_after is not None:
        pairs.append((True, table.saved_at_us >= to_us(where.saved_after)))
    if where.saved_before is not None:
        pairs.append((True, table.saved_at_us <= to_us(where.saved_before)))
    return [condition for value, condition in pairs if value is not None]


def _run(row: RowMapping, now: datetime, states: tuple[StateFile, ...] = ()) -> Run:
    now_us = to_us(now)
    aged = "stale" if row["stale_from_us"] <= now_us else "idle"
    status = "live" if row["live_until_us"] >= now_us else aged
    return Run(
        root=row["root"],
        path=from_text(row["path"]),
        status=status,
        checkpoints=row["checkpoints"],
        restorable=row["restorable"],
        series=row["series"],
        bytes=row["bytes"],
        newest_step=row["newest_step"],
        last_saved=None if row["last_saved_us"] is None else from_us(row["last_saved_us"]),
        changed_at=None if row["changed_us"] is None else from_us(row["changed_us"]),
        median_interval=row["median_interval"],
        errors=row["errors"],
        warnings=row["warnings"],
        infos=row["infos"],
        states=states,
    )

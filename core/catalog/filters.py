"""Which rows are asked for: filters as records, and as conditions of SQL."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from core.catalog.rows import to_us
from core.catalog.search_conditions import run_healths, run_states, searched_checkpoints, searched_runs
from core.catalog.tables import checkpoints, findings, runs, trials
from core.search.meaning import Search
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: `text` is in the path, `status` ⊆ live, idle, stale, `health` ⊆ ok, warning, error; empty: all.
    `sweep`: only the trials of the sweep with this path, in `root`. `search`: what somebody asked for in words.
    """

    root: str | None = None
    sweep: str | None = None
    text: str = ""
    status: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    search: Search | None = None


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
    search: Search | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Which findings; empty tuples mean all. `folder`: those that count in it. `text` is looked for in the path.
    `accepted`: only those that people accepted, only the others, or (None) both.
    """

    root: str | None = None
    run: str | None = None
    rule: str | None = None
    folder: str | None = None
    text: str = ""
    severities: tuple[str, ...] = ()
    accepted: bool | None = False


def _contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def run_conditions(where: RunFilter, now_us: int) -> list[ColumnElement[bool]]:
    """What a run's row must fulfil; `now_us` decides its status."""
    conditions: list[ColumnElement[bool]] = []
    if where.root is not None:
        conditions.append(runs.c.root == where.root)
    if where.sweep is not None:
        of_sweep = select(trials.c.path).where(trials.c.root == where.root, trials.c.sweep == to_text(where.sweep))
        conditions.append(runs.c.path.in_(of_sweep))
    if where.text:
        conditions.append(_contains(runs.c.path, where.text))
    for names, known in ((where.status, run_states(now_us)), (where.health, run_healths())):
        if wanted := [known[name] for name in names if name in known]:
            conditions.append(or_(*wanted))
    return [*conditions, *searched_runs(where.search)]


def checkpoint_conditions(where: CheckpointFilter) -> list[ColumnElement[bool]]:
    """What a checkpoint's row must fulfil."""
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
    asked = [condition for value, condition in pairs if value is not None]
    return [*asked, *searched_checkpoints(where.search)]


def finding_conditions(where: FindingFilter) -> list[ColumnElement[bool]]:
    """What a finding's row must fulfil."""
    table = findings.c
    pairs: list[tuple[object, ColumnElement[bool]]] = [
        (where.root, table.root == where.root),
        (where.run, table.run == to_text(where.run or "")),
        (where.rule, table.rule == where.rule),
        (where.folder, table.folder == to_text(where.folder or "")),
        (where.text or None, or_(_contains(table.path, where.text), _contains(table.run, where.text))),
        (where.severities or None, table.severity.in_(where.severities)),
        (where.accepted, table.accepted.is_not(None) if where.accepted else table.accepted.is_(None)),
    ]
    return [condition for value, condition in pairs if value is not None]

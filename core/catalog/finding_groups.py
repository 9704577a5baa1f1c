"""Findings that repeat in a folder, as one: which rule, how often, from where to where. Each stays a row of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from core.base.names import natural_key
from core.base.records import Severity
from core.catalog.answers import PlacedFinding
from core.catalog.rows import folder_of
from core.catalog.tables import findings
from waypoint_resume.names import from_text, to_text

_RANGE_BY_PATHS = 2_000  # findings of a group whose paths are all read to tell the first and the last


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one rule in one folder of a run; `first` and `last` are paths, in natural order."""

    root: str
    run: str
    folder: str
    rule: str
    severity: Severity
    number: int
    first: str
    last: str

    @property
    def span(self) -> str:
        """What they are about: `ckpt-5 … ckpt-95`, by names in their folder."""
        ends = [_name(path, self.run) for path in dict.fromkeys((self.first, self.last))]
        return (" … " if self.number > len(ends) else " and ").join(ends)

    @property
    def label(self) -> str:
        """All of them in a few words: `13 × missing shard: ckpt-5 … ckpt-95`."""
        return f"{self.number:,} × {self.rule.replace('-', ' ')}: {self.span}"


def grouped(placed: Iterable[PlacedFinding]) -> list[tuple[FindingGroup, tuple[PlacedFinding, ...]]]:
    """Findings put together, each group with its members in natural order; groups in the order of their first ones."""
    found: dict[tuple[str, str, str, str], list[PlacedFinding]] = {}
    for item in placed:
        folder = folder_of(item.finding.path, item.run)
        found.setdefault((item.root, item.run, folder, item.finding.rule), []).append(item)
    result = []
    for (root, run, folder, rule), items in found.items():
        items.sort(key=lambda item: natural_key(item.finding.path))
        group = FindingGroup(
            root=root,
            run=run,
            folder=folder,
            rule=rule,
            severity=items[0].finding.severity,
            number=len(items),
            first=items[0].finding.path,
            last=items[-1].finding.path,
        )
        result.append((group, tuple(items)))
    return result


def read_groups(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[object]],
    limit: int | None,
    offset: int,
) -> tuple[FindingGroup, ...]:
    """A page of groups of the findings that fulfil some conditions; `order` sorts the groups by columns of theirs."""
    columns = _columns()
    query = select(*columns, func.count(), func.min(findings.c.path), func.max(findings.c.path))
    rows: Sequence[Any] = connection.execute(
        query.where(*conditions).group_by(*columns).order_by(*order).limit(limit).offset(offset)
    ).all()
    groups = []
    for root, run, folder, rule, severity, number, low, high in rows:
        ends = (low, high)
        if 1 < number <= _RANGE_BY_PATHS:
            own = (findings.c.root == root, findings.c.run == run, findings.c.folder == folder, findings.c.rule == rule)
            paths = sorted(connection.scalars(select(findings.c.path).where(*conditions, *own)), key=natural_key)
            ends = (paths[0], paths[-1])
        first, last = map(from_text, ends)
        run_path = from_text(run)
        groups.append(FindingGroup(root, run_path, from_text(folder), rule, Severity(severity), number, first, last))
    return tuple(groups)


def count_groups(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> int:
    """How many groups the findings make that fulfil some conditions."""
    inner = select(*_columns()).where(*conditions).group_by(*_columns()).subquery()
    return connection.scalar(select(func.count()).select_from(inner)) or 0


def _columns() -> tuple[ColumnElement[str], ...]:
    table = findings.c
    return table.root, table.run, table.folder, table.rule, table.severity


def _name(path: str, run: str) -> str:
    return to_text(run if path == run else path.rpartition("/")[2])

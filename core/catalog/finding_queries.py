"""Reading findings out of the catalog: filtered, in groups, counted, and those of some checkpoints."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Table, case, func, select

from core.base.records import Checkpoint, Finding
from core.catalog.answers import PlacedFinding
from core.catalog.filters import FindingFilter, finding_conditions
from core.catalog.finding_groups import FindingGroup, count_groups, read_groups
from core.catalog.rows import checkpoint_from_row, finding_from_row
from core.catalog.tables import checkpoints, findings, roots
from waypoint_resume.names import from_text, to_text

LIST_LIMIT = 500
_WORST_FIRST = case({"error": 0, "warning": 1}, value=findings.c.severity, else_=2)


class FindingReader:
    """The findings of some roots of one catalog, given by their ids: others may share it and are not seen."""

    def __init__(self, engine: Engine, root_ids: Iterable[str]) -> None:
        self._engine = engine
        self._roots = tuple(root_ids)

    def _mine(self, table: Table) -> ColumnElement[bool]:
        return table.c["id" if table is roots else "root"].in_(self._roots)

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().all()

    def _totals(self, query: Select[Any]) -> tuple[int, int]:
        with self._engine.connect() as connection:
            count, size = connection.execute(query).one()
        return int(count), int(size)

    def findings(
        self, where: FindingFilter, *, limit: int | None = LIST_LIMIT, offset: int = 0
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

    def accepted(self, root: str, run: str) -> dict[str, str]:
        """What people accepted in a run, by path, with their notes: of several about one path the mildest one's."""
        query = select(findings.c.path, findings.c.accepted).where(
            self._mine(findings),
            findings.c.root == root,
            findings.c.run == to_text(run),
            findings.c.accepted.is_not(None),
        )
        rows = self._rows(query.order_by(_WORST_FIRST, findings.c.folder, findings.c.path, findings.c.rule))
        return {from_text(row["path"]): row["accepted"] for row in rows}

    def finding_groups(
        self, where: FindingFilter, *, limit: int | None = LIST_LIMIT, offset: int = 0
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

    def _with_findings(self, rows: Sequence[Any]) -> tuple[Checkpoint, ...]:
        by_place: dict[tuple[str, str], list[Finding]] = {}
        by_root: dict[str, list[str]] = {}
        for row in rows:
            by_root.setdefault(row["root"], []).append(row["path"])
        for root, paths in by_root.items():
            for start in range(0, len(paths), LIST_LIMIT):
                found = select(findings).where(
                    findings.c.root == root, findings.c.path.in_(paths[start : start + LIST_LIMIT])
                )
                for row in self._rows(found):
                    by_place.setdefault((root, row["path"]), []).append(finding_from_row(row))
        return tuple(checkpoint_from_row(row, by_place.get((row["root"], row["path"]), ())) for row in rows)


def _finding_order(where: FindingFilter) -> tuple[ColumnElement[Any], ...]:
    """Worst first; findings of one rule are equally bad, and an index has them in this order."""
    places = findings.c.root, findings.c.run, findings.c.folder, findings.c.path, findings.c.rule
    return places if where.rule is not None else (_WORST_FIRST, *places)

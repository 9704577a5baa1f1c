"""Writing the catalog: checkpoints, findings and roll-ups of one root. Only the index layer calls this."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from core.base.records import Checkpoint, Finding, Root
from core.catalog.chunks import chunks
from core.catalog.rows import checkpoint_from_row, run_id
from core.catalog.rows_to_write import checkpoint_to_row, finding_to_row
from core.catalog.run_tables import OF_RUNS, layouts, metric_roots, run_tags
from core.catalog.tables import checkpoints, findings, folders, roots, runs, sweeps, trials, verifications
from core.search.folding import fold
from waypoint_resume.names import to_text


def load_checkpoints(connection: Connection, root: str, paths: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of the checkpoints in some folders."""
    texts = [to_text(path) for path in paths]
    query = select(checkpoints).where(checkpoints.c.root == root)
    return [
        dict(row)
        for part in chunks(texts)
        for row in connection.execute(query.where(checkpoints.c.folder.in_(part))).mappings()
    ]


def checkpoints_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Checkpoint, ...]:
    """Rows as records, without findings."""
    return tuple(checkpoint_from_row(row) for row in rows)


def store_checkpoints(connection: Connection, old: Iterable[Mapping[str, Any]], new: Iterable[Checkpoint]) -> None:
    """Bring rows from `old` to `new`: ids stay, equal rows are left alone, missing ones are deleted."""
    before = {(row["path"], row["format"]): row for row in old}
    inserts, updates = [], []
    for item in new:
        row = checkpoint_to_row(item)
        known = before.pop((row["path"], row["format"]), None)
        if known is None:
            inserts.append(row)
        elif any(known[name] != value for name, value in row.items()):
            updates.append({**row, "row_id": known["id"]})
    for part in chunks([row["id"] for row in before.values()]):
        connection.execute(delete(checkpoints).where(checkpoints.c.id.in_(part)))
    if inserts:
        _insert_many(connection, checkpoints, inserts)
    if updates:
        connection.execute(update(checkpoints).where(checkpoints.c.id == bindparam("row_id")), updates)


def _insert_many(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert rows of equal keys through the driver itself: SQLAlchemy writes the statement, and spends no time on each
    row. No column of the catalog needs a conversion on its way to the database.
    """
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    if compiled.positional and compiled.positiontup is not None:
        in_order = itemgetter(*compiled.positiontup)
        connection.exec_driver_sql(str(compiled), [in_order(row) for row in rows])
    else:
        connection.exec_driver_sql(str(compiled), list(rows))


def store_runs(
    connection: Connection, root: str, records: Sequence[tuple[Mapping[str, object], Iterable[Finding]]]
) -> None:
    """Replace runs' roll-ups, tags and findings; levels, metrics and parameters stay. Each row has the columns of
    `runs`, its path as it is on disk.
    """
    paths = [str(row["path"]) for row, _ in records]
    _delete_rows(connection, root, paths, (run_tags,))
    rows = [
        {**row, "path": to_text(path), "id": run_id(root, path)} for (row, _), path in zip(records, paths, strict=True)
    ]
    if rows:
        connection.execute(insert(runs), rows)
    tags = [{"run_id": row["id"], "folded": folded} for row in rows for folded in _folded_tags(row.get("tags"))]
    if tags:
        connection.execute(insert(run_tags), tags)
    found = [finding_to_row(root, str(row["path"]), item) for row, items in records for item in items]
    if found:
        connection.execute(insert(findings), found)


def _folded_tags(tags: object) -> Iterable[str]:
    return dict.fromkeys(fold(tag) for tag in json.loads(tags)) if isinstance(tags, str) and tags else ()


def forget_runs(connection: Connection, root: str, paths: Iterable[str]) -> None:
    """Forget runs with all that is known of them."""
    _delete_rows(connection, root, list(paths), OF_RUNS)


def _delete_rows(connection: Connection, root: str, paths: Sequence[str], of_runs: Iterable[Table]) -> None:
    for part in chunks([to_text(path) for path in paths]):
        connection.execute(delete(runs).where(runs.c.root == root, runs.c.path.in_(part)))
        connection.execute(delete(findings).where(findings.c.root == root, findings.c.run.in_(part)))
    for table in of_runs:
        for ids in chunks([run_id(root, path) for path in paths]):
            connection.execute(delete(table).where(table.c.run_id.in_(ids)))


def store_root(connection: Connection, root: Root, looked_at_us: int | None) -> None:
    """Insert or replace a root."""
    connection.execute(delete(roots).where(roots.c.id == root.id))
    connection.execute(
        insert(roots),
        [{"id": root.id, "path": to_text(root.path), "problem": root.problem, "looked_at_us": looked_at_us}],
    )


def forget_roots(connection: Connection, keep: Iterable[str], after_seconds: float) -> None:
    """Drop roots other than `keep` that nobody looked at for so long: several settings may share a home."""
    before_us = int((time.time() - after_seconds) * 1e6)
    unused = select(roots.c.id).where(roots.c.id.not_in(list(keep)), roots.c.looked_at_us < before_us)
    old = connection.scalars(unused).all()
    for table in OF_RUNS if old else ():
        of_old = select(runs.c.id).where(runs.c.root.in_(old))
        connection.execute(delete(table).where(table.c.run_id.in_(of_old)))
    for table in (
        (layouts, metric_roots, folders, checkpoints, runs, findings, verifications, sweeps, trials) if old else ()
    ):
        connection.execute(delete(table).where(table.c.root.in_(old)))
    if old:
        connection.execute(delete(roots).where(roots.c.id.in_(old)))

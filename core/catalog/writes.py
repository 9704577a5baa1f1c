"""Writing the catalog: folders, checkpoints, findings and roll-ups of one root. Only the index layer calls this."""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from core.base.files import OutwardLink, Problem
from core.base.records import Checkpoint, Finding, Leftover, Root, StateFile
from core.catalog.passed_over import (
    counts_from_json,
    counts_to_json,
    links_from_json,
    links_to_json,
    names_from_json,
    names_to_json,
)
from core.catalog.rows import (
    bounded,
    checkpoint_from_row,
    checkpoint_to_row,
    finding_to_row,
    leftovers_from_json,
    leftovers_to_json,
    states_from_json,
    states_to_json,
)
from core.catalog.tables import checkpoints, findings, folders, roots, runs, sweeps, trials, verifications
from waypoint_resume.names import from_text, to_text

_CHUNK = 400  # values in one IN (…): SQLite's oldest limit on variables is 999


class KnownFolder(NamedTuple):
    """A folder as the last pass saw it; `run` is '.' for the root and None outside every run. `links`, `kinds` and
    `endings` tell what was passed over in it (`Listing.outside`, `Held`), `inner_links` are those of the listing,
    `is_deleted` that MLflow marks it so, `looked_by` and `read_by` which code made it (`core.indexing.stamp`).
    """

    path: str
    signature: str
    times: tuple[tuple[str, int], ...]
    subfolders: tuple[str, ...]
    newest_ns: int
    has_units: bool
    has_folder_unit: bool
    is_marker: bool
    is_named: bool
    recheck: bool
    bytes: int
    states: tuple[StateFile, ...]
    leftovers: tuple[Leftover, ...]
    problems: tuple[Problem, ...]
    links: tuple[OutwardLink, ...] = ()
    inner_links: tuple[str, ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()
    endings: tuple[tuple[str, int], ...] = ()
    is_deleted: bool = False
    looked_by: str = ""
    read_by: str = ""
    run: str | None = None


def load_folders(connection: Connection, root: str) -> dict[str, KnownFolder]:
    """Every folder of a root, by path."""
    columns = [folders.c[name] for name in KnownFolder._fields]
    rows = connection.execute(select(*columns).where(folders.c.root == root))
    return {known.path: known for known in (_folder_of(*row) for row in rows)}


def _folder_of(path: str, signature: str, times: str, subfolders: str, *rest: Any) -> KnownFolder:  # noqa: ANN401
    """A row, in the order of KnownFolder's fields. Most folders hold nothing of note: empty lists are not parsed."""
    newest, units, folder_unit, marker, named, recheck, size, states, leftovers, problems, *passed = rest
    links, inner_links, kinds, endings, is_deleted, looked_by, read_by, run = passed
    return KnownFolder(
        from_text(path),
        signature,
        tuple((from_text(name), time) for name, time in json.loads(times)),
        () if subfolders == "[]" else tuple(map(from_text, json.loads(subfolders))),
        newest,
        units,
        folder_unit,
        marker,
        named,
        recheck,
        size,
        () if states == "[]" else states_from_json(states),
        () if leftovers == "[]" else leftovers_from_json(leftovers),
        () if problems == "[]" else tuple(Problem(path=where, problem=text) for where, text in json.loads(problems)),
        links_from_json(links) if links else (),
        names_from_json(inner_links) if inner_links else (),
        counts_from_json(kinds) if kinds else (),
        counts_from_json(endings) if endings else (),
        is_deleted,
        looked_by,
        read_by,
        None if run is None else from_text(run),
    )


def store_folders(connection: Connection, root: str, items: Iterable[KnownFolder], known: Collection[str]) -> None:
    """Insert folders, or replace those that are known."""
    items = list(items)
    rows = [
        {
            "root": root,
            "path": to_text(item.path),
            "signature": item.signature,
            "times": _times_text(item),
            "subfolders": json.dumps([to_text(name) for name in item.subfolders]),
            "newest_ns": item.newest_ns,
            "has_units": item.has_units,
            "has_folder_unit": item.has_folder_unit,
            "is_marker": item.is_marker,
            "is_named": item.is_named,
            "recheck": item.recheck,
            "bytes": bounded(item.bytes),
            "run": None if item.run is None else to_text(item.run),
            "states": states_to_json(item.states) if item.states else "[]",
            "leftovers": leftovers_to_json(item.leftovers) if item.leftovers else "[]",
            "problems": json.dumps([[problem.path, problem.problem] for problem in item.problems]),
            "links": links_to_json(item.links),
            "inner_links": names_to_json(item.inner_links),
            "kinds": counts_to_json(item.kinds),
            "endings": counts_to_json(item.endings),
            "is_deleted": item.is_deleted,
            "looked_by": item.looked_by,
            "read_by": item.read_by,
        }
        for item in items
    ]
    if rows:
        _delete_folder_rows(connection, root, [to_text(item.path) for item in items if item.path in known])
        connection.execute(insert(folders), rows)


def store_times(connection: Connection, root: str, items: Iterable[KnownFolder]) -> None:
    """New times of folders that are known."""
    rows = [{"at": to_text(item.path), "new": _times_text(item)} for item in items]
    place = update(folders).where(folders.c.root == root, folders.c.path == bindparam("at"))
    connection.execute(place.values(times=bindparam("new")), rows)


def _times_text(item: KnownFolder) -> str:
    return json.dumps([[to_text(name), time] for name, time in item.times])


def delete_folders(connection: Connection, root: str, paths: Iterable[str]) -> None:
    """Forget folders and the checkpoints in them."""
    texts = [to_text(path) for path in paths]
    _delete_folder_rows(connection, root, texts)
    for part in _chunks(texts):
        connection.execute(delete(checkpoints).where(checkpoints.c.root == root, checkpoints.c.folder.in_(part)))


def _delete_folder_rows(connection: Connection, root: str, texts: Sequence[str]) -> None:
    for part in _chunks(texts):
        connection.execute(delete(folders).where(folders.c.root == root, folders.c.path.in_(part)))


def load_checkpoints(connection: Connection, root: str, paths: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of the checkpoints in some folders."""
    texts = [to_text(path) for path in paths]
    query = select(checkpoints).where(checkpoints.c.root == root)
    return [
        dict(row)
        for part in _chunks(texts)
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
    for part in _chunks([row["id"] for row in before.values()]):
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
    """Replace runs' roll-ups and findings. Each row has the columns of `runs`, its path as it is on disk."""
    delete_runs(connection, root, [str(row["path"]) for row, _ in records])
    rows = [{**row, "path": to_text(str(row["path"]))} for row, _ in records]
    if rows:
        connection.execute(insert(runs), rows)
    found = [finding_to_row(root, str(row["path"]), item) for row, items in records for item in items]
    if found:
        connection.execute(insert(findings), found)


class RunMark(NamedTuple):
    """What a run's row was made from beside its files: its last change and median save interval, what was made of them
    (live until, stale from), the state of the decisions about it, when time alone brings a new finding, whether the
    checkpoints that its state files name and that are none of its own were there, and which rules judged it.
    """

    changed_us: int | None
    interval: float | None
    turning_points: tuple[int, int]
    decided: str
    turns_us: int | None
    outside: Mapping[str, bool]
    judged_by: str


def load_run_marks(connection: Connection, root: str) -> dict[str, RunMark]:
    """Every run's mark, by path."""
    names = (
        "path",
        "changed_us",
        "median_interval",
        "live_until_us",
        "stale_from_us",
        "decided",
        "turns_us",
        "outside",
        "judged_by",
    )
    rows = connection.execute(select(*(runs.c[name] for name in names)).where(runs.c.root == root))
    return {
        from_text(path): RunMark(changed, gap, (live, stale), decided, turns, _outside_of(outside), by)
        for path, changed, gap, live, stale, decided, turns, outside, by in rows
    }


def delete_runs(connection: Connection, root: str, paths: Iterable[str]) -> None:
    """Forget runs with their findings."""
    for part in _chunks([to_text(path) for path in paths]):
        connection.execute(delete(runs).where(runs.c.root == root, runs.c.path.in_(part)))
        connection.execute(delete(findings).where(findings.c.root == root, findings.c.run.in_(part)))


def outside_text(outside: Mapping[str, bool]) -> str:
    """Which checkpoints outside of a run its state files name, and whether they are there, as its row keeps it."""
    return json.dumps({to_text(path): there for path, there in outside.items()}) if outside else ""


def _outside_of(text: str) -> dict[str, bool]:
    return {from_text(path): there for path, there in json.loads(text).items()} if text else {}


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
    for table in (folders, checkpoints, runs, findings, verifications, sweeps, trials) if old else ():
        connection.execute(delete(table).where(table.c.root.in_(old)))
    if old:
        connection.execute(delete(roots).where(roots.c.id.in_(old)))


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]

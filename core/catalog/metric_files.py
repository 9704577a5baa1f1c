"""The files of runs that tell metrics and parameters: which are there, which are to be read, and where reading goes on.

The walk sees them (`note_files`); they are read afterwards, those that changed last first (`due_files`).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from core.catalog.chunks import chunks
from core.catalog.rows import run_id
from core.catalog.run_tables import metric_files, metric_roots, metric_series
from core.metrics.records import MetricProblem, Position, ProblemKind
from waypoint_resume.names import from_text, to_text


class SeenFile(NamedTuple):
    """A file that some source reads, as the walk saw it: its path relative to the root, the source's name, and what
    tells it from others and from itself when it has grown.
    """

    path: str
    source: str
    size: int
    mtime_ns: int
    inode: int

    @property
    def identity(self) -> str:
        """As the catalog keeps it."""
        return f"{self.size}:{self.mtime_ns}:{self.inode}"


class DueFile(NamedTuple):
    """A file that is to be read, from a position on; None: from its beginning."""

    run: str
    path: str
    source: str
    position: Position | None


def told_by(connection: Connection, root: str) -> str:
    """The version of the sources' table by which the files of a root were told; '' for none yet."""
    return connection.scalar(select(metric_roots.c.told_by).where(metric_roots.c.root == root)) or ""


def store_told_by(connection: Connection, root: str, version: str, readers: Mapping[str, str]) -> None:
    """Note that all files of a root were told by a version of the table. What another reader read is due again."""
    connection.execute(delete(metric_roots).where(metric_roots.c.root == root))
    connection.execute(insert(metric_roots).values(root=root, told_by=version))
    for source, reader in readers.items():
        old = (metric_files.c.root == root) & (metric_files.c.source == source) & (metric_files.c.read_by != reader)
        connection.execute(update(metric_files).where(old).values(is_due=True, position=None, was_read=""))


def note_files(
    connection: Connection, root: str, runs: Mapping[str, str | None], found: Mapping[str, Sequence[SeenFile]]
) -> set[str]:
    """Bring what is known of the files in some folders to what the walk saw there: `found` by folder, `runs` tells the
    run of each (None: outside of runs, where nothing is kept). Returns the runs that lost files.
    """
    lost = set[str]()
    for part in chunks(list(found)):
        known = _known(connection, root, part)
        rows, grown = [], []
        for folder in part:
            run = runs.get(folder)
            for seen in found[folder] if run is not None else ():
                before = known.get((run or "", seen.path))
                if before is not None and before[0] == seen.source:
                    del known[run or "", seen.path]
                    if before[1] != seen.identity:
                        grown.append({"of": run_id(root, run or ""), "at": to_text(seen.path), **_seen(seen)})
                else:
                    rows.append(_row(root, run or "", folder, seen))
        lost |= _forget(connection, root, known)
        if rows:
            connection.execute(insert(metric_files), rows)
        if grown:
            place = (metric_files.c.run_id == bindparam("of")) & (metric_files.c.path == bindparam("at"))
            changed: dict[str, Any] = {"mtime_ns": bindparam("new_mtime_ns"), "seen": bindparam("new_seen")}
            is_due = metric_files.c.was_read != bindparam("new_seen")
            connection.execute(update(metric_files).where(place).values(**changed, is_due=is_due), grown)
    return lost


def _known(connection: Connection, root: str, folders: Sequence[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """Source and identity of the files known in some folders, by run and path."""
    columns = (metric_files.c.run, metric_files.c.path, metric_files.c.source, metric_files.c.seen)
    here = [to_text(folder) for folder in folders]
    query = select(*columns).where(metric_files.c.root == root, metric_files.c.folder.in_(here))
    return {(from_text(run), from_text(path)): (source, seen) for run, path, source, seen in connection.execute(query)}


def _seen(seen: SeenFile) -> dict[str, object]:
    return {"new_mtime_ns": seen.mtime_ns, "new_seen": seen.identity}


def _row(root: str, run: str, folder: str, seen: SeenFile) -> dict[str, object]:
    return {
        "run_id": run_id(root, run),
        "path": to_text(seen.path),
        "root": root,
        "run": to_text(run),
        "folder": to_text(folder),
        "source": seen.source,
        "mtime_ns": seen.mtime_ns,
        "seen": seen.identity,
        "is_due": True,
    }


def _forget(connection: Connection, root: str, places: Iterable[tuple[str, str]]) -> set[str]:
    lost = set[str]()
    for run, path in places:
        for table in (metric_series, metric_files):
            here = (table.c.run_id == run_id(root, run)) & (table.c.path == to_text(path))
            connection.execute(delete(table).where(here))
        lost.add(run)
    return lost


def forget_in(connection: Connection, root: str, folders: Collection[str]) -> set[str]:
    """Forget the files in some folders that are gone. Returns the runs that lost some."""
    lost = set[str]()
    for part in chunks(list(folders)):
        lost |= _forget(connection, root, _known(connection, root, part))
    return lost


def due_files(engine: Engine, root: str, limit: int) -> list[DueFile]:
    """So many files that are to be read, those that changed last first."""
    columns = (metric_files.c.run, metric_files.c.path, metric_files.c.source, metric_files.c.position)
    here = select(*columns).where(metric_files.c.root == root, metric_files.c.is_due.is_(True))
    with engine.connect() as connection:
        rows = connection.execute(here.order_by(metric_files.c.mtime_ns.desc()).limit(limit)).all()
    return [
        DueFile(from_text(run), from_text(path), source, None if position is None else json.loads(position))
        for run, path, source, position in rows
    ]


def count_due(engine: Engine, roots: Collection[str], run: str | None = None) -> int:
    """How many files of some roots, or of one run of theirs, are to be read."""
    query = select(func.count()).select_from(metric_files)
    query = query.where(metric_files.c.root.in_(list(roots)), metric_files.c.is_due.is_(True))
    if run is not None:
        query = query.where(metric_files.c.run == to_text(run))
    with engine.connect() as connection:
        return connection.scalar(query) or 0


def problems_text(problems: Sequence[MetricProblem]) -> str:
    """Problems as the catalog keeps them."""
    return json.dumps([[one.offset, one.kind.value, one.problem] for one in problems]) if problems else ""


def problems_from(text: str, path: str) -> tuple[MetricProblem, ...]:
    """The inverse of `problems_text`, of the file at a path (as text)."""
    found = json.loads(text) if text else ()
    return tuple(MetricProblem(path, offset, ProblemKind(kind), problem) for offset, kind, problem in found)

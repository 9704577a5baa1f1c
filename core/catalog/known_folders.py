"""The folders of a root as the last pass saw them: the rows that the next one compares with what is there."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from core.base.files import OutwardLink, Problem
from core.base.records import Leftover, StateFile
from core.catalog.chunks import chunks
from core.catalog.passed_over import (
    counts_from_json,
    counts_to_json,
    links_from_json,
    links_to_json,
    names_from_json,
    names_to_json,
)
from core.catalog.rows import bounded, leftovers_from_json, leftovers_to_json, states_from_json, states_to_json
from core.catalog.tables import checkpoints, folders
from waypoint_resume.names import from_text, to_text


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
    for part in chunks(texts):
        connection.execute(delete(checkpoints).where(checkpoints.c.root == root, checkpoints.c.folder.in_(part)))


def _delete_folder_rows(connection: Connection, root: str, texts: Sequence[str]) -> None:
    for part in chunks(texts):
        connection.execute(delete(folders).where(folders.c.root == root, folders.c.path.in_(part)))

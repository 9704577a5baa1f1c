"""Why there is no run of some name: where the name leads, and what lies there instead. From the catalog alone.

A name may come from a URL: the disk is not asked.
"""

import difflib
import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, select

from core.base.records import Root
from core.catalog.passed_over import counts_from_json, outward_links
from core.catalog.rows import leftovers_from_json
from core.catalog.tables import checkpoints, folders, runs
from core.runs.discover import deepest_run
from core.runs.remains import CLOSED
from core.runs.walk import SKIPPED
from core.services.passed_over import counted, is_within
from waypoint_resume.names import from_text, to_text

_SHOWN = 3  # runs that are named
_MOST = 5_000  # runs among which similar names are looked for


def why_no_run(engine: Engine, roots: Sequence[Root], text: str) -> str:
    """Why no run has this name, as sentences; `text` is a path relative to a root, or an absolute one."""
    if not roots:
        return "No root was looked at yet."
    name = posixpath.normpath(from_text(text))
    places = [(root, path) for root in roots if (path := within(name, root.path)) is not None]
    if not places:
        shown = ", ".join(to_text(root.path) for root in roots)
        return f"It lies outside of the roots ({shown}): add it as a root to have it looked at."
    told = [(root, why) for root, path in places if (why := _why(engine, root, path)) is not None]
    if told:
        several = len(roots) > 1
        return " ".join(f"In {to_text(root.path)}: {why}" if several else why for root, why in told)
    return _unknown(engine, places)


def within(name: str, root_path: str) -> str | None:
    """A normalised path, relative to a root ('' for itself); None where it lies elsewhere."""
    root = posixpath.normpath(root_path)
    if not posixpath.isabs(name):
        return None if name.split("/", 1)[0] == ".." else name.removeprefix(".")
    return name[len(root) :].lstrip("/") if is_within(name, root) else None


def _why(engine: Engine, root: Root, path: str) -> str | None:
    """Why something in a root is no run; None where the catalog knows nothing of it."""
    ignored = next((part for part in path.split("/") if part in SKIPPED), None)
    if ignored is not None:
        return f"It is ignored: folders named {ignored} are not looked into."
    with engine.connect() as connection:
        return _behind_a_link(connection, root, path) or _beside_runs(connection, root, path)


def _behind_a_link(connection: Connection, root: Root, path: str) -> str | None:
    for link in outward_links(connection, root.id):
        if is_within(path, link.name):
            place = "It is" if path == link.name else "It lies behind"
            way = f"{place} the link {to_text(link.name)}, which leads out of the root to {to_text(link.target)}"
            return f"{way}: add that as a root."
    return None


def _beside_runs(connection: Connection, root: Root, path: str) -> str | None:
    """A checkpoint, a folder above or below runs, or one without any."""
    query = select(checkpoints.c.run).where(checkpoints.c.root == root.id, checkpoints.c.path == to_text(path))
    if (run := connection.scalar(query)) is not None:
        return f"It is a checkpoint of the run {run}."
    known = {from_text(row) for row in connection.scalars(select(runs.c.path).where(runs.c.root == root.id))}
    below = sorted(run for run in known if run != "." and (not path or is_within(run, path)))
    if below:
        return _holds(below)
    above = deepest_run(path, {"" if run == "." else run: None for run in known})
    held = _held(connection, root, path)
    if above is None or (above == "" and held is None):  # a run at the root tells nothing of a name that is not there
        return held
    return f"It {'would be' if held is None else 'is'} a part of the run {to_text(above or '.')}."


def _holds(below: Sequence[str]) -> str:
    names = ", ".join(to_text(run) for run in below[:_SHOWN])
    more = f" and {len(below) - _SHOWN:,} more" if len(below) > _SHOWN else ""
    return f"It holds {len(below):,} {'run' if len(below) == 1 else 'runs'}: {names}{more}."


def _held(connection: Connection, root: Root, path: str) -> str | None:
    """What a folder without a run holds; None where it was not there at the last look."""
    kinds, endings, count = Counter[str](), Counter[str](), 0
    for row in _below(connection, root, path):
        count += 1
        kinds.update(dict(counts_from_json(row[0])))
        endings.update(dict(counts_from_json(row[1])))
    if not count:
        return _unlisted(connection, root, path)
    if (closed := _closed(connection, root, path)) is not None:
        return f"The folder is there, and {to_text(closed)} could not be looked into: the last look says why."
    found = [counted(kinds.most_common(_SHOWN))] if kinds else []
    found += [_files(endings)] if endings else []
    inside = f" in it and {count - 1:,} {'folder' if count == 2 else 'folders'} below it" if count > 1 else ""
    return f"The folder is there, and holds no checkpoint{inside}: {', '.join(found) or 'it has no files'}."


def _closed(connection: Connection, root: Root, path: str) -> str | None:
    """A folder at or below one that its parent holds, and that was not looked into; None where there is none."""
    query = select(folders.c.path, folders.c.subfolders, folders.c.leftovers)
    rows = connection.execute(_within(query, root, path)).all()
    known = {row[0] for row in rows}
    for above, inside, left in rows:
        if any(item.rule == CLOSED for item in leftovers_from_json(left)):
            return from_text(above)
        for name in json.loads(inside):
            place = f"{above}/{name}" if above else name
            if place not in known and name not in SKIPPED:
                return place
    return None


def _unlisted(connection: Connection, root: Root, path: str) -> str | None:
    """A folder that its parent holds and that the catalog lacks was not to be looked into."""
    parent, _, name = path.rpartition("/")
    query = select(folders.c.subfolders).where(folders.c.root == root.id, folders.c.path == to_text(parent))
    names = connection.scalar(query)
    if names is None or to_text(name) not in json.loads(names):
        return None
    return "The folder is there, and could not be looked into: the last look says why."


def _files(endings: Counter[str]) -> str:
    names = [(ending or "files without an ending", number) for ending, number in endings.most_common(_SHOWN)]
    return counted(names)


def _below(connection: Connection, root: Root, path: str) -> Iterable[Row[str, str]]:
    return connection.execute(_within(select(folders.c.kinds, folders.c.endings), root, path))


def _within(query: Select[Any], root: Root, path: str) -> Select[Any]:
    """Of a query of folders, those at and below a path."""
    query, here = query.where(folders.c.root == root.id), to_text(path)
    if not path:
        return query
    return query.where((folders.c.path == here) | folders.c.path.startswith(f"{here}/", autoescape=True))


def _unknown(engine: Engine, places: Sequence[tuple[Root, str]]) -> str:
    """Nothing of that name: the nearest names that there are."""
    ids = [root.id for root, _ in places]
    with engine.connect() as connection:
        names = list(connection.scalars(select(runs.c.path).where(runs.c.root.in_(ids)).limit(_MOST)))
    wanted = to_text(places[0][1])
    by_last = {name.rpartition("/")[2]: name for name in names}
    near = difflib.get_close_matches(wanted, names, n=_SHOWN, cutoff=0.6)
    near += [by_last[last] for last in difflib.get_close_matches(wanted.rpartition("/")[2], by_last, n=_SHOWN)]
    near = list(dict.fromkeys(near))[:_SHOWN]
    hint = f" Runs with similar names: {', '.join(near)}." if near else ""
    return f"Nothing of that name was there at the last look.{hint}"

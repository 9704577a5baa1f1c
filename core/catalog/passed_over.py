"""What a pass passes over, as the folders' rows keep it: links, models of kinds that are not read."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, select

from core.base.files import OutwardLink
from core.catalog.tables import folders, runs
from waypoint_resume.names import from_text, join, to_text


class HeldFolder(NamedTuple):
    """A folder with models of kinds that are not read: how many files of each; `is_shown` where its run has
    checkpoints, so that it is on the pages all the same.
    """

    path: str
    kinds: tuple[tuple[str, int], ...]
    is_shown: bool


class LinkPlace(NamedTuple):
    """Where a link stands: its path in its root, and the run of its folder ('.' is the root; None outside every run).
    Where it leads to is asked of the disk.
    """

    path: str
    run: str | None


def links_to_json(links: Iterable[OutwardLink]) -> str:
    """Links as JSON; '' for none."""
    pairs = [[to_text(link.name), to_text(link.target)] for link in links]
    return json.dumps(pairs) if pairs else ""


def links_from_json(text: str) -> tuple[OutwardLink, ...]:
    """The inverse of `links_to_json`."""
    return tuple(OutwardLink(from_text(name), from_text(target)) for name, target in json.loads(text or "[]"))


def names_to_json(names: Iterable[str]) -> str:
    """Names as JSON; '' for none."""
    texts = [to_text(name) for name in names]
    return json.dumps(texts) if texts else ""


def names_from_json(text: str) -> tuple[str, ...]:
    """The inverse of `names_to_json`."""
    return tuple(map(from_text, json.loads(text or "[]")))


def counts_to_json(counts: Iterable[tuple[str, int]]) -> str:
    """Numbers by kind as JSON; '' for none."""
    pairs = [[to_text(kind), number] for kind, number in counts]
    return json.dumps(pairs) if pairs else ""


def counts_from_json(text: str) -> tuple[tuple[str, int], ...]:
    """The inverse of `counts_to_json`; kinds stay text."""
    return tuple((kind, number) for kind, number in json.loads(text or "[]"))


def outward_links(connection: Connection, root: str) -> tuple[OutwardLink, ...]:
    """Every link that leads out of a root, named by its path in the root."""
    query = select(folders.c.path, folders.c.links).where(folders.c.root == root, folders.c.links > "")
    return tuple(
        link._replace(name=join(from_text(path), link.name))
        for path, links in connection.execute(query.order_by(folders.c.path))
        for link in links_from_json(links)
    )


def every_link(connection: Connection, root: str) -> tuple[LinkPlace, ...]:
    """Every link of a root, by path: those that stay in it, and those that lead out."""
    has_some = (folders.c.links > "", folders.c.inner_links > "")
    columns = (folders.c.path, folders.c.run, folders.c.links, folders.c.inner_links)
    # One query for each, so that each finds its few rows by an index.
    rows = {row.path: row for some in has_some for row in connection.execute(_of_root(columns, root).where(some))}
    return tuple(
        LinkPlace(join(from_text(path), name), None if run is None else from_text(run))
        for path, run, outward, inner in (rows[place] for place in sorted(rows))
        for name in sorted([*(link.name for link in links_from_json(outward)), *names_from_json(inner)])
    )


def _of_root(columns: Iterable[Column[Any]], root: str) -> Select[Any]:
    return select(*columns).where(folders.c.root == root)


def held_folders(connection: Connection, root: str) -> tuple[HeldFolder, ...]:
    """Every folder of a root with files that are known and not read."""
    query = (
        select(folders.c.path, folders.c.kinds, runs.c.checkpoints)
        .join(runs, (runs.c.root == folders.c.root) & (runs.c.path == folders.c.run), isouter=True)
        .where(folders.c.root == root, folders.c.kinds > "")
        .order_by(folders.c.path)
    )
    return tuple(
        HeldFolder(from_text(path), counts_from_json(kinds), bool(checkpoints))
        for path, kinds, checkpoints in connection.execute(query)
    )

"""What a pass passes over, as the folders' rows keep it: links out of the root, models of kinds that are not read."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from core.catalog.tables import folders, runs
from core.model import OutwardLink
from waypoint_resume.names import from_text, join, to_text


class HeldFolder(NamedTuple):
    """A folder with models of kinds that are not read: how many files of each; `is_shown` where its run has
    checkpoints, so that it is on the pages all the same.
    """

    path: str
    kinds: tuple[tuple[str, int], ...]
    is_shown: bool


def links_to_json(links: Iterable[OutwardLink]) -> str:
    """Links as JSON; '' for none."""
    pairs = [[to_text(link.name), to_text(link.target)] for link in links]
    return json.dumps(pairs) if pairs else ""


def links_from_json(text: str) -> tuple[OutwardLink, ...]:
    """The inverse of `links_to_json`."""
    return tuple(OutwardLink(from_text(name), from_text(target)) for name, target in json.loads(text or "[]"))


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

"""The folders of a batch, in the form of its journal: those on the way to its files, and those that go with them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from waypoint_resume.names import folders_above, join, to_text


def folders_on_the_way(run: Path, items: Iterable[tuple[str, Collection[str]]]) -> list[dict[str, Any]]:
    """The folders of some items' files, parents first, and those that the items own and leave empty; an item is its
    path and its files, relative to the run.
    """
    items = list(items)
    files = {name for _, own in items for name in own}
    going = {name for path, own in items for name in owned_folders(run, path, own, files)}
    return [
        _record(run, name, name in going)
        for name in sorted({*going, *(up for one in files for up in folders_above(one))})
    ]


def owned_folders(run: Path, path: str, own: Iterable[str], files: Collection[str]) -> set[str]:
    """The folders at and below an item's path, in which some of its `own` files lie, that hold nothing but files of the
    batch; '.' is the run's folder.
    """
    inside = [name for name in own if "/" in name and is_in(name, path)]
    owned: set[str] = set()
    for top in {name.partition("/")[0] if path == "." else path for name in inside}:
        for folder, below, names in os.walk(run / top, topdown=False):
            here = os.path.relpath(folder, run)
            if all(join(here, one) in files for one in names) and all(join(here, one) in owned for one in below):
                owned.add(here)
    return owned


def is_in(name: str, path: str) -> bool:
    """Whether something is, or lies below, a path; '.' is the run's folder."""
    return path in (".", name) or name.startswith(f"{path}/")


def _record(run: Path, name: str, goes: bool) -> dict[str, Any]:
    found = os.lstat(run / name)
    return {
        "path": to_text(name),
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "mtime_ns": found.st_mtime_ns,
        "goes": goes,
    }

"""Links inside a root: what each leads to, so that no plan takes the checkpoint that `best -> model_3` means."""

import os
from collections.abc import Iterable, Iterator, Mapping

from core.model import Checkpoint
from core.scan.walk import SKIPPED
from waypoint_resume.names import join


def inner_links(root_path: str, folders: Iterable[str]) -> dict[str, str]:
    """The links that stand in some folders and lead to something else in the root, each with the link's path; all are
    relative to the root. Links of links are followed to the end, whether anything lies there or not.

    What cannot be listed has none: nothing can be taken out of it either.
    """
    root = os.path.realpath(root_path)
    found: dict[str, str] = {}
    for folder in sorted(set(folders)):
        for name in _links_in(os.path.join(root_path, folder)):
            target = os.path.realpath(os.path.join(root_path, folder, name))
            if target.startswith(root.rstrip(os.sep) + os.sep):
                found.setdefault(target[len(root) :].lstrip(os.sep), join(folder, name))
    return found


def _links_in(place: str) -> Iterator[str]:
    try:
        with os.scandir(place) as entries:
            yield from sorted(entry.name for entry in entries if entry.is_symlink() and entry.name not in SKIPPED)
    except OSError:
        return


def with_folders_above(folders: Iterable[str]) -> set[str]:
    """Folders relative to the root and all above them, the root ('') too."""
    found = {""}
    for folder in folders:
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def link_to(links: Mapping[str, str], item: Checkpoint) -> str | None:
    """The first link that leads to a checkpoint: to its path, to one of its files, or into its folder."""
    if not links:
        return None
    for place in (item.path, *(join(item.folder, file.name) for file in item.files)):
        if place in links:
            return links[place]
    return next((link for target, link in sorted(links.items()) if target.startswith(f"{item.path}/")), None)

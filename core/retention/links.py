"""Links under the roots: what each leads to, so that no plan takes the checkpoint that `best -> model_3` means.

Where links stand is known from the last look at the roots; what they lead to is asked of the disk each time, for a link
on the way may be another one since. Right before something is done the run's own folders are listed once more.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.base.records import Checkpoint, Leftover
from core.retention.left_behind import leftover_folder
from core.runfolder.places import relative_to_run
from core.runs.walk import SKIPPED
from waypoint_resume.names import folders_above, join, to_text


class Link(NamedTuple):
    """A link: its path in its root (absolute, as configured), and the run that it stands in; None outside every run."""

    root_path: str
    path: str
    run: str | None


@dataclass(frozen=True, slots=True)
class Links:
    """Links by what they lead to: real absolute paths, in order. Links of links are followed to the end, whether
    anything lies there or not.
    """

    targets: tuple[tuple[str, Link], ...] = ()

    @classmethod
    def of(cls, links: Iterable[Link]) -> "Links":
        """Those links that are there now."""
        found = ((os.path.join(link.root_path, link.path), link) for link in links)
        return cls(tuple(sorted((os.path.realpath(place), link) for place, link in found if os.path.islink(place))))

    def within(self, folder: str) -> Iterator[tuple[str, Link]]:
        """What leads to a folder ('') or to anything in it, by path relative to the folder. `folder` is absolute."""
        real = os.path.realpath(folder)
        below = real.rstrip(os.sep) + os.sep
        for first, end in ((real, f"{real}\0"), (below, f"{below[:-1]}0")):  # 0 follows the slash
            span = slice(bisect_left(self.targets, (first,)), bisect_left(self.targets, (end,)))
            yield from ((target[len(below) :], link) for target, link in self.targets[span])

    def into_run(self, root_path: str, run: str) -> dict[str, str]:
        """What in a run links lead to, relative to the root ('' is the root), and for each why it must stay."""
        folder = "" if run == "." else run
        found: dict[str, str] = {}
        for target, link in self.within(os.path.join(root_path, folder)):
            place = join(folder, target) if target else folder
            found.setdefault(place, reason(link, root_path, run))
        return found


NO_LINKS = Links()


def reason(link: Link, root_path: str, run: str) -> str:
    """Why what a link leads to must stay, said in a run of a root."""
    is_here = os.path.normpath(link.root_path) == os.path.normpath(root_path)
    if is_here and (run == "." or link.path.startswith(f"{run}/")):
        return f"{to_text(relative_to_run(link.path, run))} leads to it"
    if link.run is None:
        path = link.path if is_here else os.path.join(link.root_path, link.path)
        return f"{to_text(path)} leads to it"
    return f"linked from run {to_text(link.run)} ({to_text(relative_to_run(link.path, link.run))})"


def standing_links(root_path: str, folders: Iterable[str], run: str) -> Iterator[Link]:
    """The links that stand in a run's folders, and in those above them, now; all paths are relative to the root.

    What cannot be listed has none: nothing can be taken out of it either.
    """
    for folder in sorted({"", *(above for path in folders for above in (path, *folders_above(path)))}):
        owner = run if run == "." or f"{folder}/".startswith(f"{run}/") else None
        try:
            with os.scandir(os.path.join(root_path, folder)) as entries:
                names = sorted(entry.name for entry in entries if entry.is_symlink() and entry.name not in SKIPPED)
        except OSError:
            continue
        yield from (Link(root_path, join(folder, name), owner) for name in names)


def led_to(
    links: Mapping[str, str], series: Sequence[Sequence[Checkpoint]], leftovers: Iterable[Leftover | Checkpoint]
) -> dict[str, str]:
    """Which checkpoints and leftovers, by path, a link leads to, and why each must stay: `links` are of
    `Links.into_run`, series in order. A link may lead to their path, to one of their files, or into their folder; one
    to a folder means the newest of each series in it that can be restored.
    """
    if not links:
        return {}
    owners: dict[str, str] = {}
    for item in (*(item for members in series for item in members), *leftovers):
        folder = item.folder if isinstance(item, Checkpoint) else leftover_folder(item)
        owners |= dict.fromkeys((item.path, *(join(folder, file.name) for file in item.files)), item.path)
    newest: dict[str, list[str]] = {}  # of each series, in each folder on the way
    for members in series:
        last = {above: one.path for one in members if one.restorable for above in ("", *folders_above(one.path))}
        for folder, path in last.items():
            newest.setdefault(folder, []).append(path)
    found: dict[str, str] = {}
    for target, why in sorted(links.items()):
        nearest = (target, *reversed([*folders_above(target)]))
        own = next((owners[place] for place in nearest if place in owners), None)
        for path in newest.get(target, []) if own is None else [own]:
            found.setdefault(path, why)
    return found

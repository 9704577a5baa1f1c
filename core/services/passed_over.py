"""What a look at the roots passed over, said once for each root: links that lead out of it, models that are not read.

Pages and shell share the sentences. They are no findings: nothing is wrong with what is passed over.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from core.base.files import OutwardLink
from core.base.names import real_path
from core.base.records import Root
from core.catalog.passed_over import HeldFolder, held_folders, outward_links
from core.formats.unread import PICKLE
from waypoint_resume.names import to_text

_SHOWN = 3  # links or kinds in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Of one root: its links that lead out of every root, and its folders with models of kinds that are not read."""

    root: Root
    links: tuple[OutwardLink, ...] = ()
    folders: tuple[HeldFolder, ...] = ()

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """In how many folders each kind lies, the most frequent first."""
        return tuple(Counter(kind for folder in self.folders for kind, _ in folder.kinds).most_common())


def look_up(engine: Engine, roots: Collection[Root]) -> tuple[PassedOver, ...]:
    """What was passed over in each of some roots at the last look at them."""
    with engine.connect() as connection:
        return tuple(
            passed_over(root, roots, outward_links(connection, root.id), held_folders(connection, root.id))
            for root in roots
        )


def passed_over(
    root: Root, roots: Collection[Root], links: Sequence[OutwardLink], folders: Sequence[HeldFolder]
) -> PassedOver:
    """What is said of a root, from all that the catalog keeps: what a link into another root leads to is looked at
    there, and pickles beside what is shown are a job's data.
    """
    others = [real_path(other.path) for other in roots if other.id != root.id]
    told = (folder._replace(kinds=tuple(_told(folder))) for folder in folders)
    return PassedOver(
        root=root,
        links=tuple(link for link in links if not any(is_within(link.target, other) for other in others)),
        folders=tuple(folder for folder in told if folder.kinds),
    )


def is_within(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def sentences(passed: PassedOver) -> list[str]:
    """One sentence for the links, one for the models; none where nothing was passed over."""
    return [text for text in (links_text(passed), models_text(passed)) if text]


def links_text(passed: PassedOver) -> str:
    """How many links lead out of the root, where to, and what can be done."""
    count = len(passed.links)
    if not count:
        return ""
    what = "1 link leads" if count == 1 else f"{count:,} links lead"
    advice = "add its target as a root" if count == 1 else "add their targets as roots"
    shown = [f"{to_text(link.name)} → {to_text(link.target)}" for link in passed.links[:_SHOWN]]
    if count > _SHOWN:
        shown.append(f"and {count - _SHOWN:,} more")
    return f"{what} out of the root {to_text(passed.root.path)} ({advice}): {', '.join(shown)}."


def models_text(passed: PassedOver) -> str:
    """How many folders hold models that are not read, and of which kinds."""
    count = len(passed.folders)
    if not count:
        return ""
    what = "1 folder holds" if count == 1 else f"{count:,} folders hold"
    return f"{what} what Waypoint does not read in {to_text(passed.root.path)}: {counted(passed.kinds)}."


def counted(kinds: Sequence[tuple[str, int]]) -> str:
    """Kinds with their numbers: `PyTorch (9), TFLite (3)`."""
    return ", ".join(f"{kind} ({number:,})" for kind, number in kinds)


def _told(folder: HeldFolder) -> list[tuple[str, int]]:
    return [(kind, number) for kind, number in folder.kinds if not (folder.is_shown and kind == PICKLE)]

"""Which folders are Orbax checkpoints: a step with its items, finished or not, or a tree that was saved by itself."""

import re
from collections.abc import Collection, Iterator, Sequence

from core.formats.orbax_items import METADATA, MSGPACK, TEMPORARY
from core.formats.orbax_tree import TREE
from core.formats.spec import FolderFiles, FolderShape, Group
from core.fs.storage import Storage
from core.model import Format
from waypoint_resume.names import join

COMMITTED = "commit_success.txt"
_OWN = frozenset({METADATA, COMMITTED})
_ARRAY = ".zarray"
_NUMBERED = re.compile(r"(?:.*_)?\d+", re.DOTALL)  # how a CheckpointManager names its steps
_MOST_ITEMS = 64


def is_mark(name: str) -> bool:
    """Whether a file says that a step is whole."""
    return name in _OWN


def group(folder: FolderFiles) -> Iterator[Group]:
    """The folder as a whole, whatever lies in it."""
    if Format.ORBAX in folder.units and folder.files:
        yield Group(name="", format=Format.ORBAX, files=tuple(folder.files.values()))
    if Format.ORBAX in folder.units:
        folder.files.clear()


def is_orbax(names: Collection[str], folder: str) -> bool:
    """Whether a folder is an Orbax step or a tree that Orbax saved, by its files and those that it absorbed."""
    if _is_marked(names, folder):
        return True
    inside = [name for name in names if "/" in name]
    if any(name.endswith(f"/{TREE}") and name.count("/") == 1 for name in inside):
        return True
    return MSGPACK in names and any(name.endswith(f"/{_ARRAY}") for name in inside)


def _absorbed(storage: Storage, folder: str, names: Collection[str], subfolders: Sequence[str]) -> Collection[str]:
    if _is_marked(names, folder) or _is_unmarked_step(storage, folder, names, subfolders):
        return subfolders
    return ()


def _is_marked(names: Collection[str], folder: str) -> bool:
    return METADATA in names or TREE in names or TEMPORARY in folder.rpartition("/")[2]


def _is_unmarked_step(storage: Storage, folder: str, names: Collection[str], subfolders: Sequence[str]) -> bool:
    """Whether a folder is a step of early Orbax or T5X, which have no mark: its name ends with a number, and it holds
    trees and nothing else, or arrays beside their tree.
    """
    if not subfolders or not _NUMBERED.fullmatch(folder.rpartition("/")[2]):
        return False
    inner = [join(folder, name) for name in subfolders[:_MOST_ITEMS]]
    if MSGPACK in names and {MSGPACK, *_OWN}.issuperset(names):
        return any(_has(storage, place, _ARRAY) for place in inner)
    if not _OWN.issuperset(names):
        return False
    items = [place for place in inner if _has(storage, place, TREE)]
    # What was saved by itself into a folder of this one bears its own mark: then this one is a run, not a step.
    return bool(items) and not any(_has(storage, place, METADATA) for place in items)


def _has(storage: Storage, folder: str, name: str) -> bool:
    try:
        storage.stat(join(folder, name))
    except OSError:
        return False
    return True


SHAPE = FolderShape(is_one=is_orbax, absorbed=_absorbed)

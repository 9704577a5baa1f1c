"""Which folders are Orbax checkpoints: a step with its items, finished or not, or a tree that was saved by itself."""

import functools
import re
from collections.abc import Collection, Iterator, Sequence

from core.base.facts import Format
from core.formats.ocdbt import MANIFEST
from core.formats.orbax_items import ARRAY_METADATA, METRICS, MSGPACK, SHARDING, TEMPORARY
from core.formats.orbax_json import METADATA
from core.formats.orbax_tree import TREE
from core.formats.spec import FolderFiles, FolderShape, Group
from core.stores.store import Store
from waypoint_resume.names import join

COMMITTED = "commit_success.txt"
_OWN = frozenset({METADATA, COMMITTED})
_ARRAY = ".zarray"
_NUMBERED = re.compile(r"(?:.*_)?\d+", re.DOTALL)  # how a CheckpointManager names its steps
_MOST_ITEMS = 64
_MOST_STEPS = 16  # the first and the last, looked at beside a remnant
_REST = frozenset({COMMITTED, SHARDING, ARRAY_METADATA, MANIFEST, "d", "_strings.json"})


def is_mark(name: str) -> bool:
    """Whether a file says that a step is whole."""
    return name in _OWN


def group(folder: FolderFiles) -> Iterator[Group]:
    """The folder as a whole, whatever lies in it."""
    if Format.ORBAX in folder.units and (folder.files or Format.ORBAX in folder.confirmed):
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


def _absorbed(store: Store, folder: str, names: Collection[str], subfolders: Sequence[str]) -> Collection[str]:
    if _is_marked(names, folder) or _is_unmarked_step(store, folder, names, subfolders):
        return subfolders
    if is_remnant(store, folder, names, subfolders):
        return subfolders
    return ()


def _is_marked(names: Collection[str], folder: str) -> bool:
    return METADATA in names or TREE in names or TEMPORARY in folder.rpartition("/")[2]


def _is_unmarked_step(store: Store, folder: str, names: Collection[str], subfolders: Sequence[str]) -> bool:
    """Whether a folder is a step of early Orbax or T5X, which have no mark: its name ends with a number, and it holds
    trees and nothing else, or arrays beside their tree.
    """
    if not subfolders or not _NUMBERED.fullmatch(folder.rpartition("/")[2]):
        return False
    inner = [join(folder, name) for name in subfolders[:_MOST_ITEMS]]
    if MSGPACK in names and {MSGPACK, *_OWN}.issuperset(names):
        return any(_has(store, place, _ARRAY) for place in inner)
    if not _OWN.issuperset(names):
        return False
    items = [place for place in inner if _has(store, place, TREE)]
    # What was saved by itself into a folder of this one bears its own mark: then this one is a run, not a step.
    return bool(items) and not any(_has(store, place, METADATA) for place in items)


def is_remnant(store: Store, folder: str, names: Collection[str], subfolders: Sequence[str]) -> bool:
    """Whether nothing is left of a step but its numbered folder beside other steps: its manager still takes it for one.
    It may hold what a step has beside its trees: metrics, temporary or empty items, and those of the others' names.
    """
    above, _, base = folder.rpartition("/")
    if not folder or METADATA in names or not _OWN.issuperset(names) or not _NUMBERED.fullmatch(base):
        return False
    own = [name for name in subfolders if name != METRICS and TEMPORARY not in name]
    try:
        if not all(_is_rest(store, join(folder, name)) for name in own):
            return False
        items = _items_in(store, above, _prefix(base), store.folder_time(above))
        return bool(items) and all(name in items or _is_empty(store, join(folder, name)) for name in own)
    except OSError:
        return False


@functools.lru_cache(maxsize=64)
def _items_in(store: Store, folder: str, prefix: str, _changed_ns: int) -> frozenset[str]:
    """The names of the items in a folder's steps, as far as those are looked at. Kept: many steps may lie there."""
    found = store.members(folder).subfolders
    steps = [name for name in found if _NUMBERED.fullmatch(name) and _prefix(name) == prefix]
    looked_at = {*steps[:_MOST_STEPS], *steps[-_MOST_STEPS:]}
    return frozenset(item for name in looked_at for item in _items_of_step(store, join(folder, name)))


def _prefix(step: str) -> str:
    """What one manager puts in front of all of its steps' numbers."""
    return step.rstrip("0123456789")


def _items_of_step(store: Store, folder: str) -> Sequence[str]:
    """The items of a step, which has its mark or is one of early Orbax; none for any other folder."""
    members = store.members(folder)
    names = {file.name for file in members.files}
    is_step = METADATA in names or _is_unmarked_step(store, folder, names, members.subfolders)
    return members.subfolders if is_step else ()


def _is_rest(store: Store, item: str) -> bool:
    """Whether a folder holds at most what Orbax writes into an item, and no tree."""
    members = store.members(item)
    names = [file.name for file in members.files] + list(members.subfolders)
    return all(name in _REST or name.startswith("ocdbt.process_") for name in names)


def _is_empty(store: Store, folder: str) -> bool:
    members = store.members(folder)
    return not members.files and not members.subfolders


def _has(store: Store, folder: str, name: str) -> bool:
    try:
        store.stat(join(folder, name))
    except OSError:
        return False
    return True


SHAPE = FolderShape(is_one=is_orbax, absorbed=_absorbed, is_remnant=is_remnant)

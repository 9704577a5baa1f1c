"""The items of an Orbax step, and whether each is whole: what it says of itself is there, as far as structure tells.

An item is a folder in the step's (`pytree`, `default`, `state` …), or the step's folder itself. A tree needs
`_METADATA`, every array that it names with all of its chunks, and its strings; an item that is saved as JSON needs
that. The step's own `_CHECKPOINT_METADATA` is needed by nothing: Orbax restores without it, and with a broken one.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from core.base.errors import CorruptError, TruncatedError, UnsupportedError
from core.formats import msgpack, orbax_arrays
from core.formats.ocdbt import MANIFEST
from core.formats.orbax_arrays import Arrays
from core.formats.orbax_json import content_of, json_object, json_value
from core.formats.orbax_tree import ARRAYS, JAX_ARRAY, STRING, TREE, Leaf, leaves
from core.stores.store import Store

TEMPORARY = ".orbax-checkpoint-tmp"
METRICS = "metrics"
MODEL_CONFIG = "model_config"
NO_TREES = frozenset({MODEL_CONFIG, "assets"})  # what Keras keeps beside its variables
STRINGS = "_strings.json"
SHARDING = "_sharding"
ARRAY_METADATA = "array_metadatas"
PLACEHOLDER = "PLACEHOLDER://"  # stands in such a tree for an array beside it
JSON = "metadata"  # the file that JsonSave writes
MSGPACK = "checkpoint"  # in which early Orbax and T5X keep a tree beside its arrays
_MOST_STEPS = 16  # that are looked at for an item
_ARRAY = "/.zarray"
_ARRAYS = (_ARRAY, "/zarr.json")
_EVERY_CHUNK = "store_array_data_equal_to_fill_value"  # else chunks of zeros need not be stored


class Item(NamedTuple):
    """An item ('' for a step that is one itself): its metadata, its leaves and arrays. `tree` is None where early Orbax
    keeps the tree in a file that is not read.
    """

    name: str
    tree: Mapping[str, Any] | None
    leaves: tuple[Leaf, ...]
    arrays: Arrays


def whole_items(store: Store, folder: str, names: Collection[str], top: Mapping[str, Any]) -> list[Item]:
    """Every item that is a tree. Raises a FormatError for the first of any kind that is not whole."""
    handlers = top.get("item_handlers")
    by_item = {str(name): str(kind) for name, kind in handlers.items()} if isinstance(handlers, dict) else {}
    if _is_itself(names, handlers):
        return [_tree(store, folder, "", names)]
    there = {name.partition("/")[0] for name in names if "/" in name}
    found = sorted(there | {item for item in by_item.keys() - there if not _is_never_saved(store, folder, item)})
    if not set(found) - {METRICS}:
        raise TruncatedError("none of its items is there", section="items")
    has_values = any(item not in NO_TREES for item in tree_names(names))
    items, untold = [], []
    for item in found:
        inside = inner(names, item)
        kind = by_item.get(item, "").lower()
        if not inside and has_values and not _has_others(store, folder):
            untold.append(item)
            continue
        if not inside:
            raise TruncatedError("this item is missing", section=item)
        if TEMPORARY in item:
            raise TruncatedError("this item was never finished", section=item)
        if TREE in inside or "pytree" in kind or "standard" in kind or _has_arrays(inside):
            items.append(_tree(store, folder, item, inside))
        elif JSON in inside:
            json_value(store, folder, f"{item}/{JSON}")
    if f"{METRICS}/{METRICS}" in names:  # a CheckpointManager reads it before it restores anything
        json_value(store, folder, f"{METRICS}/{METRICS}")
    if untold:
        raise UnsupportedError("it is not there, and no other step tells whether it was ever saved", section=untold[0])
    return items


def _is_never_saved(store: Store, folder: str, item: str) -> bool:
    """Whether no other step has an item that this one lists either: its manager knows how to save it, and never did."""
    above = folder.rpartition("/")[0]
    try:
        steps = _other_steps(store, folder)[-_MOST_STEPS:]
        return bool(steps) and all(
            item not in store.members(f"{above}/{name}" if above else name).subfolders for name in steps
        )
    except OSError:
        return False


def _has_others(store: Store, folder: str) -> bool:
    """Whether other steps lie beside this one, which tell what an item's absence means."""
    try:
        return bool(_other_steps(store, folder))
    except OSError:
        return False


def _other_steps(store: Store, folder: str) -> list[str]:
    above, _, base = folder.rpartition("/")
    if not folder:
        return []
    return [name for name in store.members(above).subfolders if name != base and name[-1:].isdecimal()]


def inner(names: Collection[str], item: str) -> frozenset[str]:
    """The files of an item, relative to it."""
    start = f"{item}/" if item else ""
    return frozenset(name[len(start) :] for name in names if name.startswith(start))


def tree_names(names: Collection[str]) -> Iterator[str]:
    """The items that have a tree's metadata, by their folders' names ('' for the step itself)."""
    for name in sorted(names):
        if name == TREE or (name.endswith(f"/{TREE}") and name.count("/") == 1):
            yield name.removesuffix(TREE).rstrip("/")


def _is_itself(names: Collection[str], handlers: object) -> bool:
    """Whether the step's folder is an item: it has a tree, a database or arrays of its own, or a handler alone."""
    if TREE in names or MANIFEST in names or (isinstance(handlers, str) and not list(tree_names(names))):
        return True
    return any(name.endswith(_ARRAYS) and name.count("/") == 1 for name in names)


def _has_arrays(inside: Collection[str]) -> bool:
    return MANIFEST in inside or any(name.endswith(_ARRAYS) for name in inside)


def _tree(store: Store, folder: str, item: str, inside: Collection[str]) -> Item:
    """A whole tree."""
    place = f"{folder}/{item}" if folder and item else folder or item
    before = f"{item}/" if item else ""
    if TREE not in inside:
        if MSGPACK not in inside:
            raise TruncatedError("it is missing: without it Orbax restores nothing", section=f"{before}{TREE}")
        found = _msgpack_leaves(store, folder, f"{before}{MSGPACK}")
        arrays = orbax_arrays.find(store, place, inside)
        _check_arrays(found, arrays, before, every_chunk=False)
        return Item(item, None, found, arrays)
    tree = json_object(store, folder, f"{before}{TREE}")
    if tree.get("use_ocdbt") is True and MANIFEST not in inside and _names_arrays(tree, f"{before}{TREE}"):
        raise TruncatedError("its values are missing", section=f"{before}{MANIFEST}")
    found = tuple(leaves(tree, f"{before}{TREE}"))
    arrays = orbax_arrays.find(store, place, inside)
    _check_arrays(found, arrays, before, every_chunk=tree.get(_EVERY_CHUNK) is True)
    _check_layout(tree, inside, arrays, f"{before}{TREE}")
    if any(leaf.kind == STRING for leaf in found):
        if STRINGS not in inside:
            raise TruncatedError("it is missing", section=f"{before}{STRINGS}")
        json_value(store, folder, f"{before}{STRINGS}", stops_at_nul=True)
    if arrays.by_name and not found:
        raise CorruptError("it names none of the arrays that are there", section=f"{before}{TREE}")
    for name in [name for name in inside if name.startswith(f"{ARRAY_METADATA}/")]:
        json_object(store, folder, f"{before}{name}")
    if SHARDING in inside:
        shardings = json_value(store, folder, f"{before}{SHARDING}", stops_at_nul=True)
        if not isinstance(shardings, dict):
            raise CorruptError("it is no object", section=f"{before}{SHARDING}", offset=0)
        if not shardings and any(leaf.kind == JAX_ARRAY for leaf in found):
            raise CorruptError("it names none of the tree's arrays", section=f"{before}{SHARDING}", offset=0)
    return Item(item, tree, found, arrays)


def _check_layout(tree: Mapping[str, Any], inside: Collection[str], arrays: Arrays, section: str) -> None:
    """CorruptError where a tree says of its arrays that they are stored in another way than they are."""
    if not arrays.by_name:
        return
    if tree.get("use_ocdbt") is False and MANIFEST in inside:
        raise CorruptError("it says that there is no database, and the arrays lie in one", section=section)
    if isinstance(is_zarr3 := tree.get("use_zarr3"), bool) and is_zarr3 is not arrays.is_zarr3:
        stored = "version 3" if arrays.is_zarr3 else "version 2"
        raise CorruptError(f"use_zarr3 is {str(is_zarr3).lower()}, and the arrays are of {stored}", section=section)


def _msgpack_leaves(store: Store, folder: str, name: str) -> tuple[Leaf, ...]:
    """The leaves of a tree of early Orbax or T5X: those that lie in arrays of their own, and those inside of it."""
    content = content_of(store, folder, name)
    found: list[Leaf] = []
    waiting: list[tuple[tuple[str, ...], msgpack.Value]] = [((), msgpack.parse(content, name))]
    while waiting:
        keys, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*keys, key), part) for key, part in value.items()]
        elif isinstance(value, list):
            waiting += [((*keys, str(number)), part) for number, part in enumerate(value)]
        elif isinstance(value, str) and value.startswith(PLACEHOLDER):
            found.append(Leaf(tuple(value.removeprefix(PLACEHOLDER).split(".")), "np.ndarray"))
        elif value is not None:
            found.append(Leaf(keys, "msgpack"))
    return tuple(sorted(found))


def _names_arrays(tree: Mapping[str, Any], section: str) -> bool:
    return any(leaf.kind in ARRAYS for leaf in leaves(tree, section))


def _check_arrays(found: Collection[Leaf], arrays: Arrays, before: str, *, every_chunk: bool) -> None:
    """TruncatedError for an array that a tree names and that is not there, or lacks some of its chunks."""
    if not arrays.is_known:
        return
    for leaf in found:
        if leaf.kind not in ARRAYS:
            continue
        array = arrays.by_name.get(leaf.array)
        if array is None:
            raise TruncatedError("its array is missing", section=f"{before}{leaf.array}")
        if every_chunk and array.missing:
            count = f"{array.missing:,} of its {array.missing + array.chunks:,} chunks"
            raise TruncatedError(f"{count} are missing", section=f"{before}{leaf.array}")

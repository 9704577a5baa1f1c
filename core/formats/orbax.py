"""Orbax checkpoints: a folder `STEP` with items such as `pytree` and `model_config`, or one that is an item itself.

Written by Keras 3's OrbaxCheckpoint and by JAX programs. `ITEM/_METADATA` names the tree's keys; shapes, dtypes,
stored bytes and the counters are those of the Zarr arrays in its database (`core.formats.orbax_arrays`). Layout:
https://orbax.readthedocs.io/en/latest/guides/checkpoint/checkpoint_format.html. Early Orbax and T5X write no
`_CHECKPOINT_METADATA` beside the items.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.base.errors import FormatError
from core.base.facts import FOLDER_FROM_0, Contents, Facts, ReadProblem, Role, Sourced, Variable
from core.formats import orbax_arrays
from core.formats.fingerprint import check_sums, fingerprint, parameters, role_bytes
from core.formats.orbax_items import (
    METRICS,
    MODEL_CONFIG,
    MSGPACK,
    NO_TREES,
    TEMPORARY,
    Item,
    inner,
    tree_names,
    whole_items,
)
from core.formats.orbax_json import METADATA, json_object, top_metadata, unopenable
from core.formats.orbax_tree import ROLES, TREE, leaves, variable, writer
from core.stores.store import Store
from waypoint_resume.file_names import read_name
from waypoint_resume.name_parts import Role as NameRole
from waypoint_resume.names import join

TREE_OF_KERAS = "pytree"
UNOPENABLE = "unopenable"  # the kind of a step for whose metadata no CheckpointManager opens the folder
UNRENAMED = "unrenamed"  # the kind of a save to which only its last rename is missing
NO_STEP = "the tree counts no steps, and the folder's name has no number"
NO_STEP_OF_KERAS = "it holds no optimizer's iterations, and Keras names the folder by the epoch"
NOT_KERAS = "not a tree of Keras, Flax or T5X: its keys do not tell weights from the rest"
_COMMITTED_AT = "commit_timestamp_nsecs"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Result = tuple[Facts, tuple[Variable, ...]]


def read(store: Store, folder: str, names: Collection[str]) -> Result:
    """A step's facts. `names` are its files relative to `folder`. A folder that was never renamed to its final name
    is not committed, and what it lacks is no error; if it lacks nothing, its problem says so.
    """
    base = folder.rpartition("/")[2]
    top = top_metadata(store, folder, names)
    top = top if _COMMITTED_AT in top else {**top, _COMMITTED_AT: _committed_ns(store, folder, names)}
    if TEMPORARY not in base:
        facts, variables = _facts(folder, names, whole_items(store, folder, names, top), top)
        if (why := unopenable(store, folder, names)) is not None:
            facts = facts._replace(problem=ReadProblem(kind=UNOPENABLE, file=METADATA, detail=why))
        return facts, variables
    try:
        facts, variables = _facts(folder, names, whole_items(store, folder, names, top), top)
    except FormatError:
        facts, variables = _facts(folder, names, _readable_items(store, folder, names), top)
        return facts._replace(committed=False), variables
    final = base.partition(TEMPORARY)[0]
    problem = ReadProblem(kind=UNRENAMED, file=base, detail=f"every part of it is whole; its final name is {final}")
    return facts._replace(committed=False, problem=problem), variables


def metrics(store: Store, folder: str, names: Collection[str]) -> Mapping[str, float]:
    """What a CheckpointManager keeps beside a step: its metrics by name; none where there are none to read."""
    if f"{METRICS}/{METRICS}" not in names:
        return {}
    try:
        found = json_object(store, folder, f"{METRICS}/{METRICS}")
    except (FormatError, OSError):
        return {}
    numbers = {str(name): value for name, value in found.items() if type(value) in (int, float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def unread(_store: Store, _folder: str, names: Collection[str]) -> str | None:
    """What of a step a verification does not look at, as a sentence."""
    is_there = any(name.startswith(f"{MODEL_CONFIG}/") for name in names)
    return f"Not told: whether they fit the model in {MODEL_CONFIG}, which no restore here makes." if is_there else None


def tree_items(names: Collection[str]) -> list[str]:
    """The items of a step that hold variables, by their folders' names; '' for a step that is one itself."""
    found = [item for item in tree_names(names) if item not in NO_TREES]
    return found or ([""] if MSGPACK in names else [])


def tree_to_restore(names: Collection[str]) -> str:
    """The folder, relative to the step's, of the tree that a restore is given: Keras' own where there is one, else the
    first. '' for a step that is a tree itself, and where no tree is known.
    """
    trees = tree_items(names)
    return TREE_OF_KERAS if TREE_OF_KERAS in trees else next(iter(trees), "")


def items_to_restore(names: Collection[str]) -> list[str]:
    """The trees in a step, each restored by itself; none where the step is itself a tree."""
    return [item for item in tree_names(names) if item and item not in NO_TREES]


def _committed_ns(store: Store, folder: str, names: Collection[str]) -> int:
    """When the step's databases were written last, as they tell: a copy keeps that. 0 where none tells."""
    places = [(join(folder, item), inner(names, item)) for item in tree_names(names)]
    return max((orbax_arrays.committed_ns(store, place, inside) for place, inside in places), default=0)


def _readable_items(store: Store, folder: str, names: Collection[str]) -> list[Item]:
    """The trees of a save that never finished, as far as they can be read; their arrays are not looked at."""
    found = []
    nothing = orbax_arrays.find(store, folder, ())
    for item in tree_names(names):
        path = f"{item}/{TREE}" if item else TREE
        try:
            tree = json_object(store, folder, path)
            found.append(Item(item.partition(TEMPORARY)[0], tree, tuple(leaves(tree, path)), nothing))
        except FormatError:
            continue
    return found


def _facts(folder: str, names: Collection[str], items: Iterable[Item], top: Mapping[str, Any]) -> Result:
    trees = [item for item in items if item.name not in NO_TREES]
    variables: list[Variable] = []
    counters: list[Sourced] = []
    for item in trees:
        for leaf in item.leaves:
            variables.append(variable(leaf, item.arrays, item.name if len(trees) > 1 else ""))
            if leaf.counts and (value := item.arrays.integer(leaf.array)) is not None and value < 1 << 63:
                counters.append(Sourced(value=value, source="/".join(leaf.keys)))
    check_sums(variables, TREE)
    roles = {one.role for one in variables}
    has_architecture = any(name.startswith(f"{MODEL_CONFIG}/") for name in names)
    contents, reason = _contents(trees, roles, has_architecture)
    step = max(counters, key=lambda counter: counter.value, default=None)
    number, epoch, why = _number(folder), None, NO_STEP
    if step is None and any(leaf.keys[:1] and leaf.keys[0] in ROLES for item in trees for leaf in item.leaves):
        epoch = number and number._replace(source=FOLDER_FROM_0)
        why = NO_STEP_OF_KERAS
    elif step is None:
        step = number
    shapes_known = bool(variables) and all(one.shape is not None for one in variables)
    return Facts(
        contents=contents,
        contents_reason=reason,
        has_optimizer=Role.OPTIMIZER in roles,
        has_architecture=has_architecture,
        step=step,
        step_reason=None if step else why,
        epoch=epoch,
        saved_at=_time(top.get(_COMMITTED_AT)),
        variables=len(variables) if trees else None,
        parameters=parameters(variables) if shapes_known and Role.WEIGHT in roles else None,
        role_bytes=role_bytes(variables),
        fingerprint=fingerprint(variables) if trees else None,
        writer=writer(variables),
    ), tuple(variables)


def _number(folder: str) -> Sourced | None:
    """The step that an Orbax manager puts at the end of a folder's name, behind nothing or a prefix (`ckpt_30`)."""
    name = read_name(folder.rpartition("/")[2].partition(TEMPORARY)[0])
    last = name.numbers[-1] if name.numbers and name.parts[-1] == len(name.numbers) - 1 else None
    if (
        last is None
        or last.role in (NameRole.EPOCH, NameRole.SIZE)
        or not isinstance(last.value, int)
        or last.value < 0
    ):
        return None
    return Sourced(value=last.value, source="folder name")


def _contents(trees: Collection[Item], roles: Collection[Role], has_architecture: bool) -> tuple[Contents, str | None]:
    if not trees:
        return Contents.UNKNOWN, f"no {TREE} says what it holds"
    if Role.WEIGHT not in roles:
        return Contents.UNKNOWN, NOT_KERAS
    if has_architecture:
        return Contents.FULL_MODEL, None
    return (Contents.WEIGHTS_AND_OPTIMIZER if Role.OPTIMIZER in roles else Contents.WEIGHTS_ONLY), None


def _time(nanoseconds: object) -> datetime | None:
    if not isinstance(nanoseconds, int) or isinstance(nanoseconds, bool) or not 0 < nanoseconds < 1 << 62:
        return None
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)

"""Orbax checkpoints: a folder `STEP` with `_CHECKPOINT_METADATA` and items such as `pytree` and `model_config`.

Written by Keras 3's OrbaxCheckpoint and by JAX programs. `ITEM/_METADATA` names the tree's keys; shapes, dtypes,
stored bytes and the counters are those of the Zarr arrays in its database (`core.formats.orbax_arrays`). Layout:
https://orbax.readthedocs.io/en/latest/guides/checkpoint/checkpoint_format.html.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import CorruptError, TooLargeError, TruncatedError
from core.formats import orbax_arrays
from core.formats.fingerprint import check_sums, fingerprint, parameters, role_bytes
from core.formats.json_text import parse
from core.formats.ocdbt import MANIFEST
from core.formats.orbax_arrays import Arrays
from core.fs.storage import Storage
from core.model import Contents, Facts, Role, Sourced, Variable
from waypoint_resume.file_names import Role as NameRole
from waypoint_resume.file_names import read_name

METADATA = "_CHECKPOINT_METADATA"
TREE = "_METADATA"
TEMPORARY = ".orbax-checkpoint-tmp"
MODEL_CONFIG = "model_config"
NO_TREES = frozenset({MODEL_CONFIG, "assets"})  # what Keras keeps beside its variables
MAX_JSON = 16 << 20  # bytes; a variable takes about 300
MAX_VARIABLES = 20_000
MAX_DEPTH = 64
NO_STEP = "the tree counts no steps, and the folder's name has no number"
OPTIMIZER = "optimizer_variables"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROLES: Mapping[str, Role] = {
    "trainable_variables": Role.WEIGHT,
    "non_trainable_variables": Role.WEIGHT,
    OPTIMIZER: Role.OPTIMIZER,
    "metrics_variables": Role.OTHER,
}
_ITERATIONS = frozenset({"iteration", "iterations"})
_STEPS = frozenset({"step", "global_step"})


def read(storage: Storage, folder: str, names: Collection[str]) -> tuple[Facts, tuple[Variable, ...]]:
    """A step's facts. `names` are its files relative to `folder`. A folder that was never renamed to its final name
    is not committed, and what it lacks is no error."""  # noqa: D209
    committed = TEMPORARY not in folder.rpartition("/")[2]
    top = _object(storage, folder, METADATA) if METADATA in names else {}
    trees = _trees(storage, folder, names)
    if committed:
        _check_items(top, trees, names)
    variables: list[Variable] = []
    counters: list[Sourced] = []
    for item in sorted(trees):
        place = f"{folder}/{item}" if folder and item else folder or item
        inside = frozenset(name.removeprefix(f"{item}/") for name in names if not item or name.startswith(f"{item}/"))
        arrays = orbax_arrays.find(storage, place, inside if committed else ())
        for keys, kind in _leaves(trees[item], item):
            variables.append(_variable(keys, kind, arrays, item if len(trees) > 1 else ""))
            if _counts(keys) and (value := arrays.integer(".".join(keys))) is not None and value < 1 << 63:
                counters.append(Sourced(value=value, source="/".join(keys)))
    check_sums(variables, TREE)
    step = max(counters, key=lambda counter: counter.value, default=None) or _step(folder)
    roles = {variable.role for variable in variables}
    has_architecture = any(name.startswith(f"{MODEL_CONFIG}/") for name in names)
    contents, reason = _contents(trees, roles, has_architecture)
    shapes_known = bool(variables) and all(variable.shape is not None for variable in variables)
    return Facts(
        contents=contents,
        contents_reason=reason,
        has_optimizer=Role.OPTIMIZER in roles,
        has_architecture=has_architecture,
        step=step,
        step_reason=None if step else NO_STEP,
        saved_at=_time(top.get("commit_timestamp_nsecs")),
        variables=len(variables) if trees else None,
        parameters=parameters(variables) if shapes_known and Role.WEIGHT in roles else None,
        role_bytes=role_bytes(variables),
        fingerprint=fingerprint(variables) if trees else None,
        committed=committed,
        writer=_writer(variables),
    ), tuple(variables)


def _step(folder: str) -> Sourced | None:
    """The step that an Orbax manager puts at the end of a folder's name, behind nothing or a prefix (`ckpt_30`)."""
    name = read_name(folder.rpartition("/")[2].partition(TEMPORARY)[0])
    last = name.numbers[-1] if name.numbers and name.parts[-1] == len(name.numbers) - 1 else None
    if last is None or last.role in (NameRole.EPOCH, NameRole.SIZE) or not isinstance(last.value, int):
        return None
    return Sourced(value=last.value, source="folder name")


def _trees(storage: Storage, folder: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Item ('' for a folder that is an item itself) → its tree's metadata."""
    items = [name.removesuffix(TREE).rstrip("/") for name in names if name == TREE or name.endswith(f"/{TREE}")]
    return {
        item.partition(TEMPORARY)[0]: _object(storage, folder, f"{item}/{TREE}" if item else TREE)
        for item in items
        if item.count("/") == 0 and item.partition(TEMPORARY)[0] not in NO_TREES
    }


def _check_items(top: Mapping[str, Any], trees: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> None:
    """What the checkpoint says it has is there: each tree with its metadata and its values."""
    handlers = top.get("item_handlers")
    for item in handlers if isinstance(handlers, dict) else ():
        if not any(name.startswith(f"{item}/") for name in names):
            raise TruncatedError("this item is missing", section=str(item))
    for item, tree in trees.items():
        manifest = f"{item}/{MANIFEST}" if item else MANIFEST
        if tree.get("use_ocdbt") is True and manifest not in names:
            raise TruncatedError("its values are missing", section=manifest)


def _contents(
    trees: Mapping[str, Mapping[str, Any]], roles: Collection[Role], has_architecture: bool
) -> tuple[Contents, str | None]:
    if not trees:
        return Contents.UNKNOWN, f"no {TREE} says what it holds"
    if Role.WEIGHT not in roles:
        return Contents.UNKNOWN, "not a tree that Keras wrote: its keys do not tell weights from the rest"
    if has_architecture:
        return Contents.FULL_MODEL, None
    return (Contents.WEIGHTS_AND_OPTIMIZER if Role.OPTIMIZER in roles else Contents.WEIGHTS_ONLY), None


def _leaves(tree: Mapping[str, Any], item: str) -> Iterator[tuple[list[str], str]]:
    """The tree's leaves: their keys and kinds. Empty nodes (`None`, `{}`), which are never read, are none."""
    leaves = tree.get("tree_metadata")
    section = f"{item}/{TREE}" if item else TREE
    if not isinstance(leaves, dict):
        raise CorruptError("it has no tree_metadata", section=section, offset=0)
    if len(leaves) > MAX_VARIABLES:
        raise TooLargeError(f"{len(leaves):,} variables, more than {MAX_VARIABLES:,}", section=section)
    for name in sorted(leaves):
        leaf = leaves[name]
        try:
            keys = [str(part["key"]) for part in leaf["key_metadata"]]
            value = leaf["value_metadata"]
            kind, is_empty = str(value["value_type"]), value.get("skip_deserialize") is True
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptError(f"{name!r} is described in no known way", section=section) from error
        if len(keys) > MAX_DEPTH:
            raise TooLargeError(f"keys lie more than {MAX_DEPTH} deep", section=section)
        if not is_empty:
            yield keys, kind


def _variable(keys: list[str], kind: str, arrays: Arrays, item: str) -> Variable:
    """A leaf as a variable. `write_shape` in the tree's metadata is no shape: it is that of one device's part."""
    array = arrays.by_name.get(".".join(keys))
    role = ROLES.get(keys[0], Role.OTHER) if keys else Role.OTHER
    if any(key.startswith("seed_generator") for key in keys):
        role = Role.OTHER
    shape = array.shape if array else () if kind in ("scalar", "string") else None
    return Variable(
        name="/".join([item, *keys] if item else keys),
        dtype=array.dtype if array else "string" if kind == "string" else "unknown",
        shape=shape,
        bytes=array.bytes if array else 0,
        role=role,
        parameters=math.prod(shape) if shape is not None and role is Role.WEIGHT else 0,
    )


def _counts(keys: list[str]) -> bool:
    """Whether a leaf counts steps: an optimizer's iterations, or in other trees than Keras' a number named step."""
    if not keys:
        return False
    return keys[-1] in _ITERATIONS if keys[0] == OPTIMIZER else keys[0] not in ROLES and keys[-1] in _STEPS


def _writer(variables: Collection[Variable]) -> str:
    """Keras' callback is known by its keys; under optimizer_variables stands the optimizer's name."""
    tops = {variable.name.partition("/")[0] for variable in variables}
    return "Keras 3 (Orbax)" if tops & set(ROLES) else "Orbax"


def _object(storage: Storage, folder: str, name: str) -> dict[str, Any]:
    """A JSON file's object."""
    with storage.open(f"{folder}/{name}" if folder else name) as file:
        content = file.read(MAX_JSON + 1)
    if len(content) > MAX_JSON:
        raise TooLargeError(f"more than {MAX_JSON:,} bytes", section=name, offset=MAX_JSON)
    found = parse(content, name)
    if not isinstance(found, dict):
        raise CorruptError("it is no object", section=name, offset=0)
    return found


def _time(nanoseconds: object) -> datetime | None:
    if not isinstance(nanoseconds, int) or isinstance(nanoseconds, bool) or not 0 < nanoseconds < 1 << 62:
        return None
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)

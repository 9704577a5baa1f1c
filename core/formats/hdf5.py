"""Keras' HDF5 files: `.weights.h5` of Keras 3 (also in shards), legacy `.h5`/`.hdf5` with or without the model.

Told apart by what is inside: a legacy file may be named `.weights.h5` or `.keras`. Layouts as Keras writes them:
https://github.com/keras-team/keras/blob/v3.15.1/keras/src/saving/saving_lib.py and
https://github.com/keras-team/keras/blob/v3.15.1/keras/src/legacy/saving/legacy_h5_format.py.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from core.base.errors import CorruptError, FormatError, TooLargeError, UnsupportedError
from core.base.facts import Contents, Facts, Format, Role, Shard, Sourced, Variable
from core.formats import h5_roles, h5_tree
from core.formats.fingerprint import check_sums, fingerprint, parameters, role_bytes
from core.formats.h5_tree import Place, Tree
from core.formats.json_text import parse
from core.stores.store import Store

NO_OPTIMIZER = "the file holds no optimizer state, and nothing else in it counts steps"
NO_COUNTER = "the optimizer's state has no iterations"
MAX_MAP = 16 << 20  # bytes of a .weights.json
# What BackupAndRestore writes, and with double_checkpoint=True has copied before: weights → epoch.
BACKUPS = {"latest.weights.h5": "training_metadata.json", "latest.weights.h5.bkp": "training_metadata.json.bkp"}
MAX_METADATA = 1 << 16  # bytes of such a training_metadata.json
MAX_SHARDS = 99_999  # names have five digits


class Found(NamedTuple):
    """What a file is, what it says and what it holds."""

    format: Format
    facts: Facts
    variables: tuple[Variable, ...]


def read(store: Store, path: str) -> tuple[Facts, tuple[Variable, ...]]:
    """One file's facts and variables. Raises UnsupportedError for an HDF5 file that Keras did not write."""
    _, facts, variables = read_found(store, path)
    return facts, variables


def read_found(store: Store, path: str) -> Found:
    """One file's facts with its format, known by its content."""
    return found_in(h5_tree.read(store, Place(path=path)))


def read_many(store: Store, paths: Sequence[str]) -> Iterator[Found | FormatError | OSError]:
    """Each file's facts or what was wrong with it, in their order; one round through the worker for all."""
    for tree in h5_tree.read_many(store, [Place(path=path) for path in paths]):
        if isinstance(tree, Exception):
            yield tree
            continue
        try:
            yield found_in(tree)
        except FormatError as error:
            yield error


def classify(tree: Tree) -> Format | None:
    """Which of Keras' HDF5 formats a file is; None if it is none."""
    if "model_config" in tree.marks or "model_weights" in tree.groups or tree.weight_groups:
        return Format.HDF5
    if tree.marks & {"layer_names", "layer_names0"}:
        return Format.HDF5
    if "vars" in tree.groups or any(h5_roles.is_variable(dataset.name) for dataset in tree.datasets):
        return Format.WEIGHTS_H5
    return None


def found_in(tree: Tree, *, has_architecture: bool = False) -> Found:
    """A tree's facts; the architecture may stand outside of it. UnsupportedError if Keras did not write the file."""
    form = classify(tree)
    if form is None:
        raise UnsupportedError("not a Keras file", section="tree")
    is_legacy = form is Format.HDF5
    for name, fault in tree.faults.items() if is_legacy else ():
        raise CorruptError(fault, section=name)
    if tree.broken is not None:
        raise tree.broken
    roles = h5_roles.of_legacy_file(tree) if is_legacy else h5_roles.of_weights_file(tree)
    facts = _facts(roles.variables, roles.step, has_architecture=has_architecture or "model_config" in tree.marks)
    optimizer = _optimizer(tree)
    told = writer(tree.attributes.get("keras_version"), optimizer_name(optimizer))
    return Found(form, with_accumulation(facts._replace(writer=told), accumulation(optimizer)), roles.variables)


def read_sharded(store: Store, json_path: str, shard_names: Collection[str]) -> tuple[Facts, tuple[Variable, ...]]:
    """A `.weights.json` and its shards. `shard_names` are the files beside it; what the map names and is not among
    them is a missing shard (`Facts.shards` with `actual` None), whose variables stay unknown.
    """
    folder = json_path.rpartition("/")[0]
    weight_map = _weight_map(store, json_path)
    names = sorted({name for shards in weight_map.values() for name in shards})
    if len(names) > MAX_SHARDS:
        raise TooLargeError(f"{len(names):,} shards, more than {MAX_SHARDS:,}", section="weight map")
    present = [name for name in names if name in shard_names]
    places = [Place(path=f"{folder}/{name}" if folder else name) for name in present]
    numbers = {name: number for number, name in enumerate(names)}
    sizes = {name: store.stat(place.path).size for name, place in zip(present, places, strict=True)}
    merged, where = _merged(present, h5_tree.read_many(store, places))
    roles = h5_roles.of_weights_file(merged)
    variables = tuple(replace(variable, shard=numbers[where[variable.name]]) for variable in roles.variables)
    facts = _facts(variables, roles.step, has_optimizer=any(map(h5_roles.is_optimizer_group, weight_map)))
    shards = tuple(Shard(number=numbers[name], name=name, expected=None, actual=sizes.get(name)) for name in names)
    if len(present) < len(names) and facts.step is None and facts.has_optimizer:
        facts = facts._replace(step_reason="the shard that holds the iterations is missing")
    return facts._replace(shards=shards), variables


def _merged(names: Sequence[str], trees: Iterator[Tree | FormatError | OSError]) -> tuple[Tree, Mapping[str, str]]:
    """Several shards' trees as one, and the shard of each dataset. Raises the first shard's error, with its name."""
    datasets: dict[str, h5_tree.Dataset] = {}
    where: dict[str, str] = {}
    groups: set[str] = set()
    titles: dict[str, str] = {}
    for name, tree in zip(names, trees, strict=True):
        if isinstance(tree, FormatError):
            raise type(tree)(tree.message, section=f"{name}, {tree.section}", offset=tree.offset)
        if isinstance(tree, OSError):
            raise tree
        if tree.broken is not None:
            raise type(tree.broken)(tree.broken.message, section=f"{name}, {tree.broken.section}")
        groups |= tree.groups
        titles.update(tree.titles)
        for dataset in tree.datasets:
            datasets[dataset.name] = dataset
            where[dataset.name] = name
    ordered = tuple(datasets[name] for name in sorted(datasets))
    return Tree(datasets=ordered, groups=frozenset(groups), titles=titles), where


def backup_epoch(content: bytes, name: str) -> Sourced | None:
    """The epoch that BackupAndRestore would go on with, from the metadata (a file `name`) beside its weights."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    epoch = found.get("epoch") if isinstance(found, dict) else None
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < 1 << 63:
        return None
    return Sourced(value=epoch, source=name)


def optimizer_name(config: object) -> str | None:
    """An optimizer's class from its config, without the registration's package; a wrapper's with what it wraps."""
    if isinstance(config, str):
        return config  # compile("adam"), as Keras 2 keeps it
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        return None
    name: str = config["class_name"].rpartition(">")[2]
    inner = config.get("config")
    wrapped = optimizer_name(inner.get(h5_roles.INNER)) if isinstance(inner, dict) else None
    return f"{name}({wrapped})" if wrapped else name


def accumulation(optimizer: object) -> int:
    """How many batches make a step, from an optimizer's config; a wrapper's inner one tells."""
    config = optimizer.get("config") if isinstance(optimizer, dict) else None
    if not isinstance(config, dict):
        return 1
    found = config.get("gradient_accumulation_steps")
    if type(found) is int and found > 1:
        return found
    return accumulation(config.get(h5_roles.INNER))


def with_accumulation(facts: Facts, batches: int) -> Facts:
    """The step as Keras' `optimizer.iterations` counts it, where so many batches make one: stored are the batches."""
    if facts.step is None or batches == 1:
        return facts
    source = f"{facts.step.source}; {facts.step.value:,} batches, of which {batches} make a step"
    return facts._replace(step=Sourced(value=facts.step.value // batches, source=source))


def writer(version: str | None, optimizer: str | None) -> str | None:
    """Who wrote a file, for people: 'Keras 3.15.1, optimizer Adam'."""
    parts = [f"Keras {version}"] if version else []
    if optimizer:
        parts.append(f"optimizer {optimizer}")
    return ", ".join(parts)[:200] or None


def _optimizer(tree: Tree) -> object:
    """The config of the optimizer that a legacy file's training_config names."""
    config = tree.attributes.get("training_config")
    if not config:
        return None
    try:
        found = parse(config.encode("utf-8", "replace"), "training_config")
    except FormatError:
        return None  # it tells of the optimizer, and nothing that a restore needs
    return found.get("optimizer_config") if isinstance(found, dict) else None


def _facts(
    variables: Sequence[Variable],
    step: Sourced | None,
    *,
    has_architecture: bool = False,
    has_optimizer: bool | None = None,
) -> Facts:
    """Facts from variables that have their roles."""
    check_sums(variables, "dataset")
    roles = {variable.role for variable in variables}
    if has_optimizer is None:
        has_optimizer = Role.OPTIMIZER in roles
    reason = None
    if has_optimizer and Role.WEIGHT not in roles and not has_architecture:
        contents, reason = Contents.UNKNOWN, "it holds an optimizer's state alone; the weights are elsewhere"
    elif has_architecture:
        contents = Contents.FULL_MODEL
    else:
        contents = Contents.WEIGHTS_AND_OPTIMIZER if has_optimizer else Contents.WEIGHTS_ONLY
    return Facts(
        contents=contents,
        contents_reason=reason,
        has_optimizer=has_optimizer,
        has_architecture=has_architecture,
        step=step,
        step_reason=None if step else NO_COUNTER if has_optimizer else NO_OPTIMIZER,
        variables=len(variables),
        parameters=parameters(variables),
        role_bytes=role_bytes(variables),
        fingerprint=fingerprint(variables),
    )


def _weight_map(store: Store, path: str) -> Mapping[str, tuple[str, ...]]:
    """Group → names of the shards that hold it."""
    with store.open(path) as file:
        content = file.read(MAX_MAP + 1)
    if len(content) > MAX_MAP:
        raise TooLargeError(f"more than {MAX_MAP:,} bytes", section="weight map", offset=MAX_MAP)
    found: Any = parse(content, "weight map")
    entries = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(entries, dict):
        raise CorruptError("it has no weight_map", section="weight map", offset=0)
    result: dict[str, tuple[str, ...]] = {}
    for group, shards in entries.items():
        names = [shards] if isinstance(shards, str) else shards
        if not isinstance(names, list) or not all(isinstance(name, str) and "/" not in name for name in names):
            raise CorruptError(f"the shards of {group!r} are no file names", section="weight map")
        result[group] = tuple(names)
    return result

"""What the datasets of Keras' HDF5 files are for: weights, optimizer state or other, and which one counts steps.

Keras 3 and tf-keras (`.weights.h5`, and inside `.keras`) keep variables as `LAYER/vars/N` and an optimizer's as
`optimizer/vars/N`, of which 0 is the iterations. A LossScaleOptimizer stores its inner optimizer's variables twice,
among its own and under `inner_optimizer`; its own counter may stay 0. Legacy files keep weights under
`model_weights` or the layers' names, and an optimizer's under `optimizer_weights`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.base.facts import Role, Sourced, Variable
from core.formats.dtypes import TRAINABLE
from core.formats.h5_tree import Dataset, Tree

OPTIMIZERS = frozenset(
    {"adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion", "loss_scale_optimizer"}
    | {"muon", "nadam", "rmsprop", "schedule_free_adamw", "sgd"}
)
INNER = "inner_optimizer"
LEGACY_OPTIMIZER = "optimizer_weights"
LEGACY_COUNTERS = frozenset({"iter", "iteration", "iterations"})
_DIGITS = 10  # of a variable's number
_OTHERS = 5  # counters that are named beside the one that counts
_METRICS = frozenset({"metrics", "_metrics", "_compile_metrics"})
_NUMBERED = re.compile(r"_\d+$")
_VARIABLE = re.compile(r"(?:(.*)/)?vars/[^/]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Variables by name, inner twins once, and the step that the optimizer counts."""

    variables: tuple[Variable, ...]
    step: Sourced | None


def of_weights_file(tree: Tree) -> Roles:
    """Roles in Keras 3's layout."""
    optimizers = _optimizers(tree)
    twins = _twins(tree.datasets, optimizers)
    variables = tuple(
        _variable(dataset, _role(dataset, _is_below(dataset.name, optimizers)))
        for dataset in tree.datasets
        if dataset.name not in twins
    )
    counters = [
        dataset
        for dataset in tree.datasets
        if dataset.value is not None
        and dataset.name.endswith("/vars/0")
        and (owner := dataset.name.removesuffix("/vars/0")) in optimizers
        and f"{owner}/{INNER}" not in optimizers
    ]
    return Roles(variables=variables, step=_step(counters, " (iterations)"))


def of_legacy_file(tree: Tree) -> Roles:
    """Roles in the layout of Keras 1 and 2's `.h5`."""
    variables, counters = [], []
    for dataset in tree.datasets:
        parts = dataset.name.split("/")
        is_optimizer = LEGACY_OPTIMIZER in parts[:2]
        variables.append(_variable(dataset, _role(dataset, is_optimizer)))
        if is_optimizer and dataset.value is not None and parts[-1].removesuffix(":0") in LEGACY_COUNTERS:
            counters.append(dataset)
    return Roles(variables=tuple(variables), step=_step(counters, ""))


def is_variable(name: str) -> bool:
    """True for a dataset in Keras 3's layout."""
    return _VARIABLE.match(name) is not None


def is_optimizer_group(name: str) -> bool:
    """True for a group that Keras keeps the model's optimizer in."""
    return name.strip("/").split("/")[0] == "optimizer"


def _optimizers(tree: Tree) -> frozenset[str]:
    """The groups that are optimizers: the model's own, inner ones, and attributes such as `g_optimizer`, which have a
    counter and an optimizer's name or title.
    """
    found = {"optimizer"} if "optimizer" in tree.groups else set()
    for dataset in tree.datasets:
        owner = dataset.name.removesuffix("/vars/0")
        if owner == dataset.name:
            continue
        last = owner.rsplit("/", 1)[-1]
        title = _NUMBERED.sub("", tree.titles.get(f"{owner}/vars", "").lower())
        if last == INNER or (
            dataset.value is not None and (last.endswith(("optimizer", "_opt")) or title in OPTIMIZERS)
        ):
            found.add(owner)
    return frozenset(found)


def _is_below(name: str, owners: frozenset[str]) -> bool:
    """Whether one of the groups that a dataset lies in is one of these."""
    return any(name[:place] in owners for place, letter in enumerate(name) if letter == "/")


def _twins(datasets: Sequence[Dataset], optimizers: frozenset[str]) -> frozenset[str]:
    """The outer optimizer's variables that are its inner optimizer's: its last ones, alike in dtype and shape."""
    twins: set[str] = set()
    numbered: dict[str, list[tuple[int, Dataset]]] = {}
    for dataset in datasets:
        owner, found, number = dataset.name.rpartition("/vars/")
        if found and len(number) < _DIGITS and number.isdecimal():
            numbered.setdefault(owner, []).append((int(number), dataset))
    own = {owner: [dataset for _, dataset in sorted(pairs, key=_first)] for owner, pairs in numbered.items()}
    for owner in optimizers:
        inner = own.get(f"{owner}/{INNER}", []) if f"{owner}/{INNER}" in optimizers else []
        tail = own.get(owner, [])[-len(inner) :] if inner else []
        if len(tail) == len(inner) and all(
            (a.dtype, a.shape) == (b.dtype, b.shape) for a, b in zip(tail, inner, strict=True)
        ):
            twins.update(dataset.name for dataset in tail)
    return frozenset(twins)


def _first(pair: tuple[int, Dataset]) -> int:
    return pair[0]


def _role(dataset: Dataset, is_optimizer: bool) -> Role:
    """Weights are floats, bytes of a kind that HDF5 does not know (bfloat16), and quantized kernels."""
    if is_optimizer:
        return Role.OPTIMIZER
    parts = dataset.name.split("/")
    if any(
        part in _METRICS or part.endswith(("_tracker", "_metric")) or part.startswith("seed_generator")
        for part in parts
    ):
        return Role.OTHER
    if dataset.dtype in TRAINABLE or dataset.dtype.startswith("opaque-"):
        return Role.WEIGHT
    is_quantized = dataset.dtype in ("int8", "uint8", "int4") and len(dataset.shape or ()) > 1
    return Role.WEIGHT if is_quantized else Role.OTHER


def _variable(dataset: Dataset, role: Role) -> Variable:
    count = 0 if dataset.shape is None else 1
    for extent in dataset.shape or ():
        count *= extent
    return Variable(
        name=dataset.name,
        dtype=dataset.dtype,
        shape=dataset.shape,
        bytes=dataset.bytes,
        role=role,
        offset=dataset.offset,
        parameters=count if role is Role.WEIGHT else 0,
    )


def _step(counters: Sequence[Dataset], note: str) -> Sourced | None:
    """The largest counter; others that are not 0 are named with it."""
    ranked = sorted(counters, key=lambda dataset: dataset.value or 0, reverse=True)
    if not ranked:
        return None
    others = "".join(f"; {other.name} is {other.value:,}" for other in ranked[1 : 1 + _OTHERS] if other.value)
    return Sourced(value=ranked[0].value or 0, source=f"{ranked[0].name}{note}{others}")

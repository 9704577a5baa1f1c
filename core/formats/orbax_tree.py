"""The tree of an Orbax item, as its `_METADATA` tells it: which leaves there are, and what they are for."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from core.base.errors import CorruptError, TooLargeError
from core.base.facts import Role, Variable
from core.formats.orbax_arrays import Arrays

MAX_VARIABLES = 200_000
MAX_DEPTH = 64
TREE = "_METADATA"
OPTIMIZER = "optimizer_variables"
ROLES: Mapping[str, Role] = {
    "trainable_variables": Role.WEIGHT,
    "non_trainable_variables": Role.WEIGHT,
    OPTIMIZER: Role.OPTIMIZER,
    "metrics_variables": Role.OTHER,
}
# How Flax' TrainState and T5X name the parts of theirs: the first two keys tell.
_JAX_ROLES: Mapping[str, Role] = {
    "params": Role.WEIGHT,
    "batch_stats": Role.WEIGHT,
    "target": Role.WEIGHT,
    "opt_state": Role.OPTIMIZER,
    "param_states": Role.OPTIMIZER,
}
JAX_ARRAY = "jax.Array"
ARRAYS = frozenset({JAX_ARRAY, "np.ndarray", "scalar"})  # kinds of leaves that are stored as arrays
STRING = "string"
_ITERATIONS = frozenset({"iteration", "iterations"})
_STEPS = frozenset({"step", "global_step"})


class Leaf(NamedTuple):
    """A leaf's keys from the root on, and its kind."""

    keys: tuple[str, ...]
    kind: str

    @property
    def array(self) -> str:
        """The name of the array that holds it."""
        return ".".join(self.keys)

    @property
    def counts(self) -> bool:
        """Whether it counts steps: an optimizer's iterations, or in other trees than Keras' a number named step."""
        if not self.keys:
            return False
        if self.keys[0] == OPTIMIZER:
            return self.keys[-1] in _ITERATIONS
        return self.keys[0] not in ROLES and self.keys[-1] in _STEPS

    @property
    def role(self) -> Role:
        """What it is for, by its keys."""
        if any(key.startswith("seed_generator") for key in self.keys):
            return Role.OTHER
        if self.keys and self.keys[0] in ROLES:
            return ROLES[self.keys[0]]
        return next((_JAX_ROLES[key] for key in self.keys[:2] if key in _JAX_ROLES), Role.OTHER)


def leaves(tree: Mapping[str, Any], section: str) -> Iterator[Leaf]:
    """The leaves of a tree's metadata. Empty nodes (`None`, `{}`), which are never read, are none."""
    found = tree.get("tree_metadata")
    if not isinstance(found, dict):
        raise CorruptError("it has no tree_metadata", section=section, offset=0)
    if len(found) > MAX_VARIABLES:
        raise TooLargeError(f"{len(found):,} variables, more than {MAX_VARIABLES:,}", section=section)
    for name in sorted(found):
        leaf = found[name]
        try:
            keys = tuple(str(part["key"]) for part in leaf["key_metadata"])
            value = leaf["value_metadata"]
            kind, is_empty = str(value["value_type"]), value.get("skip_deserialize") is True
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptError(f"{name!r} is described in no known way", section=section) from error
        if len(keys) > MAX_DEPTH:
            raise TooLargeError(f"keys lie more than {MAX_DEPTH} deep", section=section)
        if not is_empty:
            yield Leaf(keys, kind)


def variable(leaf: Leaf, arrays: Arrays, item: str) -> Variable:
    """A leaf as a variable. `write_shape` in the tree's metadata is no shape: it is that of one device's part."""
    array = arrays.by_name.get(leaf.array)
    shape = array.shape if array else () if leaf.kind in ("scalar", STRING) else None
    return Variable(
        name="/".join((item, *leaf.keys) if item else leaf.keys),
        dtype=array.dtype if array else STRING if leaf.kind == STRING else "unknown",
        shape=shape,
        bytes=array.bytes if array else 0,
        role=leaf.role,
        parameters=math.prod(shape) if shape is not None and leaf.role is Role.WEIGHT else 0,
    )


def writer(variables: Collection[Variable]) -> str:
    """Keras' callback is known by its keys; under optimizer_variables stands the optimizer's name."""
    tops = {part for one in variables for part in one.name.split("/")[:2]}
    return "Keras 3 (Orbax)" if tops & set(ROLES) else "Orbax"

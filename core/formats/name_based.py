"""Roles in a TF1 checkpoint, which has names and no object graph.

A slot is stored beside its variable, as `dense/kernel/Adam` beside `dense/kernel` with the same shape (TF1's
`tf.train.Optimizer.get_slot` and `slot_creator.py`). `beta1_power` and the like belong to Adam.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from core.formats import dtypes
from core.formats.object_graph import Counters, GraphRoles

_SLOTS = re.compile(
    r"(?:Adam|AdamW|Adamax|Nadam|LAMB|Momentum|RMSProp|Adagrad|AdagradDA|Adadelta|Ftrl|ProximalAdagrad|"
    r"rms|momentum|accum|linear|accumulator|adam_m|adam_v|m|v|vhat)(?:_\d+)?"
)
_POWERS = re.compile(r"(?:.*/)?beta[12]_power(?:_\d+)?")


class Described(Protocol):
    """A tensor's type and shape."""

    @property
    def dtype(self) -> str:
        """TensorFlow's name of it."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """None for an unknown rank."""


def name_roles(entries: Mapping[str, Described]) -> GraphRoles:
    """Roles and counters from names, shapes and dtypes alone."""
    optimizer: set[str] = set()
    weights: set[str] = set()
    counters: list[str] = []
    for name, entry in entries.items():
        owner, _, last = name.rpartition("/")
        if _POWERS.fullmatch(name) or (
            _SLOTS.fullmatch(last) and owner in entries and entries[owner].shape == entry.shape
        ):
            optimizer.add(name)
        elif last == "global_step" and entry.dtype in dtypes.INTEGERS and entry.shape == ():
            counters.append(name)
        elif entry.dtype in dtypes.TRAINABLE and last not in ("learning_rate", "global_step"):
            weights.add(name)
    return GraphRoles(
        weights=frozenset(weights),
        optimizer=frozenset(optimizer),
        has_optimizer=bool(optimizer),
        counters=Counters(global_step=tuple(sorted(counters))),
    )

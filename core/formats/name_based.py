"""Roles in a TF1 checkpoint, which has names and no object graph.

A slot is stored beside its variable, as `dense/kernel/Adam` beside `dense/kernel` with the same shape (TF1's
`tf.train.Optimizer.get_slot` and `slot_creator.py`). `beta1_power` and the like belong to Adam.

Keras 2's optimizers under a Saver, as TF2's Estimators have them, keep everything below a name of their own: the
counter `training/Adam/iter`, settings such as `training/Adam/beta_1`, and `training/Adam/dense/kernel/m` for
`dense/kernel`. The counter with a setting beside it proves the name, and a variable of the same shape each slot.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from core.formats import dtypes
from core.formats.object_graph import Counters, GraphRoles

_SLOTS = re.compile(
    r"(?:Adam|AdamW|Adamax|Nadam|LAMB|Momentum|RMSProp|Adagrad|AdagradDA|Adadelta|Ftrl|ProximalAdagrad|"
    r"rms|momentum|accum|linear|accumulator|adam_m|adam_v|m|v|vhat)(?:_\d+)?"
)
_COUNTER = "iter"
_MOST_OPTIMIZERS = 16  # of one job: each costs a look at every name
_SETTINGS = ("learning_rate", "decay", "beta_1", "beta_2", "rho", "momentum", "beta")
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
    keras = _keras_optimizers(entries)
    optimizer = {name for prefix in keras for name in _of_keras(entries, prefix)}
    weights: set[str] = set()
    counters: list[str] = []
    for name, entry in entries.items():
        if name in optimizer:
            continue
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
        counters=Counters(
            iterations=tuple(f"{prefix}{_COUNTER}" for prefix in keras), global_step=tuple(sorted(counters))
        ),
    )


def _keras_optimizers(entries: Mapping[str, Described]) -> tuple[str, ...]:
    """What the names of Keras 2's optimizers begin with, each with its slash."""
    found = []
    for name, entry in entries.items():
        prefix = name.removesuffix(_COUNTER)
        is_counter = name.endswith(f"/{_COUNTER}") and entry.dtype in dtypes.INTEGERS and entry.shape == ()
        if is_counter and any(f"{prefix}{setting}" in entries for setting in _SETTINGS):
            found.append(prefix)
    return tuple(sorted(found)[:_MOST_OPTIMIZERS])


def _of_keras(entries: Mapping[str, Described], prefix: str) -> Iterator[str]:
    """The counter, settings and slots of one of Keras 2's optimizers."""
    for name, entry in entries.items():
        if not name.startswith(prefix):
            continue
        variable, _, last = name[len(prefix) :].rpartition("/")
        if (not variable and last and entry.shape == ()) or (
            variable in entries and entries[variable].shape == entry.shape
        ):
            yield name

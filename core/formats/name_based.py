"""Roles in a TF1 checkpoint, which has names and no object graph.

A slot is stored below its variable's name, as `dense/kernel/Adam` beside `dense/kernel` with the same shape (TF1's
`tf.train.Optimizer.get_slot` and `slot_creator.py`), behind the optimizer's variable scope where it has one
(`training/dense/kernel/Adam`). It bears the optimizer's name, which a job may choose: one that is not known counts
where several variables have it, or a counter of Adam's (`beta1_power`) stands beside it. Those, and a loss scale's
variables, belong to the optimizer too. Moving averages are copies of weights.

Keras 2's optimizers under a Saver, as TF2's Estimators have them, keep everything below a name of their own: the
counter `training/Adam/iter`, settings such as `training/Adam/beta_1`, and `training/Adam/dense/kernel/m` for
`dense/kernel`. The counter with a setting beside it proves the name, and a variable of the same shape each slot.
"""

import re
from collections import Counter
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
_POWERS = re.compile(r"(?P<scope>(?:.*/)?)beta[12]_power(?:_\d+)?")
_LOSS_SCALE = frozenset({"current_loss_scale", "good_steps"})  # of tf.compat.v1.mixed_precision
_NO_SLOTS = frozenset({"ExponentialMovingAverage", "biased", "local_step", "mask", "threshold"})
_AGAIN = re.compile(r"_\d+\Z")  # behind the name of a second slot


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
    slots = _slots(entries)
    weights: set[str] = set()
    counters: list[str] = []
    for name, entry in entries.items():
        last = name.rpartition("/")[2]
        if name in optimizer:
            continue
        if name in slots or _POWERS.fullmatch(name) or (last in _LOSS_SCALE and entry.shape == ()):
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


def _slots(entries: Mapping[str, Described]) -> set[str]:
    """The slots of TF1's optimizers."""
    scopes = {match["scope"] for name in entries if (match := _POWERS.fullmatch(name))}
    owned = {name: owner for name in entries if (owner := _owner(entries, name, entries[name].shape))}
    bearers = Counter(
        _AGAIN.sub("", name[len(owner) + 1 :]) for name, owner in owned.items() if not _AGAIN.search(name)
    )
    of_adam = {name[len(owner) + 1 :] for name, owner in owned.items() if scopes and f"{name}_1" in owned}
    chosen = ({name for name, count in bearers.items() if count > 1} | of_adam) - _NO_SLOTS
    found = {
        name
        for name, owner in owned.items()
        if _AGAIN.sub("", name[len(owner) + 1 :]) in chosen or _SLOTS.fullmatch(name[len(owner) + 1 :])
    }
    for name in entries.keys() - found:
        scope = next((scope for scope in scopes if scope and name.startswith(scope)), "")
        inner, shape = name[len(scope) :], entries[name].shape
        owner, _, last = inner.rpartition("/")
        is_of_adam = scope and last not in _NO_SLOTS and _owner(entries, inner, shape)
        if is_of_adam or (_SLOTS.fullmatch(last) and _has_tail(entries, owner, shape)):
            found.add(name)
    return found


def _owner(entries: Mapping[str, Described], name: str, shape: tuple[int, ...] | None) -> str | None:
    """The variable of the same shape below whose name another one stands."""
    owner = name.rpartition("/")[0]
    while owner:
        if owner in entries:
            return owner if entries[owner].shape == shape else None
        owner = owner.rpartition("/")[0]
    return None


def _has_tail(entries: Mapping[str, Described], path: str, shape: tuple[int, ...] | None) -> bool:
    """Whether a path is a variable of that shape behind a scope."""
    while path := path.partition("/")[2]:
        if path in entries:
            return entries[path].shape == shape
    return False


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

"""Steps of Keras 3's OrbaxCheckpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import Arrays, arrays_plan, require_generation
from waypoint_resume.freezing import changed_by_variables, layers_of, told_changes, told_other_optimizer
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan

_WEIGHTS = ("trainable_variables/", "non_trainable_variables/")
_OPTIMIZER = "optimizer_variables/"


def orbax_plan(path: Path, live: Live, *, weights_only: bool = False) -> LoadPlan:
    """A step of Keras 3's OrbaxCheckpoint: its tree of values, by the paths of the model's own state tree."""
    import numpy as np
    import orbax.checkpoint as ocp

    model = live.model
    require_generation(model, 3, path)
    logging.getLogger("absl").setLevel(logging.ERROR)
    tree = ocp.PyTreeCheckpointer().restore(str(path / "pytree"))
    kept = _flat(tree)
    groups = {name.partition("/")[2]: name.partition("/")[0] for name in kept if name.startswith(_WEIGHTS)}

    def write() -> dict[str, Any]:
        if getattr(model, "optimizer", None) is None:  # of which Keras has no tree
            return {name: np.asarray(item) for name, item in _weights(model).items()}
        return _one_group(_flat(model.get_state_tree(value_format="numpy_array")))

    # Keras stores scalars as Python's numbers, which have no type of their own: they get the model's.
    own = write()
    theirs = {name: _typed(value, own.get(name)) for name, value in _one_group(kept).items()}

    def load_over(values: dict[str, Any]) -> None:
        for name, variable in _weights(model).items():
            variable.assign(values[name])

    counters = [v for name, v in theirs.items() if name.startswith(_OPTIMIZER) and "iteration" in name]
    rates = [v for name, v in theirs.items() if name.startswith(_OPTIMIZER) and "learning_rate" in name]
    found = Arrays(
        values=theirs,
        write=write,
        load=lambda: model.set_state_tree(tree),
        load_over=load_over,
        step=max((int(value) for value in counters if not value.shape), default=None),
        is_optimizer=lambda name: name.startswith(_OPTIMIZER),
        changes=lambda _theirs, _own, _has_others: _changes(model, groups, kept),
        learning_rates=[float(value) for value in rates if not value.shape],
    )
    return arrays_plan(found, live, weights_only=weights_only)


def _changes(model: Any, groups: Mapping[str, str], kept: Mapping[str, Any]) -> list[str]:  # noqa: ANN401
    """The layers that lay in the other group of weights when this was saved, and an optimizer of another class."""
    was = {
        id(variable)
        for layer in layers_of(model)
        for variable in layer.variables
        if groups.get(variable.path) == "trainable_variables"
    }
    now = {id(variable) for variable in model.trainable_variables}
    changed = [item for item in changed_by_variables(was, now, [model]) if item.variables[0].path in groups]
    names = {parts[1] for name in kept if name.startswith(_OPTIMIZER) and len(parts := name.split("/")) > 2}
    told = told_other_optimizer(model.optimizer, next(iter(names))) if len(names) == 1 else []
    return [*told, *told_changes(changed)]


def _one_group(values: Mapping[str, Any]) -> dict[str, Any]:
    """Weights under one name, whether they are trained or not."""
    return {
        f"weights/{name.partition('/')[2]}" if name.startswith(_WEIGHTS) else name: value
        for name, value in values.items()
    }


def _weights(model: Any) -> dict[str, Any]:  # noqa: ANN401
    """The model's variables by their names in a file."""
    return {f"weights/{item.path}": item for item in (*model.trainable_variables, *model.non_trainable_variables)}


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{path}{name}/") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return found


def _typed(value: Any, like: Any) -> Any:  # noqa: ANN401
    import numpy as np

    array = np.asarray(value)
    return array.astype(like.dtype) if like is not None and not array.shape and not like.shape else array

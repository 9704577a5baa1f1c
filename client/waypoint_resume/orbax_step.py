"""Steps of Keras 3's OrbaxCheckpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import arrays_plan, require_generation
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan


def orbax_plan(path: Path, live: Live) -> LoadPlan:
    """A step of Keras 3's OrbaxCheckpoint: its tree of values, by the paths of the model's own state tree."""
    import orbax.checkpoint as ocp

    model = live.model
    require_generation(model, 3, path)
    logging.getLogger("absl").setLevel(logging.ERROR)
    tree = ocp.PyTreeCheckpointer().restore(str(path / "pytree"))
    own = _flat(model.get_state_tree(value_format="numpy_array"))
    # Keras stores scalars as Python's numbers, which have no type of their own: they get the model's.
    theirs = {name: _typed(value, own.get(name)) for name, value in _flat(tree).items()}
    counters = [v for name, v in theirs.items() if name.startswith("optimizer_variables/") and "iteration" in name]
    return arrays_plan(
        theirs,
        lambda: _flat(model.get_state_tree(value_format="numpy_array")),
        lambda: model.set_state_tree(tree),
        max((int(value) for value in counters if not value.shape), default=None),
        lambda name: name.startswith("optimizer_variables/"),
    )


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{path}{name}/") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return found


def _typed(value: Any, like: Any) -> Any:  # noqa: ANN401
    import numpy as np

    array = np.asarray(value)
    return array.astype(like.dtype) if like is not None and not array.shape and not like.shape else array

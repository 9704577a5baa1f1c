"""Keras' legacy `.h5` files: models and weights."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import arrays_plan, quietly, require_generation
from waypoint_resume.errors import ResumeError
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import keras_generation, slot_meaning


def hdf5_plan(path: Path, live: Live) -> LoadPlan:
    """A legacy `.h5`: Keras loads its weights, and the optimizer's, in the order of the file, are assigned here."""
    import h5py

    model = live.model
    with h5py.File(path, "r") as file:
        top = file.get("model_weights", file)
        version = top.attrs.get("keras_version", file.attrs.get("keras_version", "0"))
        version = version.decode() if isinstance(version, bytes) else version
        require_generation(model, int(str(version).partition(".")[0]), path)
        theirs, values = _ordered(file)

    def write() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            own = f"{folder}/own.h5"
            quietly(lambda: model.save(own, **({"save_format": "h5"} if keras_generation(model) == 2 else {})))
            with h5py.File(own, "r") as file:
                return _ordered(file)[0]

    def load() -> None:
        quietly(lambda: model.load_weights(str(path)))
        own = getattr(model.optimizer, "variables", ()) if values else ()
        variables = list(own() if callable(own) else own)
        if len(variables) != len(values):
            raise ResumeError(
                f"{path.name} holds {len(values)} optimizer variables, and the model has {len(variables)}."
            )
        for variable, (_, value) in zip(variables, values):
            variable.assign(value)

    counters = [value for name, value in values if re.search(r"(^|/)iter(ation)?s?(:0)?$", name) and not value.shape]
    step = max(map(int, counters), default=None)
    return arrays_plan(theirs, write, load, step, lambda name: name.startswith("optimizer"))


def _ordered(file: Any) -> tuple[dict[str, Any], list[tuple[str, Any]]]:  # noqa: ANN401
    """A legacy file's arrays by layer and place, for names count up from model to model, and what each slot is for;
    and the optimizer's names and arrays in their order.
    """

    def texts(group: Any, name: str) -> list[str]:  # noqa: ANN401
        parts = [group.attrs[name]] if name in group.attrs else []
        while not parts or f"{name}{len(parts) - 1}" in group.attrs:  # long lists are split
            if f"{name}{len(parts)}" not in group.attrs:
                break
            parts.append(group.attrs[f"{name}{len(parts)}"])
        return [item.decode() if isinstance(item, bytes) else str(item) for part in parts for item in part]

    top = file.get("model_weights", file)
    found: dict[str, Any] = {}
    trained: list[str] = []
    layers = [name for name in texts(top, "layer_names") if texts(top[name], "weight_names")]
    for number, layer in enumerate([*layers, *(n for n in ("top_level_model_weights",) if n in top)]):
        for place, name in enumerate(texts(top[layer], "weight_names")):
            trained.append(name.partition(":")[0])
            found[f"layer {number}/{place}"] = top[layer][name][()]
    values = []
    if "optimizer_weights" in file:
        group = file["optimizer_weights"]
        for place, name in enumerate(texts(group, "weight_names")):
            values.append((name, group[name][()]))
            found[f"optimizer/{place}"] = values[-1][1]
            found[f"optimizer/{place} (slot)"] = slot_meaning(name.partition(":")[0], trained) or ""
    return found, values

"""Keras' legacy `.h5` files: models and weights."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import Arrays, arrays_plan, quietly, require_generation, write_over
from waypoint_resume.errors import ResumeError
from waypoint_resume.keras_files import changes_of, is_rate, rate_in
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import keras_generation, slot_meaning


def hdf5_plan(path: Path, live: Live, *, weights_only: bool = False) -> LoadPlan:
    """A legacy `.h5`: Keras loads its weights, and the optimizer's, in the order of the file, are assigned here.

    Keras loads by order, and within a model that is a layer of another one the order follows what is frozen: values
    would land in other layers without a word. So there they are brought into the model's order by their names.
    """
    import h5py

    model = live.model
    with h5py.File(path, "r") as file:
        top = file.get("model_weights", file)
        version = top.attrs.get("keras_version", file.attrs.get("keras_version", "0"))
        version = version.decode() if isinstance(version, bytes) else version
        require_generation(model, int(str(version).partition(".")[0]), path)
        there = _Ordered.read(file)
        config = {**_json_in(file, "model_config")}
        config["compile_config"] = {"optimizer": _json_in(file, "training_config").get("optimizer_config")}

    def save_own(folder: str) -> str:
        own = f"{folder}/own.h5"
        quietly(lambda: model.save(own, **({"save_format": "h5"} if keras_generation(model) == 2 else {})))
        return own

    def read_own() -> _Ordered:
        with tempfile.TemporaryDirectory() as folder, h5py.File(save_own(folder), "r") as file:
            return _Ordered.read(file)

    here = read_own()
    theirs = there.in_order_of(here)

    def load_over(values: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = save_own(folder)
            with h5py.File(own, "r+") as file:
                inner = {here.paths[name]: value for name, value in values.items() if name in here.paths}
                write_over(file, inner)
            quietly(lambda: model.load_weights(own))

    def load() -> None:
        if theirs.keys() == there.values.keys() and all(theirs[name] is there.values[name] for name in theirs):
            quietly(lambda: model.load_weights(str(path)))
        else:
            load_over({name: value for name, value in theirs.items() if not _is_optimizer(name)})
        own = getattr(model.optimizer, "variables", ()) if there.slots else ()
        variables = list(own() if callable(own) else own)
        if len(variables) != len(there.slots):
            raise ResumeError(
                f"{path.name} holds {len(there.slots)} optimizer variables, and the model has {len(variables)}."
            )
        for variable, (_, value) in zip(variables, there.slots):
            variable.assign(value)

    rates = [float(value) for name, value in there.slots if "learning_rate" in name and is_rate(value)]
    counters = [value for name, value in there.slots if re.search(r"(^|/)iter(ation)?s?(:0)?$", name)]
    found = Arrays(
        values=theirs,
        write=lambda: read_own().values,
        load=load,
        load_over=load_over,
        step=max((int(value) for value in counters if not value.shape), default=None),
        is_optimizer=_is_optimizer,
        changes=functools.partial(changes_of, config, model),
        learning_rates=rates or rate_in(config["compile_config"]["optimizer"] or {}),
    )
    return arrays_plan(found, live, weights_only=weights_only)


def _is_optimizer(name: str) -> bool:
    return name.startswith("optimizer")


def _json_in(file: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    """An attribute of a file that is a JSON object; {} where it is none."""
    try:
        found = json.loads(file.attrs[name])
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass
class _Ordered:
    """A legacy file's arrays by layer and place, for names count up from model to model, and what each slot is for;
    their paths in the file; the names of each layer's arrays without what is above all of them; and the optimizer's
    names and arrays, in their order.
    """

    values: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    names: list[list[str]] = field(default_factory=list)
    slots: list[tuple[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, file: Any) -> _Ordered:  # noqa: ANN401
        """All of a file."""
        top, found, trained = file.get("model_weights", file), cls(), []
        above = "model_weights/" if "model_weights" in file else ""
        layers = [name for name in _texts(top, "layer_names") if _texts(top[name], "weight_names")]
        for number, layer in enumerate([*layers, *(n for n in ("top_level_model_weights",) if n in top)]):
            names = _texts(top[layer], "weight_names")
            for place, name in enumerate(names):
                found.values[f"layer {number}/{place}"] = top[layer][name][()]
                found.paths[f"layer {number}/{place}"] = f"{above}{layer}/{name}"
            plain = [name.partition(":")[0] for name in names]
            trained += plain
            found.names.append([name.partition("/")[2] for name in plain] if _have_one_top(plain) else plain)
        if "optimizer_weights" in file:
            group = file["optimizer_weights"]
            for place, name in enumerate(_texts(group, "weight_names")):
                found.slots.append((name, group[name][()]))
                found.values[f"optimizer/{place}"] = found.slots[-1][1]
                found.values[f"optimizer/{place} (slot)"] = slot_meaning(name.partition(":")[0], trained) or ""
        return found

    def in_order_of(self, own: _Ordered) -> dict[str, Any]:
        """The values, with those of each layer in the order in which the job's model has the same names."""
        found = dict(self.values)
        for number, (theirs, mine) in enumerate(zip(self.names, own.names)):
            if theirs != mine and sorted(theirs) == sorted(mine) and len(set(mine)) == len(mine):
                for place, name in enumerate(mine):
                    found[f"layer {number}/{place}"] = self.values[f"layer {number}/{theirs.index(name)}"]
        return found


def _have_one_top(names: list[str]) -> bool:
    """Whether all names lie below one, which is the model's and counts up from model to model."""
    return len({name.partition("/")[0] for name in names}) == 1 and all(name.count("/") > 1 for name in names)


def _texts(group: Any, name: str) -> list[str]:  # noqa: ANN401
    """An attribute that is a list of names; long ones are split."""
    parts = [group.attrs[name]] if name in group.attrs else []
    while not parts or f"{name}{len(parts) - 1}" in group.attrs:
        if f"{name}{len(parts)}" not in group.attrs:
            break
        parts.append(group.attrs[f"{name}{len(parts)}"])
    return [item.decode() if isinstance(item, bytes) else str(item) for part in parts for item in part]

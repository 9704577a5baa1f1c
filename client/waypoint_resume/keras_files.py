"""Keras' `.keras` and `.weights.h5` files."""

from __future__ import annotations

import functools
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import Arrays, Shapes, arrays_plan, datasets_of, quietly, require_generation, write_over
from waypoint_resume.freezing import (
    changed_by_config,
    changed_by_shapes,
    flags_tell,
    told_changes,
    told_other_class,
)
from waypoint_resume.keras_folder import CONFIG, METADATA, WEIGHTS
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import as_if_built, is_optimizer

_COUNTER = re.compile(r".*/vars/0")
_RATE = re.compile(r".*/vars/1")


def _generation(metadata: bytes) -> int:
    """The Keras that wrote a file."""
    return int(json.loads(metadata)["keras_version"].partition(".")[0])


def keras_plan(path: Path, live: Live, *, weights_only: bool = False) -> LoadPlan:
    """The weights of a `.keras` file, of a model's folder, or a `.weights.h5`, by what the model itself would write."""
    import h5py

    model, written, config = live.model, 0, None
    if path.is_dir():
        written, config = _generation((path / METADATA).read_bytes()), json.loads((path / CONFIG).read_bytes())
        path = path / WEIGHTS
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            written, config = _generation(archive.read(METADATA)), json.loads(archive.read(CONFIG))
            require_generation(model, written, path)
            with h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as file:
                theirs = datasets_of(file)
    else:
        require_generation(model, written, path)
        with h5py.File(path, "r") as file:
            theirs = datasets_of(file)

    def is_of_optimizer(name: str) -> bool:
        parts = name.split("/")
        return parts[0].endswith("optimizer") or _leads_to_optimizer(model, parts)

    counters = [int(value) for name, value in theirs.items() if _is_counter(name, value) and is_of_optimizer(name)]
    rated = (name for name in theirs if _RATE.fullmatch(name) and is_of_optimizer(name))
    rates = [float(theirs[name]) for name in rated if is_rate(theirs[name])]

    def write() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            with as_if_built(model):
                model.save_weights(f"{folder}/own.weights.h5")
            with h5py.File(f"{folder}/own.weights.h5", "r") as file:
                return datasets_of(file)

    def load() -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = path
            if path.name.endswith(".bkp"):  # BackupAndRestore's second copy, a name that Keras does not take
                own = Path(folder, "copy.weights.h5")
                own.symlink_to(path.absolute())
            with as_if_built(model):
                quietly(lambda: model.load_weights(str(own)))

    def load_over(values: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder, as_if_built(model):
            own = f"{folder}/own.weights.h5"
            model.save_weights(own)
            with h5py.File(own, "r+") as file:
                write_over(file, values)
            quietly(lambda: model.load_weights(own))

    found = Arrays(
        values=theirs,
        write=write,
        load=load,
        load_over=load_over,
        step=max(counters, default=None),
        is_optimizer=is_of_optimizer,
        changes=functools.partial(changes_of, config, model),
        learning_rates=rates or rate_in(_optimizer_in(config)),
    )
    return arrays_plan(found, live, weights_only=weights_only)


def changes_of(config: Any, model: Any, theirs: Shapes, own: Shapes, has_others: bool) -> list[str]:  # noqa: ANN401
    """What a model's configuration in a file, or else the shapes of the optimizer's values there and here, tell of the
    layers that were trained and of the optimizer's class. `has_others`: the optimizer's values do not fit.
    """
    config = config if isinstance(config, Mapping) else {}
    named = _optimizer_in(config).get("class_name")
    kind = named.rpartition(">")[2] if isinstance(named, str) else None  # without the name of who registered it
    optimizer = getattr(model, "optimizer", None)
    # Under mixed precision Keras wraps the optimizer that was given, and writes the given one's name.
    now = [type(item).__name__ for item in (optimizer, getattr(optimizer, "inner_optimizer", None)) if item is not None]
    found = [told_other_class(now[-1], kind)] if kind and now and kind not in now else []
    changed = changed_by_config(config, model)
    if changed and not has_others and not flags_tell(changed, theirs, own, model):
        changed = []
    elif not changed and not found and has_others:
        changed = changed_by_shapes(theirs, own, model)
    return [*found, *told_changes(changed)]


def _optimizer_in(config: Any) -> Mapping[str, Any]:  # noqa: ANN401
    """The optimizer's configuration in a model's; an empty one where there is none."""
    for name in ("compile_config", "optimizer"):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def rate_in(optimizer: Mapping[str, Any]) -> list[float]:
    """The learning rate in an optimizer's configuration: tf-keras keeps it nowhere else; [] for a schedule."""
    config = optimizer.get("config")
    rate = config.get("learning_rate") if isinstance(config, Mapping) else None
    return [rate] if isinstance(rate, float) else []


def is_rate(value: Any) -> bool:  # noqa: ANN401
    """Whether an array is one number with a fraction."""
    return getattr(value, "shape", None) == () and getattr(value, "dtype", None) is not None and value.dtype.kind == "f"


def _is_counter(name: str, value: Any) -> bool:  # noqa: ANN401 - an array or a title
    """Whether a value is what an optimizer of either Keras writes first: its count of steps."""
    return bool(_COUNTER.fullmatch(name)) and not value.shape and value.dtype.kind in "iu"


def _leads_to_optimizer(item: Any, parts: Sequence[str]) -> bool:  # noqa: ANN401
    """Whether a path in a file leads to an optimizer, however the model's attribute is called; in a list or dictionary
    Keras names the parts by their classes.
    """
    if is_optimizer(item) or not parts:
        return is_optimizer(item)
    if isinstance(item, (list, tuple, Mapping)):
        named = re.sub(r"\d+$", "", parts[0].replace("_", ""))
        held = item.values() if isinstance(item, Mapping) else item
        return any(_leads_to_optimizer(one, parts[1:]) for one in held if type(one).__name__.lower() == named)
    return _leads_to_optimizer(getattr(item, parts[0], None), parts[1:])

"""Keras' `.keras` and `.weights.h5` files."""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import arrays_plan, datasets_of, quietly, require_generation
from waypoint_resume.keras_folder import CONFIG, METADATA, WEIGHTS
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import as_if_built, is_optimizer

_COUNTER = re.compile(r".*/vars/0")


def _said(metadata: bytes, config: bytes) -> tuple[int, str | None]:
    """Keras' generation, and the kind of the optimizer that the model was compiled with."""
    compiled = json.loads(config).get("compile_config") or {}
    told = compiled.get("optimizer") if isinstance(compiled, dict) else None
    kind = told.get("class_name") if isinstance(told, dict) else None  # a name alone: compile() was given none
    return int(json.loads(metadata)["keras_version"].partition(".")[0]), kind


def keras_plan(path: Path, live: Live) -> LoadPlan:
    """The weights of a `.keras` file, of a model's folder, or a `.weights.h5`, by what the model itself would write."""
    import h5py

    model, written, kind = live.model, 0, None
    if path.is_dir():
        written, kind = _said((path / METADATA).read_bytes(), (path / CONFIG).read_bytes())
        path = path / WEIGHTS
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            written, kind = _said(archive.read(METADATA), archive.read(CONFIG))
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

    plan = arrays_plan(theirs, write, load, max(counters, default=None), is_of_optimizer)
    # Under mixed precision Keras wraps the optimizer that was given, and writes the given one's name.
    optimizer = getattr(model, "optimizer", None)
    own_kind = type(optimizer).__name__ if optimizer is not None else None
    own_kinds = {own_kind, type(getattr(optimizer, "inner_optimizer", optimizer)).__name__}
    if plan.has_optimizer and kind and own_kind and kind.rpartition(">")[2] not in own_kinds:
        plan.differences.append(f"slot: the optimizer is {own_kind} in the model, {kind} in the file")
    return plan


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

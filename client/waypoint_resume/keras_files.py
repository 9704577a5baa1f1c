"""Keras' `.keras` and `.weights.h5` files."""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from waypoint_resume.arrays import arrays_plan, datasets_of, quietly, require_generation
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan

_KERAS_COUNTER = re.compile(r"(^|/)(\w*optimizer)(/inner_optimizer)?/vars/0")


def keras_plan(path: Path, live: Live) -> LoadPlan:
    """A `.keras` file's weights or a `.weights.h5`, by what the model itself would write."""
    import h5py

    model, written, kind = live.model, 0, None
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            written = int(json.loads(archive.read("metadata.json"))["keras_version"].partition(".")[0])
            compiled = json.loads(archive.read("config.json")).get("compile_config") or {}
            kind = (compiled.get("optimizer") or {}).get("class_name") if isinstance(compiled, dict) else None
            require_generation(model, written, path)
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                theirs = datasets_of(file)
    else:
        require_generation(model, written, path)
        with h5py.File(path, "r") as file:
            theirs = datasets_of(file)
    counters = [int(value) for name, value in theirs.items() if _KERAS_COUNTER.fullmatch(name) and not value.shape]

    def write() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            model.save_weights(f"{folder}/own.weights.h5")
            with h5py.File(f"{folder}/own.weights.h5", "r") as file:
                return datasets_of(file)

    def load() -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = path
            if path.name.endswith(".bkp"):  # BackupAndRestore's second copy, a name that Keras does not take
                own = Path(folder, "copy.weights.h5")
                own.symlink_to(path.absolute())
            quietly(lambda: model.load_weights(str(own)))

    plan = arrays_plan(
        theirs,
        write,
        load,
        max(counters, default=None),
        lambda name: name.partition("/")[0].endswith("optimizer"),
    )
    # Under mixed precision Keras wraps the optimizer that was given, and writes the given one's name.
    optimizer = getattr(model, "optimizer", None)
    own_kind = type(optimizer).__name__ if optimizer is not None else None
    own_kinds = {own_kind, type(getattr(optimizer, "inner_optimizer", optimizer)).__name__}
    if plan.has_optimizer and kind and own_kind and kind.rpartition(">")[2] not in own_kinds:
        plan.differences.append(f"slot: the optimizer is {own_kind} in the model, {kind} in the file")
    return plan

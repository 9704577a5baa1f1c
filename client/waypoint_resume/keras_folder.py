"""Models that Keras 3 saved into a folder (`model.save(folder, zipped=False)`, KerasHub's presets)."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from waypoint_resume.packed import packed_name

FORMAT = "keras-folder"
CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
_LONGEST = 1 << 20  # bytes of a metadata.json
_LFS_POINTER = b"version https://git-lfs"
# What KerasHub keeps beside the model.
_BESIDE = frozenset(("task.json", "task.weights.h5", "preprocessor.json", "tokenizer.json"))
_CONVERTER = "_converter.json"


def is_keras_folder(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder with these names is such a model: its metadata are those that Keras writes, or, as Keras never
    looks at them, compressed or kept elsewhere by Git LFS.
    """
    if not {CONFIG, WEIGHTS}.issubset(names):
        return False
    if METADATA not in names:
        return packed_name(METADATA, names) is not None
    try:
        with (folder / METADATA).open("rb") as file:
            content = file.read(_LONGEST)
        found = {"keras_version": ""} if content.startswith(_LFS_POINTER) else json.loads(content)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("keras_version"), str)


def is_part(name: str) -> bool:
    """Whether a name in such a folder belongs to the model."""
    return name in (CONFIG, METADATA, WEIGHTS, ASSETS) or name in _BESIDE or name.endswith(_CONVERTER)

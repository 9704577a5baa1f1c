"""Which files a checkpoint consists of."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from waypoint_resume.checkpoints import ORBAX_MARK, SAVED_MODEL_FILES, Found
from waypoint_resume.damage import bundle_prefix
from waypoint_resume.files import names_in_folder
from waypoint_resume.keras_folder import CONFIG, is_part
from waypoint_resume.keras_folder import FORMAT as KERAS_FOLDER

_BACKUP_FILES = ("latest.weights.h5", "training_metadata.json")
_MARKS = (*SAVED_MODEL_FILES, ORBAX_MARK, CONFIG)
_SAVED_MODEL_PARTS = re.compile(r"saved_model\.pb(txt)?|fingerprint\.pb|keras_metadata\.pb|variables|assets(\.extra)?")


def files_of(run: Path, found: Found) -> list[str]:
    """A checkpoint's files relative to the run, the one that makes it whole first."""
    path = run / found.path
    if path.is_dir() and found.format != "tf-bundle":
        top = [path / name for name in names_in_folder(path)]
        if found.format == "saved-model":
            top = [item for item in top if _SAVED_MODEL_PARTS.fullmatch(item.name)]
        if found.format == KERAS_FOLDER:
            top = [item for item in top if is_part(item.name)]
        files = sorted(_all_below(top), key=lambda file: (file.name not in _MARKS, str(file)))
    elif found.format == "tf-bundle":
        prefix = Path(f"{bundle_prefix(path)}.index")
        own = re.compile(re.escape(prefix.name[: -len(".index")]) + r"\.(index|meta|data-\d{5,}-of-\d{5,})")
        files = [prefix.parent / name for name in names_in_folder(prefix.parent) if own.fullmatch(name)]
        files.sort(key=lambda file: (not file.name.endswith(".index"), file.name))
    elif found.format == "tf-v1":
        files = [item for item in (path, Path(f"{path}.meta")) if item.is_file()]
    elif found.format == "weights-h5-sharded":
        files = [path, *(path.parent / name for name in shards_named_in(path) if (path.parent / name).is_file())]
    elif path.name.startswith(_BACKUP_FILES[0]):
        files = [path.parent / name for name in sorted(names_in_folder(path.parent)) if name.startswith(_BACKUP_FILES)]
    else:
        files = [path]
    return [file.relative_to(run).as_posix() for file in files]


def _all_below(places: Iterable[Path]) -> list[Path]:
    found = []
    for place in places:
        if place.is_dir() and not place.is_symlink():
            found += [Path(folder, name) for folder, _, names in os.walk(place) for name in names]
        else:
            found.append(place)
    return found


def shards_named_in(path: Path) -> list[str]:
    """The files that a `.weights.json` names; none where it cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        weight_map = json.loads(path.read_bytes())["weight_map"]
        listed = (names if isinstance(names, list) else [names] for names in weight_map.values())
        return sorted({str(name) for names in listed for name in names})
    return []

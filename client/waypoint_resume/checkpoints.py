"""The checkpoints that lie in a run, as a job finds them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waypoint_resume.files import names_in_folder
from waypoint_resume.places import HIDDEN, MANIFEST

_SKIPPED = frozenset({HIDDEN, ".git", ".venv", "node_modules", "site-packages", "__pycache__"})
_TEMP_FOLDER = re.compile(r".+_temp(?:_[0-9a-f]{32})?", re.DOTALL)
_TEMP_PART = re.compile(r"part-\d+-of-\d+\..+", re.DOTALL)
USELESS_SPAN = 2.0  # seconds: checkpoints that were all saved within them were copied, and their times tell nothing


@dataclass
class Found:
    """A checkpoint on disk: its path relative to the run as the manifest would write it, and when it was saved."""

    path: str
    format: str
    saved: float


def find_checkpoints(run: Path) -> Iterator[Found]:
    """Every checkpoint of a run that this client may restore, in no order. What was set aside is not among them."""
    for folder, folders, files in os.walk(run):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if name not in _SKIPPED
            and not ({MANIFEST, HIDDEN} & names_in_folder(here / name))
            and not _is_temp(here / name)
        ]
        for name in [name for name in folders if "saved_model.pb" in names_in_folder(here / name)]:
            folders.remove(name)
            yield found_at(run, here / name, "saved-model", here / name / "variables" / "variables.index")
        for name in [name for name in folders if "_CHECKPOINT_METADATA" in names_in_folder(here / name)]:
            folders.remove(name)
            yield found_at(run, here / name, "orbax", here / name / "_CHECKPOINT_METADATA")
        for name in files:
            path = here / name
            if not path.is_file():
                continue  # a pipe would hang its reader
            if name.endswith(".index") and any(other.startswith(f"{path.stem}.data-") for other in files):
                yield found_at(run, here / path.stem, "tf-bundle", path)
            elif name.endswith((".weights.h5", ".weights.h5.bkp")):
                yield found_at(run, path, "weights-h5", path)
            elif path.suffix in (".keras", ".h5", ".hdf5"):
                yield found_at(run, path, "keras" if path.suffix == ".keras" else "hdf5", path)


def _is_temp(folder: Path) -> bool:
    """Whether a folder is one in which TensorFlow writes a bundle's parts; people use that ending too."""
    names = names_in_folder(folder) if _TEMP_FOLDER.fullmatch(folder.name) else set()
    return bool(names) and all(_TEMP_PART.fullmatch(name) for name in names)


def found_at(run: Path, path: Path, kind: str, dated: Path) -> Found:
    """The last file that is written of a checkpoint dates it."""
    with contextlib.suppress(OSError):
        return Found(path.relative_to(run).as_posix(), kind, dated.stat().st_mtime)
    return Found(path.relative_to(run).as_posix(), kind, 0.0)

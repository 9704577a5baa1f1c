"""The checkpoints that lie in a run, as a job finds them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waypoint_resume.data_cache import is_data_cache
from waypoint_resume.files import names_in_folder
from waypoint_resume.keras_folder import FORMAT as KERAS_FOLDER
from waypoint_resume.keras_folder import WEIGHTS, is_keras_folder
from waypoint_resume.run_tree import RunTree

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
ORBAX_MARK = "_CHECKPOINT_METADATA"
ORBAX_TEMP = ".orbax-checkpoint-tmp"
_ORBAX_TREE = "_METADATA"
_NUMBERED = re.compile(r"(?:.*_)?\d+", re.DOTALL)
_REST_OF_ITEM = frozenset({"commit_success.txt", "_sharding", "array_metadatas"})
_SHARD_H5 = re.compile(r".+_\d{5}\.weights\.h5", re.DOTALL)
_ENDINGS = (
    (".weights.json", "weights-h5-sharded"),
    (".weights.h5", "weights-h5"),
    (".weights.h5.bkp", "weights-h5"),  # BackupAndRestore's one before
    (".keras", "keras"),
    (".h5", "hdf5"),
    (".hdf5", "hdf5"),
)
# Where workers that are not the chief save for TensorFlow's sake: nobody reads it, and the save's end deletes it.
_WORKER_TEMP = re.compile(r"(?:^|/)(workertemp_\d+)(?:/|$)")
PART = "part-00000-of-00001"  # in a save's temporary folder: the only part of that save
USELESS_SPAN = 2.0  # seconds: checkpoints that were all saved within them were copied, and their times tell nothing


@dataclass
class Found:
    """A checkpoint on disk: its path relative to the run as the manifest would write it, and when it was saved.

    A bundle without a name (saved under `folder/`) has its folder's path.
    """

    path: str
    format: str
    saved: float


def find_checkpoints(run: Path, tree: RunTree | None = None) -> Iterator[Found]:
    """Every checkpoint of a run, by its name, in no order. What was set aside is not among them, nor what lies in a
    folder below that a job has named as its own run. `tree`: the run where it was listed already.
    """
    tree = RunTree(run) if tree is None else tree
    for here, folders, files in tree.walk():
        for name in list(folders):
            names = tree.names_in(here / name)
            marks = [mark for mark in SAVED_MODEL_FILES if mark in names]
            if marks:
                yield found_at(run, here / name, "saved-model", here / name / "variables" / "variables.index")
            elif ORBAX_MARK in names and ORBAX_TEMP not in name:
                yield found_at(run, here / name, "orbax", here / name / ORBAX_MARK)
            elif ORBAX_TEMP not in name and (dated := _unmarked_tree(here / name, names)) is not None:
                yield found_at(run, here / name, "orbax", dated)
                folders.remove(name)
            elif is_keras_folder(here / name, names):
                yield found_at(run, here / name, KERAS_FOLDER, here / name / WEIGHTS)
                folders.remove(name)
            elif _is_rest_of_step(here / name, names) and any(
                _is_step(here / other) for other in folders if _prefix(other) == _prefix(name)
            ):
                yield found_at(run, here / name, "orbax", here / name)  # its manager takes it for a step, and fails
                folders.remove(name)
            if marks or ORBAX_MARK in names or ORBAX_TEMP in name:
                folders.remove(name)  # an Orbax save that was not finished is no checkpoint, whatever lies in it
        yield from _in_folder(run, here, files)


def worker_temp(path: str) -> str | None:
    """The name of the workers' temporary folder that a POSIX path is, or leads through; None without one."""
    match = _WORKER_TEMP.search(path)
    return None if match is None else match[1]


def name_of_save(path: str) -> str:
    """The path that a checkpoint would have had: `ckpt-1` of a part in `ckpt-1_temp`; that of any other is its own."""
    folder, _, name = path.rpartition("/")
    return folder.rpartition("_temp")[0] or path if name == PART else path


def is_killed_save(path: str) -> bool:
    """Whether a path is that of a part in a save's temporary folder."""
    return name_of_save(path) != path


def _unmarked_tree(folder: Path, names: set[str]) -> Path | None:
    """The tree's metadata in a step of early Orbax, which has no mark: a numbered folder that holds items."""
    if not _NUMBERED.fullmatch(folder.name):
        return None
    for item in sorted(names):
        tree = folder / item / _ORBAX_TREE
        if tree.is_file() and not (folder / item / ORBAX_MARK).exists():
            return tree
    return None


def _prefix(step: str) -> str:
    """What one Orbax manager puts in front of all of its steps' numbers."""
    return step.rstrip("0123456789")


def _is_step(folder: Path) -> bool:
    """Whether a folder is a step that an Orbax manager saved."""
    is_named = _NUMBERED.fullmatch(folder.name) is not None
    return is_named and ((folder / ORBAX_MARK).is_file() or _unmarked_tree(folder, names_in_folder(folder)) is not None)


def _is_rest_of_step(folder: Path, names: set[str]) -> bool:
    """Whether a folder has the name of an Orbax step, and nothing of it but metrics and items that are empty or were
    never finished.
    """
    if not _NUMBERED.fullmatch(folder.name):
        return False
    others = [folder / name for name in names if name not in ("metrics", "commit_success.txt")]
    return all(ORBAX_TEMP in item.name or _is_rest_of_item(item) for item in others)


def _is_rest_of_item(item: Path) -> bool:
    """Whether a folder has at most the parts of an Orbax item without which no tree is read."""
    return item.is_dir() and names_in_folder(item) <= _REST_OF_ITEM


def walk_run(run: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """The folders of a run as os.walk gives them, without Waypoint's own, temporary ones, and runs of other jobs."""
    return RunTree(run).walk()


def _in_folder(run: Path, here: Path, files: list[str]) -> Iterator[Found]:
    names = set(files)
    sharded = tuple(name[: -len(".weights.json")] for name in files if name.endswith(".weights.json"))
    for name in files:
        path = here / name
        if not path.is_file():
            continue  # a pipe would hang its reader
        prefix = name.removesuffix(".index")
        if name == "..index":
            continue  # its prefix is a dot, which is its folder's path
        if prefix != name and any(other.startswith(f"{prefix}.data-") for other in files):
            if is_data_cache(path):
                continue
            yield found_at(run, here / prefix if prefix else here, "tf-bundle", path)
        elif f"{name}.meta" in names and f"{name}.index" not in names:
            yield found_at(run, path, "tf-v1", path)
        elif sharded and _SHARD_H5.fullmatch(name) and name.startswith(sharded):
            continue  # a part of a sharded one
        else:
            kind = _kind_by_ending(name)
            if kind is not None:
                yield found_at(run, path, kind, path)


def _kind_by_ending(name: str) -> str | None:
    return next((kind for ending, kind in _ENDINGS if name.endswith(ending) and name != ending), None)


def format_of_file(path: str) -> str | None:
    """The format of a checkpoint that is a single file, by its name; None for any other."""
    kind = _kind_by_ending(path.rpartition("/")[2])
    return None if kind == "weights-h5-sharded" else kind


def found_at(run: Path, path: Path, kind: str, dated: Path) -> Found:
    """The last file that is written of a checkpoint dates it."""
    with contextlib.suppress(OSError):
        return Found(path.relative_to(run).as_posix(), kind, dated.stat().st_mtime)
    return Found(path.relative_to(run).as_posix(), kind, 0.0)

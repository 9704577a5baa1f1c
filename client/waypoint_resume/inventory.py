"""What lies in a run that training could go on from, of any format and under any name.

`find_checkpoints` goes by names. Here also counts what the names do not tell: renamed files whose content says what
they are, Orbax steps without a mark, the run's folder itself. A start asks for it before it begins afresh.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.checkpoints import (
    ORBAX_MARK,
    ORBAX_TEMP,
    SAVED_MODEL_FILES,
    Found,
    find_checkpoints,
    found_at,
)
from waypoint_resume.damage import HDF5_MAGIC, SHARD, TABLE_MAGIC, ZIP_MAGIC, ends_of
from waypoint_resume.packed import unpack_told
from waypoint_resume.run_tree import RunTree
from waypoint_resume.unseen import unseen_in

RENAMED_INDEX, ORBAX_UNFINISHED = "renamed-index", "orbax-unfinished"  # beside the formats of a manifest
RENAMED_SHARD = "renamed-shard"
DOT_BUNDLE = "tf-bundle-dot"  # a bundle whose name is a dot
_ORBAX_NAMES = frozenset({"_METADATA", "manifest.ocdbt"})
_LEVELDB = (".ldb", ".sst")  # tables too, and nobody's checkpoint
_SHARD_LIKE = re.compile(r"(?P<prefix>.*)\.data-\d{5,}-of-\d{5,}[^\d/].*", re.DOTALL)
_KERAS_GROUPS = frozenset({"model_weights", "layers", "_layer_checkpoint_dependencies", "vars"})
_SHORTEST = 64  # bytes: nothing shorter is a checkpoint
_LOOKED_INTO = 50_000  # files under other names, so that a run with a data set in it starts in time


def lying_in(run: Path, tree: RunTree | None = None) -> Iterator[Found]:
    """Everything that may be a checkpoint, those that `find_checkpoints` knows first. `tree`: the run where it was
    listed already.
    """
    tree = RunTree(run) if tree is None else tree
    known = [item for item in find_checkpoints(run, tree) if item.format != "hdf5" or is_keras_hdf5(run / item.path)]
    yield from known
    paths = {item.path for item in known}
    own = tree.names_in(run)
    if any(name in own for name in SAVED_MODEL_FILES):
        yield found_at(run, run, "saved-model", run / "variables" / "variables.index")
    left = _LOOKED_INTO
    for here, folders, files in tree.walk():
        place = here.relative_to(run).as_posix()
        is_part = any(place == path or place.startswith(f"{path}/") for path in paths if path != ".")
        if not is_part and (ORBAX_MARK in files or _ORBAX_NAMES.intersection(files)):
            kind = ORBAX_UNFINISHED if ORBAX_TEMP in place else "orbax"
            folders.clear()
            yield found_at(run, here, kind, here)
        elif not is_part and left > 0:
            left -= len(files)
            yield from _renamed(run, here, files, paths)
    yield from unseen_in(tree)


def _renamed(run: Path, here: Path, files: list[str], paths: set[str]) -> Iterator[Found]:
    """Files under names that tell nothing, by their first and last bytes."""
    shards = {match["prefix"] for name in files if (match := SHARD.fullmatch(name))}
    lone = {prefix for prefix in shards if f"{prefix}.index" not in files}
    if "." in shards - lone:
        yield found_at(run, here / "..index", DOT_BUNDLE, here / "..index")
    for name in files:
        path = here / name
        place = path.relative_to(run).as_posix()
        like = _SHARD_LIKE.fullmatch(name)
        if like and like["prefix"] not in shards and f"{like['prefix']}.index" in files and not _is_part(name):
            yield found_at(run, path, RENAMED_SHARD, path)
        is_known = place in paths or name.endswith((".index", ".meta", *_LEVELDB)) or SHARD.fullmatch(name)
        with contextlib.suppress(OSError):
            if is_known or not path.is_file() or path.stat().st_size < _SHORTEST:
                continue
            head, tail = ends_of(path)
            if head.startswith(HDF5_MAGIC) and is_keras_hdf5(path):
                yield found_at(run, path, "hdf5", path)
            elif head.startswith(ZIP_MAGIC) and _is_keras_zip(path):
                yield found_at(run, path, "keras", path)
            elif tail == TABLE_MAGIC and not (shards and not lone):
                yield found_at(run, path, RENAMED_INDEX if lone else "tf-v1", path)


def _is_part(name: str) -> bool:
    """Whether a shard under another name is compressed, or what a write of it left."""
    return unpack_told(name, ()) is not None or ".tempstate" in name


def is_keras_hdf5(path: Path) -> bool:
    """Whether Keras wrote an HDF5 file; also where that cannot be seen, for the file is cut or h5py is not there."""
    try:
        import h5py

        with h5py.File(path, "r") as file:
            is_legacy = "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_config" in file.attrs
            return bool(is_legacy or _KERAS_GROUPS.intersection(file))
    except Exception:  # noqa: BLE001 - whatever its C library says of a damaged file
        return True


def _is_keras_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False

"""The resume manifest, version 1, as a job reads it, and the files that it names."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_file
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.ids import PATTERN as ID_PATTERN
from waypoint_resume.names import from_text
from waypoint_resume.rules import (
    bool_value,
    count_value,
    int_value,
    matching,
    moment_value,
    number_value,
    one_of,
    path_value,
    place_value,
    scalar_value,
    shown,
    text_of,
    version_value,
)
from waypoint_resume.spec import AnyNames, Fields, MayBeMissing, Problem, Several, find_problems, load_json, or_null

VERSION = 1
LIMIT = 16 * 1024 * 1024  # bytes of a manifest: a sharded checkpoint of 10,000 files needs about 2 MB
FORMATS = (
    *("tf-bundle", "tf-v1", "saved-model", "keras", "hdf5", "weights-h5", "weights-h5-sharded", "orbax"),
    "keras-folder",
)
CONTENTS = ("weights_only", "weights_and_optimizer", "full_model", "export", "unknown")
APIS = (
    "tf.train.Checkpoint.restore",
    "tf.train.Checkpoint.read",
    "tf.compat.v1.train.Saver.restore",
    "keras.saving.load_model",
    "keras.Model.load_weights",
    "tf_keras.models.load_model",
    "tf_keras.Model.load_weights",
    "orbax.checkpoint.PyTreeCheckpointer.restore",
)
MODES = ("continue", "rewind", "fork")
OPTIMIZER_OUTCOMES = ("restored", "not in the file", "refused", "left out")
METRIC_MODES = ("min", "max")
id_value = matching(re.compile(ID_PATTERN))
name_value = text_of(1, 200)
long_text_value = text_of(0, 20_000)
sha256_value = matching(re.compile(r"[0-9a-f]{64}"))


def _each_once(files: list[dict[str, Any]]) -> str | None:
    seen: set[str] = set()
    for file in files:
        if file["path"] in seen:
            return f"{file['path']!r} stands there twice; allowed: each file once"
        seen.add(file["path"])
    return None if files else "no file; allowed: every file of the checkpoint"


_FILE_SPEC = Fields(
    "One file of the checkpoint; `sha256` is null for shards and for files above 4 MiB.",
    {"path": path_value, "bytes": count_value, "sha256": or_null(sha256_value)},
)
_CHECKPOINT_SPEC = Fields(
    "What is to be restored; paths are relative to the run.",
    {
        "path": place_value,
        "format": one_of(*FORMATS),
        "contents": one_of(*CONTENTS),
        "step": or_null(int_value),
        "epoch": or_null(int_value),
        "saved_at": moment_value,
        "files": Several(_FILE_SPEC, _each_once, least=1),
        "variables_fingerprint": or_null(name_value),
    },
)
_RESTORE_SPEC = Fields(
    "How to restore, and from where to count; null is what cannot be known from the files. With `weights_only` the "
    "weights alone are restored, and the training counts anew.",
    {
        "api": one_of(*APIS),
        "initial_step": or_null(int_value),
        "initial_epoch": or_null(count_value),
        "optimizer": or_null(one_of(*OPTIMIZER_OUTCOMES)),
        "weights_only": MayBeMissing(bool_value),
        "best_metric": or_null(
            Fields(
                "The best value so far of what the job watches.",
                {"name": name_value, "value": number_value, "mode": one_of(*METRIC_MODES)},
            )
        ),
        "items": MayBeMissing([place_value]),
    },
)
MANIFEST_SPEC = Fields(
    "A resume manifest of version 1.",
    {
        "version": version_value,
        "id": id_value,
        "created_at": moment_value,
        "created_by": name_value,
        "note": long_text_value,
        "run": place_value,
        "checkpoint": _CHECKPOINT_SPEC,
        "restore": _RESTORE_SPEC,
        "mode": one_of(*MODES),
        "overrides": AnyNames(name_value, scalar_value),
        "checks": [
            Fields(
                "One thing that was looked at before the manifest was written.",
                {"name": name_value, "ok": bool_value, "detail": long_text_value},
            )
        ],
        "warnings_accepted": [name_value],
    },
)


def read_manifest(text: str | bytes) -> tuple[dict[str, Any], list[Problem]]:
    """A manifest of version 1 and every problem that it has; of another version only that is said."""
    document, problems = load_json(text, LIMIT)
    if document is None:
        return {}, problems
    version = document.get("version")
    if type(version) is int and version != VERSION:
        # What else such a document may hold is for its own version to say.
        told = f"{shown(version)} is a version that this Waypoint does not know; allowed: {VERSION}"
        return document, [*problems, Problem("version", told)]
    return document, [*problems, *find_problems(document, MANIFEST_SPEC)]


def path_of_checkpoint(path: str, items: Sequence[str] | None) -> str:
    """The checkpoint's path by that which a manifest names and the items to be restored (`restore.items`): a path that
    is one of those lies right in the checkpoint.
    """
    return posixpath.dirname(path) or "." if items and path in items else path


def parse_manifest(data: str | bytes, name: str) -> dict[str, Any]:
    """A manifest of version 1. ResumeError with every problem at once.

    Its path is that of the whole checkpoint; `inner` is the item in it that is restored, '' for all of it.
    """
    manifest, problems = read_manifest(data)
    if problems:
        head = f"{name} is no manifest that this client reads; nothing was loaded:"
        raise ResumeError("\n  ".join([head, *map(str, problems), "Hand the checkpoint over again."]))
    picked = manifest["checkpoint"]
    whole = path_of_checkpoint(picked["path"], manifest["restore"].pop("items", None))
    picked["inner"] = "" if whole == picked["path"] else posixpath.basename(picked["path"])
    picked["path"] = whole
    return manifest


def takes_weights_only(manifest: Mapping[str, Any] | None) -> bool:
    """Whether a manifest hands over the weights of its checkpoint alone."""
    return manifest is not None and manifest["restore"].get("weights_only") is True


def read_manifest_bytes(path: Path) -> bytes | None:
    """Return the bytes of a manifest, None where there is none; ResumeError where it cannot be read."""
    try:
        return read_file(path)
    except OSError as error:
        raise ResumeError(f"{path} cannot be read: {error.strerror}. Nothing was loaded.") from error


def way_out(run: Path) -> str:
    """What to do where what a manifest names is not there any more, in a sentence."""
    return (
        "Hand another checkpoint over "
        f"({on_the_dashboards_machine(f'resume {shlex.quote(run.name)} --checkpoint …')}), bring the files back, "
        "or withdraw the manifest on the Resume page: then the job goes on from its newest checkpoint."
    )


def check_files(run: Path, manifest: Mapping[str, Any]) -> None:
    """ResumeError naming every file of the manifest's checkpoint that is gone, changed, or a link out of the run."""
    wrong = []
    name, names = manifest["checkpoint"]["path"], [file["path"] for file in manifest["checkpoint"]["files"]]
    if name != "." and not any(one in (name, f"{name}.index") or one.startswith(f"{name}/") for one in names):
        wrong.append(f"none of the files listed is {name}'s")
    for file in manifest["checkpoint"]["files"]:
        path = run / from_text(file["path"])
        try:
            size = path.stat().st_size
            if not path.is_file() or not Path(os.path.realpath(path)).is_relative_to(run):
                wrong.append(f"{file['path']} is no plain file of this run")
            elif size != file["bytes"]:
                wrong.append(f"{file['path']} has {size:,} bytes instead of {file['bytes']:,}")
            elif file["sha256"] is not None and sha256_of(path) != file["sha256"]:
                wrong.append(f"{file['path']} has other content than when it was picked (SHA-256)")
        except (FileNotFoundError, NotADirectoryError):
            wrong.append(f"{file['path']} is gone")
    if wrong:
        head = f"{manifest['checkpoint']['path']} is not what the manifest {manifest['id']} names; nothing was loaded:"
        raise ResumeError("\n  ".join([head, *wrong, way_out(run)]))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

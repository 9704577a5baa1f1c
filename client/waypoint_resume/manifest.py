"""The resume manifest, version 1, as a job reads it, and the files that it names."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_file
from waypoint_resume.names import from_text
from waypoint_resume.spec import (
    UTC_TIME,
    bool_value,
    count_value,
    int_value,
    matching,
    number_value,
    one_of,
    or_null,
    path_value,
    place_value,
    problems_of,
    scalar_value,
    text_value,
    version_value,
)

FORMATS = ("tf-bundle", "tf-v1", "saved-model", "keras", "hdf5", "weights-h5", "weights-h5-sharded", "orbax")
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
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# A spec is a check, a one-element tuple (spec or null), a list (array of), or a dict (exactly these keys).
MANIFEST_SPEC: dict[str, Any] = {
    "version": version_value,
    "id": matching(_ID, "UUID of version 7"),
    "created_at": matching(UTC_TIME, "time in UTC"),
    "created_by": text_value,
    "note": text_value,
    "run": place_value,
    "checkpoint": {
        "path": place_value,
        "format": one_of(*FORMATS),
        "contents": one_of(*CONTENTS),
        "step": or_null(int_value),
        "epoch": or_null(int_value),
        "saved_at": matching(UTC_TIME, "time in UTC"),
        "files": [
            {
                "path": path_value,
                "bytes": count_value,
                "sha256": or_null(matching(re.compile(r"[0-9a-f]{64}"), "SHA-256")),
            }
        ],
        "variables_fingerprint": or_null(text_value),
    },
    "restore": {
        "api": one_of(*APIS),
        "initial_step": or_null(int_value),
        "initial_epoch": or_null(count_value),
        "optimizer": or_null(one_of("restored", "not in the file", "refused")),
        "best_metric": or_null({"name": text_value, "value": number_value, "mode": one_of("min", "max")}),
    },
    "mode": one_of("continue", "rewind", "fork"),
    "overrides": {...: scalar_value},
    "checks": [{"name": text_value, "ok": bool_value, "detail": text_value}],
    "warnings_accepted": [text_value],
}


def parse_manifest(data: bytes, name: str) -> dict[str, Any]:
    """A manifest of version 1. ResumeError with every problem at once; of another version only that is said."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return dict(pairs)

    twice: list[str] = []
    try:
        manifest = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ResumeError(f"{name} is no JSON: {error}. Hand the checkpoint over again.") from None
    found = [f"in {key!r}: the key stands there twice" for key in twice]
    if isinstance(manifest, dict) and type(manifest.get("version")) is int and manifest["version"] != 1:
        found = [f"in 'version': {manifest['version']} is unknown here; allowed: 1"]
    else:
        found += sorted(problems_of(manifest, MANIFEST_SPEC))
    if not found and not manifest["checkpoint"]["files"]:
        found = ["in 'checkpoint.files': no file"]
    if found:
        raise ResumeError("\n  ".join([f"{name} is no manifest that this client reads; nothing was loaded:", *found]))
    return dict(manifest)


def read_manifest_bytes(path: Path) -> bytes | None:
    """Return the bytes of a manifest, None where there is none; ResumeError where it cannot be read."""
    try:
        return read_file(path)
    except OSError as error:
        raise ResumeError(f"{path} cannot be read: {error.strerror}. Nothing was loaded.") from error


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
        raise ResumeError("\n  ".join([head, *wrong, "Pick another checkpoint, or bring the files back."]))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

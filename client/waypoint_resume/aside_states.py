"""What a run's state files say when checkpoints are set aside: none may name what went."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.files import is_file_within, read_file
from waypoint_resume.names import from_text, to_text
from waypoint_resume.state_files import STATE_FILE, state_without


def file_record(run: Path, name: str) -> dict[str, Any]:
    """A file in a journal's form."""
    found = os.lstat(run / name)
    return {
        "path": to_text(name),
        "size": found.st_size,
        "allocated": found.st_blocks * 512,
        "mtime_ns": found.st_mtime_ns,
        "mode": found.st_mode & 0o7777,
        "inode": found.st_ino,
        "device": found.st_dev,
        "links": found.st_nlink,
    }


def state_changes(run: Path, items: list[dict[str, Any]], pick: str | None, form: str | None) -> list[dict[str, Any]]:
    """What the state files say now and must say then, in a journal's form: the pick is then the latest, if it is a
    bundle by its format. One that names only what goes, goes with it: it is added to its folder's last item.
    """
    gone = {from_text(item["path"]): item for item in items if item["format"] == "tf-bundle"}
    picked, is_bundle = pick or "", form == "tf-bundle"
    folders = {name.rpartition("/")[0] for name in (*gone, *((picked,) if is_bundle else ()))}
    states = []
    for folder in sorted(folders):
        path = f"{folder}/{STATE_FILE}" if folder else STATE_FILE
        old = read_file(run / path) if is_file_within(run, path) else None
        if old is None:
            continue
        latest = picked.rpartition("/")[2] if is_bundle and picked.rpartition("/")[0] == folder else None
        new = state_without(old, run / folder, {str(run / name) for name in gone}, latest)
        if new is None:
            own = [item for name, item in gone.items() if name.rpartition("/")[0] == folder]
            own[-1]["files"].append(file_record(run, path))
        elif new != old:
            with contextlib.suppress(UnicodeDecodeError):  # TensorFlow cannot read it either: it stays
                texts = {"old": old.decode(), "new": new.decode()}
                states.append({**texts, "path": to_text(path), "mtime_ns": os.lstat(run / path).st_mtime_ns})
    return states


def rewrite_state(run: Path, state: Mapping[str, Any], old: str, new: str, mtime_ns: int) -> None:
    """Write one of a state file's contents in the place of the other; what somebody wrote since stays."""
    path = run / from_text(state["path"])
    if is_file_within(run, from_text(state["path"])) and read_file(path) == state[old].encode():
        remove_stale(path)
        write_atomic(path, state[new].encode(), mtime_ns=mtime_ns)

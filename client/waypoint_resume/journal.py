"""The journal of what a rewind sets aside, and the plan that the dashboard writes for it."""

from __future__ import annotations

from typing import Any

from waypoint_resume.manifest import FORMATS, id_value, long_text_value
from waypoint_resume.rules import (
    bool_value,
    count_value,
    int_value,
    mode_value,
    moment_value,
    one_of,
    path_in_run_value,
    path_value,
    place_value,
    size_value,
    text_value,
    version_value,
)
from waypoint_resume.spec import MayBeMissing, Several, or_null
from waypoint_resume.state_files import STATE_FILE, may_be_state_file

REWOUND = "rewound"
JOURNAL = "journal.json"
CLEARING = "fresh=True"  # the note of a batch that a fresh start set aside
ITEM_KINDS = ("checkpoint", "leftover")
JOURNAL_KINDS = ("quarantine", "rewind")
STAGES = ("moving", "done", "undoing", "undone", "purging", "purged")


def _only_state_files(states: list[Any]) -> str | None:
    """A batch rewrites state files and nothing else: those that are named so, and what was one and stays one."""
    for state in states:
        name, texts = str(state["path"]).rpartition("/")[2], (str(state["old"]), str(state["new"]))
        is_one = may_be_state_file(name) and all("model_checkpoint_path" in text for text in texts)
        if name != STATE_FILE and not is_one:
            return f"{name!r} is no state file: it is not named {STATE_FILE!r}, and names no latest"
    return None


_HEAD: dict[str, Any] = {"kind": one_of(*ITEM_KINDS), "path": place_value, "format": or_null(one_of(*FORMATS))}
_ITEM: dict[str, Any] = {
    **_HEAD,
    "reason": text_value,
    "files": [
        {
            "path": path_in_run_value,
            "size": size_value,
            "allocated": size_value,
            "mtime_ns": int_value,
            "mode": mode_value,
            "inode": size_value,
            "device": size_value,
            "links": size_value,
        }
    ],
    "elsewhere": MayBeMissing(path_in_run_value),
}
_FOLDER: dict[str, Any] = {
    "path": path_in_run_value,
    "mode": mode_value,
    "uid": size_value,
    "gid": size_value,
    "mtime_ns": int_value,
    "goes": bool_value,
}
_STATE: dict[str, Any] = {"path": path_in_run_value, "old": text_value, "new": text_value, "mtime_ns": int_value}
_ACT: dict[str, Any] = {"by": text_value, "at": moment_value}
_PURGE: dict[str, Any] = {**_ACT, "freed_bytes": size_value}
JOURNAL_SPEC: dict[str, Any] = {
    "version": version_value,
    "id": id_value,
    "kind": one_of(*JOURNAL_KINDS),
    "by": text_value,
    "at": moment_value,
    "note": text_value,
    "stage": one_of(*STAGES),
    "items": [_ITEM],
    "folders": [_FOLDER],
    "states": Several(_STATE, _only_state_files, least=0),
    "undo": MayBeMissing(_ACT),
    "purge": MayBeMissing(_PURGE),
}
PURGED_SPEC: dict[str, Any] = {
    "version": version_value,
    "id": id_value,
    "kind": one_of(*JOURNAL_KINDS),
    "by": text_value,
    "at": moment_value,
    "note": text_value,
    "items": [{**_HEAD, "files": size_value, "bytes": size_value}],
    "purge": _PURGE,
}


def _some(files: list[Any]) -> str | None:
    return None if files else "no file; allowed: every file of the item"


PLAN_SPEC: dict[str, Any] = {
    "version": version_value,
    "manifest": id_value,
    "since_ns": count_value,
    "items": [{**_HEAD, "reason": long_text_value, "files": Several(path_in_run_value, _some, least=1)}],
    "stays": [place_value],
    "inner": [path_value],
}

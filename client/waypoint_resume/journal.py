"""The journal of what a rewind sets aside, and the plan that the dashboard writes for it."""

from __future__ import annotations

from typing import Any

from waypoint_resume.manifest import FORMATS
from waypoint_resume.spec import (
    UTC_TIME,
    bool_value,
    count_value,
    int_value,
    matching,
    one_of,
    or_null,
    path_in_run_value,
    path_value,
    place_value,
    size_value,
    text_value,
    version_value,
)

REWOUND = "rewound"
JOURNAL = "journal.json"
CLEARING = "fresh=True"  # the note of a batch that a fresh start set aside
_ITEM: dict[str, Any] = {
    "kind": one_of("checkpoint", "leftover"),
    "path": place_value,
    "format": or_null(one_of(*FORMATS)),
    "reason": text_value,
    "files": [path_in_run_value],
}
PLAN_SPEC: dict[str, Any] = {
    "version": version_value,
    "since_ns": count_value,
    "items": [_ITEM],
    "stays": [place_value],
    "inner": [path_value],
}
_FACTS = dict.fromkeys(("size", "allocated", "mode", "inode", "device", "links"), size_value)
_OWNER = dict.fromkeys(("mode", "uid", "gid"), size_value)
JOURNAL_SPEC: dict[str, Any] = {
    "version": version_value,
    "kind": one_of("rewind"),
    "by": text_value,
    "at": matching(UTC_TIME, "time in UTC"),
    "note": text_value,
    "stage": one_of("moving", "done", "undoing", "undone", "purging", "purged"),
    "items": [
        {
            **_ITEM,
            "files": [{"path": path_in_run_value, "mtime_ns": int_value, **_FACTS}],
            "elsewhere": or_null(path_in_run_value),
        },
    ],
    "folders": [{"path": path_in_run_value, "mtime_ns": int_value, "goes": bool_value, **_OWNER}],
    "states": [{"path": path_in_run_value, "old": text_value, "new": text_value, "mtime_ns": int_value}],
    "undo": or_null({"by": text_value, "at": matching(UTC_TIME, "time in UTC")}),
    "purge": or_null({"by": text_value, "at": matching(UTC_TIME, "time in UTC"), "freed_bytes": size_value}),
}

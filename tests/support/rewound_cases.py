"""What a job sets aside when it goes on from an older checkpoint: a batch as `client/waypoint_resume` leaves it, made
here without it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from waypoint_resume.ids import uuid7

REWOUND = ".waypoint/rewound"


def rewind(
    run: Path,
    items: Mapping[str, Sequence[str]],
    states: Mapping[str, str] = {},
    *,
    formats: Mapping[str, str | None] = {},
    stop_after: int | None = None,
    at: datetime = datetime(2026, 1, 31, 9, tzinfo=UTC),
) -> str:
    """Set items (paths, with their files in the order in which they go) aside, write what state files say then; the id.

    With `stop_after` it is as if the job had been killed after so many renames.
    """
    batch = str(uuid7())
    place = run / REWOUND / batch
    place.mkdir(parents=True)
    plan = {"version": 1, "manifest": batch, "since_ns": 0, "items": []}
    place.with_name(f"{batch}.plan.json").write_text(json.dumps(plan))
    names = [name for files in items.values() for name in files]
    journal = {
        "version": 1,
        "id": batch,
        "kind": "rewind",
        "by": "ada",
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "note": "again",
        "stage": "moving",
        "folders": [_folder(run, name) for name in _parents(names)],
        "items": [_item(run, path, files, formats.get(path, "tf-bundle")) for path, files in items.items()],
        "states": [
            {
                "path": path,
                "old": (run / path).read_text(),
                "new": new,
                "mtime_ns": (run / path).stat().st_mtime_ns,
            }
            for path, new in states.items()
        ],
    }
    _keep(place, journal)
    with (run / ".waypoint/log.jsonl").open("a") as log:
        log.write(json.dumps({"event": "rewind", "batch": batch}) + "\n")
    for path, new in states.items():
        before_ns = (run / path).stat().st_mtime_ns
        (run / path).write_text(new)
        os.utime(run / path, ns=(before_ns, before_ns + 1000))
    for name in names[:stop_after]:
        (place / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        os.rename(run / name, place / "files" / name)
    if stop_after is None:
        _keep(place, {**journal, "stage": "done"})
    return batch


def lease(run: Path) -> Path:
    """The sign of a job that lives."""
    (run / ".waypoint").mkdir(exist_ok=True)
    place = run / ".waypoint/lease.json"
    place.write_text('{"job": "7"}')
    return place


def bundle(prefix: str) -> tuple[str, str]:
    """The files of a bundle of one shard, its index first."""
    return f"{prefix}.index", f"{prefix}.data-00000-of-00001"


def journal_of(run: Path, batch: str) -> dict[str, Any]:
    """A rewind's journal as it stands on disk."""
    found: dict[str, Any] = json.loads((run / REWOUND / batch / "journal.json").read_text())
    return found


def _keep(place: Path, journal: Mapping[str, Any]) -> None:
    (place / "journal.json").write_text(json.dumps(journal))


def _parents(names: Sequence[str]) -> list[str]:
    return sorted({str(parent) for name in names for parent in Path(name).parents} - {"."})


def _item(run: Path, path: str, files: Sequence[str], form: str | None) -> dict[str, Any]:
    found = {name: os.lstat(run / name) for name in files}
    return {
        "kind": "checkpoint",
        "path": path,
        "format": form,
        "reason": "newer than the pick",
        "files": [
            {
                "path": name,
                "size": facts.st_size,
                "allocated": facts.st_blocks * 512,
                "mode": 0o644,
                "mtime_ns": facts.st_mtime_ns,
                "inode": facts.st_ino,
                "device": facts.st_dev,
                "links": 1,
            }
            for name, facts in found.items()
        ],
    }


def _folder(run: Path, name: str) -> dict[str, Any]:
    facts = os.lstat(run / name)
    return {
        "path": name,
        "mode": facts.st_mode & 0o7777,
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "mtime_ns": facts.st_mtime_ns,
        "goes": False,
    }

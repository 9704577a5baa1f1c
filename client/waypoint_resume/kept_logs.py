"""What fit() had logged when a checkpoint was saved, kept beside it: the logs of the very batch or epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.files import names_in_folder
from waypoint_resume.state_store import StateStore
from waypoint_resume.values import decode

LOGS = "logs"  # the part of a state
_MOST = 500  # metrics of one checkpoint
FileKey = tuple[str, int, int]  # path relative to the run, size, time in ns


def told_logs(logs: Any) -> dict[str, float]:  # noqa: ANN401 - what Keras gives its callbacks
    """Those of the logs that are single numbers, by name."""
    found: dict[str, float] = {}
    for name, value in logs.items() if isinstance(logs, Mapping) else ():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if isinstance(name, str) and len(found) < _MOST:
            found[name] = number
    return found


def kept_logs(run: Path, home: Path) -> Iterator[tuple[list[FileKey], dict[str, float]]]:
    """The logs of each checkpoint of a run that has some, with its files.
    `home` holds the run's `.waypoint`. A state that cannot be read is passed over.
    """
    store = StateStore(run, home)
    for name in sorted(names_in_folder(store.folder)):
        if not name.endswith(".json"):
            continue
        try:
            record = store.record_in(name) or {}
            logs = told_logs(decode(record["state"].get(LOGS), _no_arrays)) if record else {}
        except (OSError, ValueError, ResumeError, RecursionError):
            continue
        if logs:
            places = [record["identity"], *record["others"]]
            files = ((str(file["path"]), file["size"], file["mtime_ns"]) for place in places for file in place["files"])
            yield list(files), logs


def _no_arrays(name: str) -> list[bytes]:
    raise ValueError(f"{name}: logs hold no arrays")

"""The lease that a job holds of its run, as others see it: `.waypoint/lease.json`, touched every 30 s while it lives.

A lease whose process has surely ended counts for nothing: `process` in it is what `waypoint_resume.process` tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.files import read_record
from waypoint_resume.places import HIDDEN
from waypoint_resume.process import process_lives

NAME = "lease.json"
SECONDS = 120  # after which a lease that nobody touched is void
_NS = 1_000_000_000
_AHEAD_NS = 86_400 * _NS
_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Heartbeat:
    """Whose lease a run has (None where it cannot be read), and how many seconds ago it was touched by the disk's
    clock. One that is not fresh is a job's that has ended without a word (at once, where its process is seen to be
    gone), or is stuck.
    """

    job: str | None
    age: float
    is_fresh: bool


def is_leased(home: Path, now_ns: int) -> bool:
    """Whether a job holds the lease of a run; a time more than a day ahead is no truth."""
    touched = touched_ns(home)
    return touched is not None and _is_fresh(touched, now_ns, _record(home))


def heartbeat(homes: Sequence[Path], clock: Callable[[], int]) -> Heartbeat | None:
    """The youngest lease among the homes of a run; None where no job left one. `clock` is the disk's, in nanoseconds,
    asked only where there is a lease.
    """
    found = [(touched, home) for home in homes if (touched := touched_ns(home)) is not None]
    if not found:
        return None
    (touched, home), now_ns = max(found), clock()
    record = _record(home)
    job, is_fresh = record.get("job"), _is_fresh(touched, now_ns, record)
    return Heartbeat(
        job=job if isinstance(job, str) else None, age=max(0.0, (now_ns - touched) / _NS), is_fresh=is_fresh
    )


def lease_path(home: Path) -> Path:
    """Where the lease of a run lies."""
    return home / HIDDEN / NAME


def touched_ns(home: Path) -> int | None:
    """When a lease was touched last, in nanoseconds since 1970; None where there is none."""
    try:
        return os.lstat(lease_path(home)).st_mtime_ns
    except OSError:
        return None


def is_young(touched: int, now_ns: int) -> bool:
    """Whether a lease that was touched then still counts."""
    return now_ns - SECONDS * _NS < touched < now_ns + _AHEAD_NS


def _is_fresh(touched: int, now_ns: int, record: Mapping[str, Any]) -> bool:
    return is_young(touched, now_ns) and process_lives(record) is not False


def _record(home: Path) -> dict[str, Any]:
    """What a lease says; {} for one that cannot be read."""
    return read_record(lease_path(home), _LIMIT) or {}

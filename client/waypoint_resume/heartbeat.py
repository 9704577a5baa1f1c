"""The lease that a job holds of its run, as others see it: `.waypoint/lease.json`, touched every 30 s while it lives.

A lease whose process has surely ended counts for nothing: `process` in it is what `waypoint_resume.process` tells. One
that is given back becomes `.waypoint/lease-ended.json`, whose time tells until when its job wrote.
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
ENDED = "lease-ended.json"
SECONDS = 120  # after which a lease that nobody touched is void
_NS = 1_000_000_000
_AFTER_NS = 60 * _NS  # between the last touch and the last write of a job: it touches every 30 s
_TICK_NS = 2 * _NS  # the coarsest times of file systems
_AHEAD_NS = 86_400 * _NS
_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Heartbeat:
    """Whose lease a run has (None where it cannot be read), and how many seconds ago it was touched by the disk's
    clock. One that is not fresh is a job's that has ended without a word (at once, where its process is seen to be
    gone), or is stuck. `workers` train together in it; several are known to stop together where `stops_together`.
    """

    job: str | None
    age: float
    is_fresh: bool
    workers: int = 1
    stops_together: bool = False


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
    workers = record.get("workers")
    return Heartbeat(
        job=job if isinstance(job, str) else None,
        age=max(0.0, (now_ns - touched) / _NS),
        is_fresh=is_fresh,
        workers=workers if type(workers) is int and workers > 0 else 1,
        stops_together=record.get("stops_together") is True,
    )


def ended_ns(homes: Sequence[Path], clock: Callable[[], int]) -> int | None:
    """Until when whatever was written into a run is that of jobs that have ended, in nanoseconds since 1970; None where
    a job may live, or none told that it ended. `clock` is the disk's.
    """
    found: list[int] = []
    for home in homes:
        touched, returned = touched_ns(home), _time_ns(ended_path(home))
        if touched is not None:
            lives = process_lives(_record(home))
            if lives or (lives is None and is_young(touched, clock())):
                return None
            found.append(touched + _AFTER_NS)
        if returned is not None:
            # The process goes on after its training: what it writes then is known for its own once it is gone.
            is_gone = process_lives(read_record(ended_path(home), _LIMIT) or {}) is False
            found.append(returned + (_AFTER_NS if is_gone else _TICK_NS))
    known = [time for time in found if time < clock() + _AHEAD_NS]
    return max(known, default=None)


def ended_path(home: Path) -> Path:
    """Where the last lease lies that was given back."""
    return home / HIDDEN / ENDED


def lease_path(home: Path) -> Path:
    """Where the lease of a run lies."""
    return home / HIDDEN / NAME


def touched_ns(home: Path) -> int | None:
    """When a lease was touched last, in nanoseconds since 1970; None where there is none."""
    return _time_ns(lease_path(home))


def is_young(touched: int, now_ns: int) -> bool:
    """Whether a lease that was touched then still counts."""
    return now_ns - SECONDS * _NS < touched < now_ns + _AHEAD_NS


def _is_fresh(touched: int, now_ns: int, record: Mapping[str, Any]) -> bool:
    return is_young(touched, now_ns) and process_lives(record) is not False


def _record(home: Path) -> dict[str, Any]:
    """What a lease says; {} for one that cannot be read."""
    return read_record(lease_path(home), _LIMIT) or {}


def _time_ns(path: Path) -> int | None:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return None

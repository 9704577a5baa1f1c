"""A job's lease of its run: while it lives it touches `.waypoint/lease.json` every 30 s (contracts)."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.decisions.places import HIDDEN, read_small
from core.errors import CoreError

NAME = "lease.json"
SECONDS = 120
_NS = 1_000_000_000
_AHEAD_NS = 86_400 * _NS
_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Whose lease a run has (None where it cannot be read), and how many seconds ago it was touched by the disk's
    clock. One that is not fresh is a job's that has ended without a word, or is stuck.
    """

    job: str | None
    age: float
    is_fresh: bool


def is_leased(home: Path, now_ns: int) -> bool:
    """Whether a job holds the lease of a run; a time more than a day ahead is no truth."""
    touched = _touched(home)
    return touched is not None and _is_fresh(touched, now_ns)


def heartbeat(homes: Sequence[Path], clock: Callable[[], int]) -> Heartbeat | None:
    """The youngest lease among the homes of a run; None where no job left one. `clock` is the disk's, in nanoseconds,
    asked only where there is a lease.
    """
    found = [(touched, home) for home in homes if (touched := _touched(home)) is not None]
    if not found:
        return None
    (touched, home), now_ns = max(found), clock()
    return Heartbeat(job=_job(home), age=max(0.0, (now_ns - touched) / _NS), is_fresh=_is_fresh(touched, now_ns))


def _touched(home: Path) -> int | None:
    try:
        return os.lstat(home / HIDDEN / NAME).st_mtime_ns
    except OSError:
        return None


def _is_fresh(touched: int, now_ns: int) -> bool:
    return now_ns - SECONDS * _NS < touched < now_ns + _AHEAD_NS


def _job(home: Path) -> str | None:
    try:
        value = json.loads(read_small(home / HIDDEN / NAME, _LIMIT))
    except (OSError, CoreError, ValueError, RecursionError):
        return None
    job = value.get("job") if isinstance(value, dict) else None
    return job if isinstance(job, str) else None

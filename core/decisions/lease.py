"""A job's lease of its run: while it lives it touches `.waypoint/lease.json` every 30 s (contracts)."""

import os
from pathlib import Path

from core.decisions.places import HIDDEN

NAME = "lease.json"
SECONDS = 120
_NS = 1_000_000_000
_AHEAD_NS = 86_400 * _NS


def is_leased(home: Path, now_ns: int) -> bool:
    """Whether a job holds the lease of a run; a time more than a day ahead is no truth."""
    try:
        touched = os.lstat(home / HIDDEN / NAME).st_mtime_ns
    except OSError:
        return False
    return now_ns - SECONDS * _NS < touched < now_ns + _AHEAD_NS

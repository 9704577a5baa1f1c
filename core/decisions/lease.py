"""A job's lease of its run: while it lives it touches `.waypoint/lease.json` every 30 s (contracts).

A lease whose process has surely ended counts for nothing: `process` in it is "<boot id>/<inode of the pid namespace>/
<pid>/<start time>", and is looked for only in the same boot and namespace.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    clock. One that is not fresh is a job's that has ended without a word (at once, where its process is seen to be
    gone), or is stuck.
    """

    job: str | None
    age: float
    is_fresh: bool


def is_leased(home: Path, now_ns: int) -> bool:
    """Whether a job holds the lease of a run; a time more than a day ahead is no truth."""
    touched = _touched(home)
    return touched is not None and _is_fresh(touched, now_ns, _record(home))


def heartbeat(homes: Sequence[Path], clock: Callable[[], int]) -> Heartbeat | None:
    """The youngest lease among the homes of a run; None where no job left one. `clock` is the disk's, in nanoseconds,
    asked only where there is a lease.
    """
    found = [(touched, home) for home in homes if (touched := _touched(home)) is not None]
    if not found:
        return None
    (touched, home), now_ns = max(found), clock()
    record = _record(home)
    job, is_fresh = record.get("job"), _is_fresh(touched, now_ns, record)
    return Heartbeat(
        job=job if isinstance(job, str) else None, age=max(0.0, (now_ns - touched) / _NS), is_fresh=is_fresh
    )


def _touched(home: Path) -> int | None:
    try:
        return os.lstat(home / HIDDEN / NAME).st_mtime_ns
    except OSError:
        return None


def _is_fresh(touched: int, now_ns: int, record: dict[str, Any]) -> bool:
    return now_ns - SECONDS * _NS < touched < now_ns + _AHEAD_NS and not _has_ended(record.get("process"))


def _record(home: Path) -> dict[str, Any]:
    """What a lease says; {} for one that cannot be read."""
    try:
        value = json.loads(read_small(home / HIDDEN / NAME, _LIMIT))
    except (OSError, CoreError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _has_ended(process: object) -> bool:
    """Whether a process has surely ended. One that /proc hides, for it is another user's, may still be there."""
    parts = process.split("/") if isinstance(process, str) else []
    try:
        boot, namespace, pid, started = parts
        own = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        if (boot, namespace) != (own, str(os.stat("/proc/self/ns/pid").st_ino)):
            return False
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    except (OSError, ValueError, OverflowError):
        return False
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0] in "ZX" or fields[19] != started
    except (OSError, IndexError):
        return False

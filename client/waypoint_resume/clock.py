"""Moments as records hold them, and the time by the clock of the disk."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

UTC_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$"
_UTC = re.compile(UTC_PATTERN, re.ASCII)


def disk_now_ns(folder: str | Path) -> int:
    """The time by the clock that stamps a folder's files, in nanoseconds since 1970.

    It is an unnamed file's time, else (the file system knows none) a short-lived one's, else (read-only) the host's.
    """
    with contextlib.suppress(OSError, AttributeError):  # O_TMPFILE is Linux's
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):  # a full disk: it was stamped when it was made
                os.write(descriptor, b"0")
            return os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder, prefix=".waypoint-clock-") as probe:
        probe.write(b"0")
        probe.flush()
        return os.fstat(probe.fileno()).st_mtime_ns
    return time.time_ns()


def disk_now(folder: Path) -> float:
    """The time by the clock of the disk, in seconds since 1970."""
    return disk_now_ns(folder) / 1e9


def moment_text(moment: float | datetime) -> str:
    """A moment (seconds since 1970, or an aware datetime) as records hold it: ISO 8601, UTC, ending in Z."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, timezone.utc)
    return moment.astimezone(timezone.utc).isoformat().removesuffix("+00:00") + "Z"


def utc_moment(value: object) -> datetime | None:
    """The moment of text as `moment_text` writes it (`+00:00` is allowed too); None for any other value."""
    return moment_of(value) if not isinstance(value, str) or _UTC.fullmatch(value) else None


def moment_of(value: object) -> datetime | None:
    """The moment that a record (or a datetime) holds, in UTC; None for one that is missing, broken, or has no zone."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(timezone.utc) if value.tzinfo is not None else None
        found = datetime.fromisoformat(_for_old_python(value)) if isinstance(value, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _for_old_python(text: str) -> str:
    """ISO 8601 as Python 3.9 reads it: no Z, and six digits of a fraction."""
    text = re.sub(r"\.(\d{1,6})(?=\D|$)", lambda match: f".{match[1]:0<6}", text, count=1)
    return re.sub(r"Z$", "+00:00", text)


def seconds_of(value: object) -> float | None:
    """The same in seconds since 1970."""
    found = moment_of(value)
    return None if found is None else found.timestamp()

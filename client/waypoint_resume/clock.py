"""Moments as records hold them, and the time by the clock of the disk."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from waypoint_resume.files import fresh_file, unlink_quietly


def disk_now(hidden: Path) -> float:
    """The time by the clock of the disk, in seconds since 1970."""
    probe = fresh_file(hidden, b"")
    try:
        return probe.stat().st_mtime_ns / 1e9
    finally:
        unlink_quietly(probe)


def moment_text(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 text in UTC, ending in Z."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().removesuffix("+00:00") + "Z"


def seconds_of(moment: object) -> float | None:
    """The time that a record holds; None for one that is missing or broken."""
    try:
        return datetime.fromisoformat(re.sub(r"Z$", "+00:00", str(moment))).timestamp()
    except ValueError:
        return None

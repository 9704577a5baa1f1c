"""What names a process among all others of this boot, and whether that one still lives."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def own_process() -> str | None:
    """What names this process among all of this boot and process namespace; None where /proc does not tell."""
    return process_named(os.getpid())


def process_named(pid: int) -> str | None:
    """Return what names the process of a number among all of this boot; None where /proc does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, started = start[0], start[19]
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}/{pid}/{started if state not in 'ZX' else 'ended'}"
    except (OSError, IndexError):
        return None


def process_lives(lease: Mapping[str, Any]) -> bool | None:
    """Whether the process of a lease lives; None where that cannot be known from here."""
    theirs, own = str(lease.get("process") or "").split("/"), (own_process() or "").split("/")
    if len(theirs) != 4 or theirs[:2] != own[:2] or not re.fullmatch(r"[0-9]{1,9}", theirs[2]):
        return None
    found = process_named(int(theirs[2]))
    if found is None:
        with contextlib.suppress(ProcessLookupError):
            with contextlib.suppress(PermissionError):  # somebody else's
                os.kill(int(theirs[2]), 0)
            return None  # it lives, and /proc does not show it
    return bool(found == lease["process"])

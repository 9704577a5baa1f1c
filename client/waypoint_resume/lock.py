"""One decision about a run at a time: the lock that the dashboard holds too."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.errors import ResumeError
from waypoint_resume.places import HIDDEN

POLL = 0.1  # seconds between two looks at what somebody else holds or answers
LOCK_WAIT = 60.0  # seconds that a start waits for somebody else's decision about the run


def _flock(handle: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def decisions_lock(home: Path) -> Iterator[None]:
    """Hold the decisions of the run, as the dashboard does; where the disk knows no locks, the claim's link decides."""
    (home / HIDDEN).mkdir(parents=True, exist_ok=True)
    handle = os.open(home / HIDDEN / "decisions.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        try:
            until = time.monotonic() + LOCK_WAIT
            while not _flock(handle):
                if time.monotonic() >= until:
                    who = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
                    raise ResumeError(f"{who} has been deciding about {home} for {LOCK_WAIT:.0f} s: try again later.")
                time.sleep(POLL)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        yield
    finally:
        os.close(handle)

"""One decision about a run at a time: the lock that the dashboard and the job both hold, and the log of what each did.

The lock is `.waypoint/decisions.lock`, held with flock: the kernel lets go of it when its holder dies. The log is
`.waypoint/log.jsonl`: one JSON object for each action, written before the action, so that none is missing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from waypoint_resume.atomic import open_shared
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import append_record
from waypoint_resume.places import hidden_folder

POLL = 0.1  # seconds between two looks at what somebody else holds or answers
LOCK_WAIT = 60.0  # seconds that a start waits for somebody else's decision about the run
LOCK = "decisions.lock"
ACTIONS = "log.jsonl"
_PAUSE = 0.01
_HELD = threading.local()  # the homes that each thread holds
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class LockHeldError(ResumeError):
    """Somebody else is deciding about the run; the text names the holder."""


class NoLocksError(ResumeError):
    """The file system knows no locks."""


@contextlib.contextmanager
def holding_lock(home: Path, *, wait: float) -> Iterator[Path]:
    """Hold the decisions of a run; gives its folder `.waypoint`, which is made where it is missing.

    LockHeldError after `wait` seconds, NoLocksError; OSError, of which NotADirectoryError for a link in its place.
    """
    hidden = hidden_folder(home)
    handle = open_shared(hidden / LOCK)
    try:
        _acquire(handle, hidden / LOCK, wait)
        _sign(handle)
        yield hidden
    finally:
        os.close(handle)


@contextlib.contextmanager
def decisions_lock(home: Path, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Hold the decisions of the run for a job; where the disk knows no locks, the claim's link decides.

    A thread that holds them already goes on: a signal's handler may have interrupted it there.
    """
    homes: set[Path] = _HELD.__dict__.setdefault("homes", set())
    if home in homes:
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(holding_lock(home, wait=wait))
        except NoLocksError:
            pass
        except LockHeldError as error:
            raise ResumeError(f"{error} It has been so for {wait:.0f} s ({home}): try again later.") from None
        homes.add(home)
        held.callback(homes.discard, home)
        yield


def log_action(home: Path, *, actor: str, event: str, at: str, about: Mapping[str, object]) -> None:
    """Append who did what, and when (`at`, see `clock.moment_text`)."""
    append_record(hidden_folder(home) / ACTIONS, {"at": at, "actor": actor, "event": event, **about})


def _flock(handle: int) -> bool:
    import fcntl  # here, for Windows has none

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(handle: int) -> None:
    """Say who holds the lock; on a full disk that alone is missing to whoever waits."""
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _acquire(handle: int, path: Path, wait: float) -> None:
    began = time.monotonic()
    try:
        while not _flock(handle):
            waited = time.monotonic() - began
            if waited >= wait:
                holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
                raise LockHeldError(f"{holder} is deciding about this run.")
            time.sleep(_PAUSE if waited < 1 else POLL)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise NoLocksError(f"The file system of {path} knows no locks.") from error

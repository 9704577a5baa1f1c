"""One writer at a time for the decisions about a run, and the log of what each did.

The lock is `.waypoint/decisions.lock`, held with flock: the kernel lets go of it when its holder dies. The log is
`.waypoint/log.jsonl`: one JSON object for each action, written before the action, so that none is missing.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from core.decisions.places import HIDDEN
from core.decisions.values import moment_text
from core.errors import BusyError, CoreError, PlaceError
from core.fs.atomic import append_line, make_folder, take_group
from core.fs.names import to_text

LOCK = "decisions.lock"
LOG = "log.jsonl"
WAIT = 10.0  # seconds
_PAUSE = 0.01


@contextlib.contextmanager
def locked(home: Path, *, wait: float = WAIT) -> Iterator[Path]:
    """Hold the decisions of one run; gives the folder `.waypoint`, which is made where it is missing.

    BusyError after `wait` seconds, naming the holder.
    """
    hidden = hidden_folder(home)
    handle = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        take_group(handle, hidden)
        _acquire(handle, hidden / LOCK, wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield hidden
    finally:
        os.close(handle)


def hidden_folder(home: Path, *names: str) -> Path:
    """`.waypoint` of a home, or a folder in it, made where it is missing. PlaceError where a link stands there."""
    folder = home
    try:
        make_folder(home)
        for name in (HIDDEN, *names):
            folder /= name
            make_folder(folder)
    except NotADirectoryError as error:
        raise PlaceError(f"{to_text(str(folder))} is no plain folder.") from error
    return folder


def log(home: Path, *, actor: str, event: str, now: datetime, about: Mapping[str, object]) -> None:
    """Append who did what, and when."""
    entry = {"at": moment_text(now), "actor": actor, "event": event, **about}
    append_line(hidden_folder(home) / LOG, json.dumps(entry, ensure_ascii=True).encode())


def _acquire(handle: int, path: Path, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
                raise BusyError(f"{holder} is deciding about this run; try again.") from None
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            raise CoreError(f"The file system of {to_text(str(path))} knows no locks: nothing was written.") from error

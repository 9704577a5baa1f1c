"""One writer per home: a lock file that names its holder. The kernel frees it when the holder dies, however it dies."""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import BusyError

FILE_NAME = "lock"
WAIT_SECONDS = 10.0
_PAUSE = 0.05


@contextlib.contextmanager
def writing(home: Path, purpose: str, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the home's lock. BusyError after `wait` seconds, naming the holder."""
    descriptor = os.open(home / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _acquire(descriptor, home, wait)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "purpose": purpose, "since": time.time()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, home: Path, wait: float) -> None:
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise BusyError(f"The catalog in {home} is being written by {_holder(descriptor)}.") from None
            time.sleep(_PAUSE)
        else:
            return


def _holder(descriptor: int) -> str:
    try:
        known = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {known['pid']} on {known['host']} ({known['purpose']})"
    except (ValueError, KeyError, TypeError, OSError):
        return "another process"

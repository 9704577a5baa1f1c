"""Worker processes for native parsers: each has a memory limit and a watchdog, and its death is an error of one file.

A worker is a Python program of its own (`core.workers.h5`), started by subprocess and spoken to in lines of
JSON. multiprocessing's spawn and forkserver import the parent's main module again: under Streamlit that runs the page
once more in every worker (tried), under `python -m core` it loads the whole command line. subprocess hands over no
sockets, and works from threads, from daemonic processes and under pytest alike.
"""

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import core
from core.base.errors import CorruptError, CrashedError, FormatError, HungError, TooLargeError, UnsupportedError

PROGRAM: tuple[str, ...] = ("-m", "core.workers.h5")  # as the interpreter is given it
SECONDS = 1.8  # of a processor, for one file: what hangs turns in circles
WAIT = 10.0  # seconds for one file, on a slow disk and a busy machine too
START_SECONDS = 60.0  # for the interpreter and its imports, on a cold network file system too
MAX_ANSWER = 64 << 20
TOGETHER = 16  # files whose answers are held at once
KINDS: Mapping[str, type[FormatError]] = {
    "corrupt": CorruptError,
    "too-large": TooLargeError,
    "unsupported": UnsupportedError,
}


class _DiedError(Exception):
    """The process ended in the middle of an answer."""


class _HungError(Exception):
    """No answer in time."""


class _Worker:
    """One process. Not for two threads at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (our own module, by our own interpreter)
            [sys.executable, "-s", "-P", *PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.closed = self.used_up = False
        try:
            self._line(START_SECONDS)
        except BaseException:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to one request; _DiedError or _HungError, after which the worker must be closed."""
        try:
            self._requests.write(json.dumps({**request, "seconds": SECONDS, "wait": seconds}).encode() + b"\n")
        except OSError as error:
            raise _DiedError from error
        found = json.loads(self._line(seconds))
        if not isinstance(found, dict):
            raise _DiedError
        return found

    def _line(self, seconds: float) -> bytes:
        parts: list[bytes] = []
        size, end = 0, time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise _HungError
                part = os.read(self._answers.fileno(), 1 << 20)
                size += len(part)
                if not part or size > MAX_ANSWER:
                    raise _DiedError
                line, newline, rest = part.partition(b"\n")
                parts.append(line)
                if rest:
                    raise _DiedError  # more than was asked for
                if newline:
                    return b"".join(parts)

    def close(self) -> None:
        """End the process: it only reads, so it may be killed at any time."""
        self.closed = True
        self._process.kill()
        self.used_up = self._process.wait() == -signal.SIGPROF
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()


def _environment() -> dict[str, str]:
    """One BLAS thread (each reserves memory), and no file locks: ours would make the training job's open fail."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG") if name in os.environ}
    home = str(Path(core.__file__).parent.parent)
    return {
        **kept,
        "PYTHONPATH": home,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HDF5_USE_FILE_LOCKING": "FALSE",
    }


class Pool:
    """At most `size` workers, started when there is something to read and ended with the process."""

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # a fork must not speak into its parent's pipes

    def _reset(self) -> None:
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(self._size)

    def run(
        self, requests: Sequence[Mapping[str, Any]], seconds: float = WAIT
    ) -> Iterator[dict[str, Any] | FormatError]:
        """One answer or error for each request, in their order; a crash or a hang costs its own file only.

        No worker is held between answers: a generator that is kept, by a traceback say, must not keep one.
        """
        if len(requests) == 1:
            yield self._one(requests[0], seconds)
            return
        for start in range(0, len(requests), TOGETHER):
            with ThreadPoolExecutor(self._size, "waypoint-h5") as threads:
                answers = list(
                    threads.map(lambda request: self._one(request, seconds), requests[start : start + TOGETHER])
                )
            yield from answers

    def _one(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | FormatError:
        with self._turns:
            worker = self._take()
            try:
                answer, worker = _ask(worker, request, seconds)
            finally:
                if worker is not None and not worker.closed:
                    with self._lock:
                        self._idle.append(worker)
            return answer

    def _take(self) -> _Worker | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def close(self) -> None:
        """End all idle workers; the next request starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()


def _ask(
    worker: _Worker | None, request: Mapping[str, Any], seconds: float
) -> tuple[dict[str, Any] | FormatError, _Worker | None]:
    """An answer and the worker to go on with. A death is tried once more: the system's memory killer takes workers
    that had nothing to do with it, and an idle one may be long gone.
    """
    for last in (False, True):
        try:
            worker = worker or _Worker()
            found = worker.ask(request, seconds)
        except _HungError:
            if worker is None:
                return CrashedError("the reading process did not start", section="worker"), None
            worker.close()
            return HungError(f"hung: not read within {seconds:g} s", section="HDF5 library"), None
        except (_DiedError, ValueError):
            if worker is not None:
                worker.close()
                if worker.used_up:
                    return HungError(f"hung: {SECONDS:g} s of a processor", section="HDF5 library"), None
            worker = None
            if last:
                return CrashedError("the library that reads it crashed, twice", section="HDF5 library"), None
        except BaseException:  # interrupted with an answer outstanding
            if worker is not None:
                worker.close()
            raise
        else:
            return _judged(found), worker
    raise AssertionError("unreachable")


def _judged(found: dict[str, Any]) -> dict[str, Any] | FormatError:
    error = found.get("error")
    if not isinstance(error, list):
        return found
    kind, section, message = (str(part) for part in error)
    return KINDS.get(kind, UnreadableError)(message, section=section)


class UnreadableError(FormatError):
    """The file could not be read at all: the system's own error."""

    kind = "unreadable"


POOL = Pool()
atexit.register(POOL.close)

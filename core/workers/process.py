"""The parent's side of a program that answers in lines of JSON: starting it, following it, ending it.

subprocess, not multiprocessing, for the reasons that `core.workers.parser_pool` gives: nothing of the parent's main
module is imported again, and no sockets are handed over.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import core

START_SECONDS = 120.0  # for the interpreter and its imports, on a cold network file system too
_TURN = 0.1  # seconds after which the wish to cancel is asked for again
_LONGEST = 64 << 20  # bytes of one answer
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "HOME")


class Ending(StrEnum):
    """How a conversation ended."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"
    SILENT = "silent"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last message (empty without one), and the process's exit code: below 0 the signal that ended it."""

    how: Ending
    answer: Mapping[str, Any] = field(default_factory=dict)
    code: int = 0


def converse(
    module: str,
    request: Mapping[str, Any],
    *,
    hear: Callable[[Mapping[str, Any]], None],
    cancelled: Callable[[], bool],
    silence: float,
) -> Ended:
    """Run a module with one request until its last message, one with "result" or "error"; `hear` gets the others.

    It is killed when it is cancelled, when it says nothing for `silence` seconds, and when this function is left.
    """
    process = subprocess.Popen(  # noqa: S603 (our own module, by our own interpreter)
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with contextlib.suppress(OSError), process.stdin:  # a process that is gone already is noticed below
            process.stdin.write(json.dumps(request).encode() + b"\n")
        return _followed(process, process.stdout, hear, cancelled, silence)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _followed(
    process: "subprocess.Popen[bytes]",
    answers: IO[bytes],
    hear: Callable[[Mapping[str, Any]], None],
    cancelled: Callable[[], bool],
    silence: float,
) -> Ended:
    allowed = START_SECONDS
    heard = time.monotonic()
    for line in _lines(answers):
        if line is None:
            if cancelled():
                return Ended(how=Ending.CANCELLED)
            if time.monotonic() - heard > allowed:
                return Ended(how=Ending.SILENT)
            continue
        allowed, heard = silence, time.monotonic()
        try:
            message = json.loads(line)
        except ValueError:
            break
        if not isinstance(message, dict):
            break
        if "result" in message or "error" in message:
            return Ended(how=Ending.ANSWERED, answer=message)
        hear(message)
        if cancelled():
            return Ended(how=Ending.CANCELLED)
    process.kill()  # where it spoke nonsense; what has ended stays ended
    return Ended(how=Ending.DIED, code=process.wait())


def _lines(answers: IO[bytes]) -> Iterator[bytes | None]:
    """Its lines until it ends; None whenever it said nothing for a moment."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while len(rest) <= _LONGEST:
            if not selector.select(_TURN):
                yield None
                continue
            part = os.read(answers.fileno(), 1 << 20)
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            yield from lines


def _environment() -> dict[str, str]:
    """One BLAS thread (each reserves memory), no file locks (ours would make the training job's open fail), no filter
    plugins that a file might ask for, and neither a GPU nor chatter for TensorFlow.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    paths = [str(Path(core.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    locks = {"HDF5_USE_FILE_LOCKING": "FALSE", "HDF5_PLUGIN_PRELOAD": "::"}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **quiet, **locks, **threads, "PYTHONPATH": os.pathsep.join(paths)}

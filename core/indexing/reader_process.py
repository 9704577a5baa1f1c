"""The other process of a large pass: reads chunks of folders that it gets on stdin and answers on stdout, both pickled.

It is a program of its own, started by subprocess: multiprocessing's spawn imports the parent's main module again, which
under Streamlit is the script of a page.
"""

import contextlib
import fcntl
import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import core
from core.formats.bundle import BundleCache
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderResult, FolderTask
from core.stores.store import Store

Item = tuple[str, list[FolderTask]]
Done = tuple[str, list[FolderResult]]
_cache = BundleCache()  # equal parses are shared between all folders that a process reads


# Each piece that passes a pipe costs its reader a turn for the interpreter's lock, 5 ms while the other thread is busy.
_PIPE = 1 << 20


class DiedError(Exception):
    """The process ended before it had answered."""


class ReaderProcess:
    """One such process, seen from its parent. Not for two threads at once, except `close`."""

    def __init__(self) -> None:
        place = str(Path(core.__file__).parent.parent)
        paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.indexing.reader_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            bufsize=_PIPE,
        )
        for pipe in (self.process.stdin, self.process.stdout):
            _widen(pipe)

    def read(self, store: Store, chunk: list[Item]) -> list[Done]:
        """A chunk's results. DiedError when the process is gone; what it raised itself is raised here."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump((store, chunk), self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
            answer: Any = pickle.load(self.process.stdout)  # noqa: S301 - our own process wrote it
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise DiedError from error
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def close(self) -> None:
        """End the process: it only reads, so it may be killed at any time."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what was not sent is not wanted any more
                if pipe is not None:
                    pipe.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold a whole answer, where the system can (Linux)."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def read_chunk(store: Store, chunk: list[Item]) -> list[Done]:
    """Read some folders in this process."""
    return [(name, [read_folder(store, task, _cache) for task in tasks]) for name, tasks in chunk]


def main() -> None:
    """Answer until stdin ends."""
    requests, answers = os.fdopen(0, "rb", _PIPE), os.fdopen(os.dup(1), "wb", _PIPE)
    gc.disable()  # records make no cycles, and this process is short-lived
    os.dup2(2, 1)  # whatever prints must not garble the answers
    while True:
        try:
            store, chunk = pickle.load(requests)  # noqa: S301 - our parent wrote it
        except EOFError:
            return
        try:
            answer: object = read_chunk(store, chunk)
        except Exception as error:  # noqa: BLE001 - the parent raises it again
            answer = error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()

"""Answers requests for the trees of HDF5 files until stdin ends.

Started by `core.workers.parser_pool`; it imports nothing of the project but this folder, and its main module is never
the parent's. A request is a line of JSON on stdin: `{"path", "offset", "length", "seconds", "wait"}` (offset null: the
whole file; seconds of a processor and by the clock), its answer a line on stdout: `{"tree": …}` or `{"error": [kind,
section, message]}`. JSON, not pickle: what a worker says after a hostile file must not run in the parent.

Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""

import json
import os
import signal
import sys
from typing import Any

import h5py
from h5py import h5f

from core.workers.h5.objects import Refused
from core.workers.h5.tree import tree
from core.workers.h5.window import Window

MEMORY = 160 << 20  # bytes that a file may cost beyond what the imports took


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One file's tree, or why there is none."""
    window = None
    try:
        if request["offset"] is None:
            file = h5f.open(os.fsencode(request["path"]), h5f.ACC_RDONLY)
        else:
            window = Window(request["path"], request["offset"], request["length"])
            file = h5py.File(window, "r").id
        try:
            return {"tree": tree(file)}
        finally:
            file.close()
    except Refused as refused:
        return {"error": list(refused.args)}
    except Exception as error:  # noqa: BLE001 (the library raises all kinds over damaged files)
        if isinstance(error, MemoryError) or "memory allocation failed" in str(error):  # the library's own words
            return {"error": ["too-large", "tree", "reading it takes more memory than a file may cost"]}
        if isinstance(error, OSError):
            return {"error": ["corrupt" if error.errno is None else "unreadable", "tree", str(error)]}
        return {"error": ["corrupt", "tree", f"{type(error).__name__}: {error}"]}
    finally:
        if window is not None:
            window.close()


def limit_memory() -> None:
    """Let no file take more than MEMORY beyond what the process has now."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as status:
            now = int(status.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system: the watchdog remains


def main() -> None:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends this process by closing stdin
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    limit_memory()
    answers.write(b'{"ready": true}\n')
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The kernel ends a read that hangs in native code, also when the parent is gone.
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        signal.setitimer(signal.ITIMER_REAL, request["wait"] + 1)
        reply = json.dumps(answer(request)).encode()
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        answers.write(reply + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()

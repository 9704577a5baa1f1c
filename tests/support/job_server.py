"""Starts Python programs that need a framework, without its import for each: `job_server.py SOCKET FRAMEWORK`.

The framework is imported once and nothing of it is used, so that no thread or device is there that a fork would lose.
Each message on the socket (JSON: arguments, environment, folder; and three open files for input, output and errors)
is a program that a fork of this process runs as `python PROGRAM ARGUMENTS…` would, in a process group of its own.
Answers are JSON as well: `{"pid": …}` for each message, and `{"ended": pid, "status": …}` as os.wait tells it.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

# What each framework's programs need, and how much of it is told by the environment when it is imported.
MODULES = {
    "keras": ("tensorflow", "keras", "orbax.checkpoint", "h5py"),
    "tf_keras": ("tensorflow", "tf_keras", "h5py"),
    "jax": ("keras", "orbax.checkpoint", "h5py"),
}


def serve(requests: socket.socket) -> None:
    """Start what is asked for and tell what ended, until the other end is closed."""
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if requests in ready:
                message, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
                if not message:
                    return
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for end in (requests, woken, wake):
                        end.close()
                    run(json.loads(message), files)
                for file in files:
                    os.close(file)
                requests.send(json.dumps({"pid": pid}).encode())
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                tell_ended(requests)


def tell_ended(requests: socket.socket) -> None:
    """Say of each program that ended since how it did."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            requests.send(json.dumps({"ended": ended[0], "status": ended[1]}).encode())


def run(asked: dict[str, Any], files: list[int]) -> NoReturn:
    """Be the program."""
    os.setpgid(0, 0)
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = asked["arguments"]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - whatever it was, it is told and is the end of this process
        traceback.print_exc()
    leave(status)


def leave(status: int) -> NoReturn:
    """End a fork as Python ends: wait for its threads, call what was registered for the exit, write what is left."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Import, then serve."""
    requests, framework = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    if framework == "jax":
        # As where TensorFlow is not installed: importing it fails, and Keras does not import it to seed it.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    for name in MODULES[framework]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a fork that goes through all that was imported, again and again, costs twice as much
    serve(requests)


if __name__ == "__main__":
    main()

"""Programs of tests that need a framework: started by a process that has imported it, so in a tenth of a second."""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_SERVER = Path(__file__).with_name("job_server.py")
_PATIENCE_S = 300.0
# Read when a framework is imported, so alike for all of its programs; oneDNN rounds by the number of threads.
_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


class Job:
    """A program that was started, much as subprocess.Popen has it: `pid`, `returncode`, `stdin` and `stdout`."""

    def __init__(self, server: "JobServer", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self._server = server

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        self._server.listen(0)
        return self.returncode

    def wait(self, timeout: float = _PATIENCE_S) -> int:
        """Until it ended; how. subprocess.TimeoutExpired after so many seconds."""
        until = time.monotonic() + timeout
        while self.returncode is None:
            if (left := until - time.monotonic()) <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._server.listen(left)
        return self.returncode

    def kill(self) -> None:
        """SIGKILL to it and to the processes that it started, if it still runs."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)

    def close_pipes(self) -> None:
        """Close what is open towards it."""
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class JobServer:
    """A process that has imported a framework (keras, tf_keras or jax) and starts programs."""

    def __init__(self, framework: str) -> None:
        self._jobs: dict[int, Job] = {}
        self._started: list[Job] = []
        self._compiled = tempfile.TemporaryDirectory()
        self._own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.environment = {
            **_ENVIRONMENT,
            "KERAS_BACKEND": "jax" if framework == "jax" else "tensorflow",
            "JAX_COMPILATION_CACHE_DIR": self._compiled.name,
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(theirs.fileno()), framework],
                env={**os.environ, **self.environment},
                pass_fds=[theirs.fileno()],
            )

    def listen(self, timeout: float) -> None:
        """Take the answers that are there; wait for one at most so many seconds."""
        while select.select([self._own], [], [], timeout)[0]:
            if not (message := self._own.recv(4096)):
                raise AssertionError(f"the server of jobs ended with {self._process.wait()}")
            answer: dict[str, int] = json.loads(message)
            if "pid" in answer:
                self._jobs[answer["pid"]] = Job(self, answer["pid"])
                self._started.append(self._jobs[answer["pid"]])
            elif job := self._jobs.pop(answer["ended"], None):
                job.returncode = os.waitstatus_to_exitcode(answer["status"])
            timeout = 0

    def start(
        self,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        output: IO[Any] | None = None,
        errors: IO[Any] | None = None,
    ) -> Job:
        """Start a program by its path; without `output` its input and output are pipes of text, and without `errors`
        it says them where this process does.

        It gets the environment of this process without WAYPOINT_*, and what `environment` adds.
        """
        given, stdin, stdout = [], None, None
        if output is None:
            input_end, input_own = os.pipe()
            output_own, output_end = os.pipe()
            stdin, stdout = os.fdopen(input_own, "w"), os.fdopen(output_own)
            given += [input_end, output_end]
        else:
            given += [os.open(os.devnull, os.O_RDONLY), os.dup(output.fileno())]
        given.append(os.dup(errors.fileno() if errors else 2))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOINT_")}
        asked = {
            "arguments": [str(argument) for argument in arguments],
            "environment": {**clean, **(environment or {}), **self.environment},
            "folder": str(folder or Path.cwd()),
        }
        socket.send_fds(self._own, [json.dumps(asked).encode()], given)
        for file in given:
            os.close(file)
        while not self._started:
            self.listen(_PATIENCE_S)
        job = self._started.pop()
        job.stdin, job.stdout = stdin, stdout
        return job

    def run(
        self,
        *arguments: object,
        timeout: float = _PATIENCE_S,
        **options: Any,  # noqa: ANN401 - as start
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end, as subprocess.run does; subprocess.TimeoutExpired after so many seconds."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            status = self.start(*arguments, output=output, errors=errors, **options).wait(timeout)
            for file in (output, errors):
                file.seek(0)
            return subprocess.CompletedProcess([*map(str, arguments)], status, output.read(), errors.read())

    def close(self) -> None:
        """End the process and every job that it still runs."""
        for job in list(self._jobs.values()):
            job.kill()
        self._own.close()
        self._process.wait()
        self._compiled.cleanup()


_servers: dict[str, JobServer] = {}


def job_server(framework: str) -> JobServer:
    """The server of a framework in this process of tests, which is started when it is first wanted."""
    if framework not in _servers:
        _servers[framework] = JobServer(framework)
        atexit.register(_servers[framework].close)
    return _servers[framework]

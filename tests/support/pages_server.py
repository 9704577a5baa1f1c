"""A dashboard for the tests: a copy of the sample runs, and a server of its own process over it."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sample_runs import times

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_runs"
STARTED_WITHIN = 60.0  # seconds
NOT_RUNS = shutil.ignore_patterns(
    "*.py", "*.md", "times.json", "trainers", "__pycache__", ".waypoint", "resume_manifest*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running dashboard: its address, its process and the folder of its runs."""

    port: int
    process: subprocess.Popen[bytes]
    runs: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> http.client.HTTPResponse:
        """The answer to a GET, not followed anywhere."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer


def copy_samples(target: Path) -> Path:
    """A copy of the sample runs with the times at which they were trained: a clone's files are as old as the clone."""
    shutil.copytree(SAMPLES, target, ignore=NOT_RUNS)
    shutil.copyfile(SAMPLES / "times.json", target / "times.json")
    assert times.apply(target) == []
    (target / "times.json").unlink()
    return target


@contextlib.contextmanager
def serve(runs: Path, home: Path) -> Iterator[Server]:
    """A server over `runs` that has looked at all of them once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOINT_")}
    environment |= {"WAYPOINT_ROOTS": str(runs), "WAYPOINT_HOME": str(home), "WAYPOINT_ACTOR": "tester"}
    options = ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    log = (home.parent / "server.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    server = Server(port=port, process=process, runs=runs)
    try:
        _wait(server, Path(log.name))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait(server: Server, log: Path) -> None:
    until = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < until and server.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if server.get("/readyz").status == 200:
                return
        # A server that starts has nothing to wait on but its port.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(timeout=0.1)
    raise AssertionError(f"the dashboard did not start:\n{log.read_text(errors='replace')}")

"""What killed writers left in `.waypoint` goes with the next start; what a living one is writing stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from waypoint_resume.atomic import is_temp
from waypoint_resume.decision import decide
from waypoint_resume.temps import remove_temps

# Each kind of writer, in the midst of its file: it writes on until it is killed.
WRITER = """
import sys, time
from pathlib import Path
from waypoint_resume.atomic import replacing
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
with replacing(folder / "record.json") as file:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        file.write(b"x")
        file.flush()
        print("written", flush=True)
        time.sleep(0.02)
"""

pytestmark = pytest.mark.usefixtures("one_job")


def begin(folder: Path, seconds: float = 60.0) -> "subprocess.Popen[str]":
    """A writer of a file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", WRITER, folder, str(seconds)], stdout=subprocess.PIPE, text=True)


def await_begun(writer: "subprocess.Popen[str]") -> None:
    """Return when it is in the midst of its file."""
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"


def killed_in(*folders: Path) -> None:
    """Writers in some folders, each killed with -9 in the midst of its file."""
    writers = [begin(folder) for folder in folders]
    for writer in writers:
        await_begun(writer)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()


def temps(run: Path) -> set[str]:
    """The folders below `.waypoint` in which something temporary lies."""
    found = [path for path in (run / ".waypoint").rglob("*") if is_temp(path.name)]
    return {path.parent.relative_to(run / ".waypoint").as_posix() for path in found}


def test_the_next_start_removes_what_killed_writers_left(tmp_path: Path) -> None:
    held, free = ("state", "receipts", "claims", "fits", "kept"), ("requests", "workers", ".")
    copy = tmp_path / ".waypoint/kept/.0123456789abcdef0123456789abcdef.waypoint-tmp/files"  # of a kept checkpoint
    killed_in(copy, *(tmp_path / ".waypoint" / name for name in (*held, *free)))
    assert temps(tmp_path) == {*held, *free, copy.relative_to(tmp_path / ".waypoint").as_posix()}
    decision = decide(tmp_path)
    assert decision.lease is not None
    decision.lease.release()
    assert temps(tmp_path) == set(free)  # whose writers ask nobody: they may live still


def test_what_a_living_writer_writes_stays_whatever_times_it_sets(tmp_path: Path) -> None:
    killed_in(tmp_path)
    (left,) = tmp_path.iterdir()
    living = begin(tmp_path, seconds=3.0)
    await_begun(living)
    (own,) = (path for path in tmp_path.iterdir() if path != left)
    os.utime(own, (1, 1))  # as a copy bears its original's time
    until = time.monotonic() + 60
    while left.exists() and time.monotonic() < until and living.poll() is None:
        remove_temps(tmp_path, spared=1.0)
        assert own.exists() or living.poll() is not None or (tmp_path / "record.json").exists()
        time.sleep(0.1)
    assert not left.exists()
    living.communicate()
    assert (living.returncode, sorted(path.name for path in tmp_path.iterdir())) == (0, ["record.json"])

"""A run that the job may not write: its decisions lie below WAYPOINT_DECISIONS_DIR, in a folder that the job makes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from waypoint_resume.names import short_id

JOB = """
import os, secrets, socket, sys, uuid, fcntl  # before: nobody may not read every Python's library
from waypoint_resume.decision import decide
from waypoint_resume.errors import ResumeError
os.setgroups([])
os.setgid(65534)
os.setuid(65534)  # nobody
try:
    decision = decide(sys.argv[1])
    print(decision.home)
    decision.lease.release()
except ResumeError as error:
    print(error)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter: a run of root's, and a folder for decisions that is everybody's."""
    folder = Path(os.path.realpath(tempfile.mkdtemp()))
    folder.chmod(0o755)
    (folder / "runs/exp/a").mkdir(parents=True)
    (folder / "decisions").mkdir()
    (folder / "decisions").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def said(place: Path, **environment: str) -> str:
    """What a job of another user says: the home of its decisions, or why there is none."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOINT_")}
    command = [sys.executable, "-c", JOB, str(place / "runs/exp/a")]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_folder_is_made_where_the_root_is_known_and_else_the_message_says_how(place: Path) -> None:
    base, root = place / "decisions", place / "runs"
    home = base / short_id(str(root)) / "exp/a"
    assert "or set WAYPOINT_DECISIONS_DIR" in said(place)
    told = said(place, WAYPOINT_DECISIONS_DIR=str(base))
    assert "or set WAYPOINT_DECISIONS_DIR" not in told
    assert "Set WAYPOINT_ROOTS to that root" in told
    assert f"mkdir -p {base / short_id(str(root / 'exp')) / 'a'}, if the root is {root / 'exp'}" in told
    assert not any(base.iterdir())
    known = {"WAYPOINT_DECISIONS_DIR": str(base), "WAYPOINT_ROOTS": f"{place / 'other'}:{root}"}
    assert said(place, **known) == str(home)
    assert (home / ".waypoint/run.json").is_file()
    assert said(place, WAYPOINT_DECISIONS_DIR=str(base)) == str(home)  # it is there now


def test_a_root_in_which_something_was_decided_is_known(place: Path) -> None:
    base = place / "decisions"
    (base / short_id(str(place / "runs"))).mkdir()
    (base / short_id(str(place / "runs"))).chmod(0o777)
    home = base / short_id(str(place / "runs")) / "exp/a"
    assert said(place, WAYPOINT_DECISIONS_DIR=str(base)) == str(home)


def test_what_cannot_be_made_is_named(place: Path) -> None:
    base = place / "decisions"
    base.chmod(0o755)
    told = said(place, WAYPOINT_DECISIONS_DIR=str(base), WAYPOINT_ROOTS=str(place / "runs"))
    assert f"let this job's user write in {base}" in told
    (base / short_id(str(place / "runs")) / "exp/a").mkdir(parents=True)
    told = said(place, WAYPOINT_DECISIONS_DIR=str(base))
    assert told.startswith(f"Neither {place / 'runs/exp/a'} nor {base}")

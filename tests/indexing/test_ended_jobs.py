"""A run whose job has ended is not live for an hour more: a killed process, a lease given back, a void one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from core.retention.policies import KeepLatest, Policy
from core.services import mending, quarantine, retention
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import save
from waypoint_resume.heartbeat import ended_ns, ended_path, lease_path

JOB = """
import sys, time
from pathlib import Path
from tests.support.trees import save
from waypoint_resume.decision import decide
decide(sys.argv[1])
for step in (1, 2, 3):
    save(Path(sys.argv[1]), step, at_ns=time.time_ns())
print("saved", flush=True)
input()
"""
SECOND = 10**9
LATEST = Policy(rules=(KeepLatest(1),))


@contextmanager
def a_job(run: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a run's lease and has saved three times; killed at the end."""
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == "saved\n"
        yield job
    finally:
        job.kill()
        job.communicate()


def status(space: Workspace, *, deep: bool = True) -> tuple[str, list[str]]:
    """What the catalog says of the run after a look, and what a plan for it lets go."""
    space.refresh(deep=deep)
    run = space.find_run("a")
    (planned,) = retention.plan(space, [run], LATEST).runs
    assert planned.is_live is (run.status == "live")
    assert space.acted_on(run).is_live() is planned.is_live
    return run.status, [item.path for item in planned.items]


LIVE: tuple[str, list[str]] = ("live", [])
FREE = ("idle", ["ckpt-1", "ckpt-2"])


@pytest.mark.parametrize("deep", [True, False], ids=["deep", "light"])
def test_a_killed_job_is_not_live_for_an_hour_more(tmp_path: Path, workspace: Opener, deep: bool) -> None:
    space = workspace(tmp_path / "root")
    with a_job(tmp_path / "root/a") as job:
        assert status(space) == LIVE
        job.kill()
        job.wait()
        assert status(space, deep=deep) == FREE
        run = space.find_run("a")
        done = quarantine.execute(space, run, retention.plan(space, [run], LATEST).runs[0], policy=LATEST)
    assert done.journal is not None
    assert (len(done.journal.items), done.left_out) == (2, ())


def test_a_job_that_gave_its_lease_back_is_not_live_and_one_that_is_stopped_is(
    tmp_path: Path, workspace: Opener
) -> None:
    run = tmp_path / "root/a"
    space = workspace(tmp_path / "root")
    with a_job(run) as job:
        held = lease_path(run)
        os.utime(held, ns=(0, held.stat().st_mtime_ns - 300 * SECOND))  # it lives, and cannot touch its lease
        assert status(space) == LIVE
        job.communicate("\n")
        assert job.returncode == 0
        assert not held.exists()
        assert ended_path(run).exists()
        assert status(space) == FREE


def test_what_others_write_after_the_end_makes_the_run_live_again(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root/a"
    space = workspace(tmp_path / "root")
    with a_job(run):
        pass
    assert status(space) == FREE
    ago = 90 * SECOND
    for path in (lease_path(run), *run.glob("ckpt-*")):
        os.utime(path, ns=(0, path.stat().st_mtime_ns - ago))
    assert status(space) == FREE
    save(run, 4, at_ns=time.time_ns())
    assert status(space) == LIVE
    with a_job(run) as job:  # a new job: whatever the old one said
        assert status(space) == LIVE
        job.kill()
        job.wait()
        assert status(space)[0] == "idle"


def test_a_lease_of_another_host_tells_the_end_when_it_is_void(tmp_path: Path) -> None:
    now = time.time_ns()
    place = lease_path(tmp_path)
    place.parent.mkdir()
    place.write_text('{"process": "another boot/1/2/3"}')

    def ended(touched: int) -> int | None:
        os.utime(place, ns=(0, touched))
        return ended_ns([tmp_path], lambda: now)

    assert ended(now - 119 * SECOND) is None
    assert ended(now - 121 * SECOND) == now - 61 * SECOND
    assert ended(now + 3 * 86_400 * SECOND) is None  # no time of anything that was
    place.unlink()
    assert ended_ns([tmp_path], lambda: now) is None
    ended_path(tmp_path).write_text("{}")
    os.utime(ended_path(tmp_path), ns=(0, now - 10 * SECOND))
    assert ended_ns([tmp_path, tmp_path / "other"], lambda: now) == now - 8 * SECOND


def test_a_state_file_is_mended_without_the_runs_name_once_its_job_has_ended(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root/a"
    space = workspace(tmp_path / "root")
    with a_job(run):
        pass
    space.refresh()
    found = space.find_run("a")
    known = mending.mender_of(space, found)
    mender = replace(known, run=replace(found, status="idle"))
    assert not mender.is_live()
    os.utime(lease_path(run), ns=(0, time.time_ns() - 300 * SECOND))
    assert mender.is_live()

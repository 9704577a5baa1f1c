"""SIGTERM, and waiting for a run: real processes that hold a run without a framework, and how each of them ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.resume.history import read_manifests
from core.runfolder.run_folder import RunFolder
from tests.client.test_client_claim import hand_over
from tests.support.resume_cases import a_checkpoint, on_disk
from waypoint_resume.decision import decide
from waypoint_resume.errors import ResumeError, RunIsBusy
from waypoint_resume.lease import Lease
from waypoint_resume.waiting import wait_seconds

JOB = """
import logging, os, signal, sys, time
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from waypoint_resume import stopping
from waypoint_resume.decision import decide
{before}
decision = decide({run!r}, wait={wait})
stopping.heed_sigterm(decision)
{after}
os.write(1, b"holds\\n")  # at this the signal comes: within a print no handler could print
while True:
    time.sleep(0.01)
    {each}
"""
Starter = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts a job of a name in the run; its lines come from stdout."""
    made: list[subprocess.Popen[str]] = []

    def started(
        name: str, *, before: str = "", after: str = "", each: str = "pass", wait: float = 0, holds: bool = True
    ) -> "subprocess.Popen[str]":
        program = JOB.format(run=str(tmp_path / "run"), before=before, after=after, each=each, wait=wait)
        environment = {**os.environ, "WAYPOINT_JOB": name, "TF_CONFIG": "", "WAYPOINT_DECISIONS_DIR": ""}
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        made.append(process)
        if holds:
            assert next_line(process) == "holds"
        return process

    yield started
    for process in made:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def next_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def lease(tmp_path: Path) -> Path:
    return tmp_path / "run" / ".waypoint" / "lease.json"


def test_without_a_watcher_the_run_is_given_back_and_the_signal_ends_the_process(
    start: Starter, tmp_path: Path
) -> None:
    process = start("one")
    assert json.loads(lease(tmp_path).read_text())["job"] == "waypoint-one"
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    assert not lease(tmp_path).exists()


def test_the_jobs_own_handler_is_called_afterwards(start: Starter, tmp_path: Path) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    process = start("one", before=own)
    process.terminate()
    assert process.wait(10) == 7
    assert not lease(tmp_path).exists()


def test_a_handler_that_lets_the_job_go_on_leaves_it_the_run(start: Starter, tmp_path: Path) -> None:
    process = start("one", before="signal.signal(signal.SIGTERM, lambda *_: print('called', flush=True))")
    process.terminate()
    assert next_line(process) == "called"
    assert "let it go on" in next_line(process)
    assert json.loads(lease(tmp_path).read_text())["job"] == "waypoint-one"
    with pytest.raises(RunIsBusy, match="job waypoint-one"):
        decide(tmp_path / "run")


def test_a_job_that_ignores_it_is_left_alone(start: Starter, tmp_path: Path) -> None:
    process = start("one", before="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    process.terminate()
    time.sleep(0.2)
    assert process.poll() is None
    assert lease(tmp_path).exists()


def test_a_watched_training_ends_when_it_looks_and_at_once_at_the_second_signal(start: Starter, tmp_path: Path) -> None:
    process = start("one", after="stopping.watch(decision)")
    process.terminate()
    assert "saving at the end of this batch" in next_line(process)
    assert process.poll() is None
    assert lease(tmp_path).exists()
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    assert not lease(tmp_path).exists()


def test_after_the_training_the_former_handler_is_back(tmp_path: Path) -> None:
    program = """
import signal, sys
from waypoint_resume import stopping
from waypoint_resume.decision import decide
former = signal.getsignal(signal.SIGTERM)
decision = decide(sys.argv[1])
stopping.heed_sigterm(decision)
assert signal.getsignal(signal.SIGTERM) is not former
decision.lease.release()
stopping.forget(decision)
assert signal.getsignal(signal.SIGTERM) is former
"""  # in a process of its own: pytest's may have trainings that other tests left unfinished
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], check=True)
    assert not lease(tmp_path).exists()


def test_the_next_job_waits_says_so_once_and_goes_on_when_the_run_is_free(start: Starter) -> None:
    first = start("one")
    second = start("two", wait=60, holds=False)
    assert "Waiting for" in (said := next_line(second))
    assert "job waypoint-one" in said
    first.terminate()
    begun = time.monotonic()
    assert next_line(second) == "holds"
    assert time.monotonic() - begun < 5


def test_a_wait_that_ends_in_vain_names_the_holder(start: Starter, tmp_path: Path) -> None:
    start("one")
    begun = time.monotonic()
    with pytest.raises(RunIsBusy, match=r"job waypoint-one.*Waited 1 s for it") as caught:
        decide(tmp_path / "run", wait=0.5)
    assert time.monotonic() - begun < 5
    assert "WAYPOINT_WAIT" in str(caught.value)


@pytest.mark.parametrize("told", ["soon", "-1", "nan"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("WAYPOINT_WAIT", told)
    with pytest.raises(ResumeError, match="WAYPOINT_WAIT"):
        wait_seconds(None)
    assert wait_seconds(3) == 3


def test_a_training_that_ended_without_a_word_gives_the_run_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waypoint_resume.lease.HEARTBEAT", 0.05)
    held = Lease(tmp_path)
    held.take()
    is_training = [True]
    held.hold_while(lambda: is_training[0])
    time.sleep(0.2)
    assert held.is_held
    is_training[0] = False  # an interrupted cell of a notebook
    until = time.monotonic() + 5
    while held.path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not held.is_held
    held.take_again()
    assert held.path.exists()
    held.release()
    assert not held.path.exists()


def test_the_claim_tells_that_the_job_was_preempted_until_the_next_one_goes_on(start: Starter, tmp_path: Path) -> None:
    run = tmp_path / "exp" / "a"
    hand_over(tmp_path, on_disk(tmp_path, a_checkpoint()))
    (tmp_path / "run").symlink_to(run)
    process = start("one")
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    (entry,) = read_manifests(RunFolder.alone(run)).entries
    assert entry.claim is not None
    assert (entry.claim.job, entry.claim.ended, entry.claim.ended_checkpoint) == ("waypoint-one", "preempted", None)
    assert entry.claim.ended_at is not None
    start("two")
    (entry,) = read_manifests(RunFolder.alone(run)).entries
    assert entry.claim is not None
    assert (entry.claim.job, entry.claim.ended, entry.claim.ended_at) == ("waypoint-two", None, None)

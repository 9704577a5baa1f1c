"""A job's lease: fresh while it is touched, and void at once where its process is seen to have ended."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.resume.manifest import Mode
from core.services.resume import propose
from tests.conftest import Opener
from tests.support.trees import START_NS, save
from waypoint_resume.heartbeat import SECONDS, heartbeat, is_leased
from waypoint_resume.process import own_process

TAKE = (
    "import sys; from waypoint_resume.decision import decide; decide(sys.argv[1]); print('taken', flush=True); input()"
)


def lease_of(run: Path, process: str | None) -> Path:
    """A young lease of a process."""
    (run / ".waypoint").mkdir(parents=True, exist_ok=True)
    place = run / ".waypoint/lease.json"
    place.write_text(json.dumps({"job": "7", "process": process}))
    return place


def changed(number: int, value: Callable[[str], str]) -> str:
    """The name of this process with one of its four parts changed."""
    parts = (own_process() or "").split("/")
    return "/".join([*parts[:number], value(parts[number]), *parts[number + 1 :]])


def test_a_lease_is_void_when_its_process_was_killed(tmp_path: Path) -> None:
    job = subprocess.Popen(
        [sys.executable, "-c", TAKE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    try:
        assert job.stdout.readline() == "taken\n"
        touched = (tmp_path / ".waypoint/lease.json").stat().st_mtime_ns
        assert is_leased(tmp_path, touched)
    finally:
        job.kill()
        job.wait()
        job.communicate()
    assert (tmp_path / ".waypoint/lease.json").exists()
    assert not is_leased(tmp_path, touched)
    found = heartbeat([tmp_path], lambda: touched)
    assert found is not None
    assert (found.is_fresh, found.age) == (False, 0.0)
    assert str(found.job).startswith("process-")


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (changed(0, str), True),
        (changed(0, lambda _boot: "another"), True),
        (changed(1, lambda _namespace: "1"), True),
        (changed(3, lambda start: str(int(start) + 1)), False),
        (changed(3, lambda _start: "ended"), False),
        (changed(2, lambda _pid: "x"), True),
        (changed(2, lambda _pid: "9" * 30), True),
        ("a/b", True),
        (None, True),
    ],
    ids=["alive", "boot", "namespace", "number-used-again", "was-ending", "no-number", "huge", "odd", "not-told"],
)
def test_only_a_process_that_is_surely_gone_counts_as_ended(
    tmp_path: Path, process: str | None, expected: bool
) -> None:
    touched = lease_of(tmp_path, process).stat().st_mtime_ns
    assert is_leased(tmp_path, touched) is expected
    assert not is_leased(tmp_path, touched + SECONDS * 10**9)


def test_another_users_process_that_proc_hides_may_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = lease_of(tmp_path, changed(2, lambda _pid: "999999999")).stat().st_mtime_ns
    assert not is_leased(tmp_path, touched)

    def hidden(_pid: int, _signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", hidden)
    assert is_leased(tmp_path, touched)


def test_a_proposal_counts_a_fresh_lease_as_live(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root/a"
    for step in (1, 2):
        save(run, step, at_ns=START_NS)
    opened = workspace(tmp_path / "root")
    opened.refresh()
    held = opened.find_run("a")
    pick = min(opened.members(held.root, "a"), key=lambda item: item.path)
    assert not propose(opened, pick).is_live
    lease_of(run, None)
    proposal = propose(opened, pick, Mode.REWIND)
    assert proposal.is_live
    (told,) = [caution.text for caution in proposal.warnings if caution.id == "run-is-live"]
    assert told.startswith("The run is live, it changed just now: ")
    lease_of(run, changed(3, lambda _start: "1"))
    assert not propose(opened, pick).is_live

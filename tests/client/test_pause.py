"""A pause: what people ask, what the job answers, and that nothing else is ever obeyed."""

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from core.base.errors import NotFoundError
from core.resume.errors import StateError
from core.resume.pauses import PauseState, ask_pause, read_pauses, withdraw_pause
from core.runfolder.run_folder import RunFolder
from core.services.pauses import cannot_pause, nobody_answers
from waypoint_resume.decision import decide
from waypoint_resume.heartbeat import Heartbeat
from waypoint_resume.heartbeat import heartbeat as youngest
from waypoint_resume.lease import Lease
from waypoint_resume.requests import SEVERAL_WORKERS, Request, RequestBox

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def state(run: Path) -> PauseState:
    return read_pauses(RunFolder.alone(run))[0].state


def test_a_request_is_seen_accepted_and_answered(tmp_path: Path) -> None:
    box = RequestBox(tmp_path)
    assert box.look() is None
    asked = ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW, note=" for the night ")
    assert state(tmp_path) is PauseState.WAITING
    with pytest.raises(StateError, match="ada asked already"):
        ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW)
    seen = box.look(at_once=True)
    assert seen == Request(asked.id, "ada", "for the night")
    assert box.accept(seen)
    assert state(tmp_path) is PauseState.SAVING
    with pytest.raises(StateError, match="saving"):
        withdraw_pause(RunFolder.alone(tmp_path), asked.id, actor="ada", now=NOW)
    box.answer(seen, step=7, checkpoint="ckpt-7")
    (found,) = read_pauses(RunFolder.alone(tmp_path))
    assert (found.state, found.step, found.checkpoint) == (PauseState.ANSWERED, 7, "ckpt-7")
    assert found.took is not None
    assert box.look(at_once=True) is None
    log = (tmp_path / ".waypoint" / "log.jsonl").read_text().splitlines()
    assert [(json.loads(line)["actor"], json.loads(line)["event"]) for line in log] == [("ada", "ask for a pause")]


def test_one_that_was_withdrawn_is_not_obeyed(tmp_path: Path) -> None:
    box = RequestBox(tmp_path)
    asked = ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW)
    seen = box.look(at_once=True)
    assert seen is not None
    withdraw_pause(RunFolder.alone(tmp_path), asked.id, actor="ada", now=NOW)
    assert not box.accept(seen)
    assert state(tmp_path) is PauseState.WITHDRAWN
    with pytest.raises(NotFoundError):
        withdraw_pause(RunFolder.alone(tmp_path), str(uuid4()), actor="ada", now=NOW)


def test_what_was_asked_before_a_job_began_is_not_for_it(tmp_path: Path) -> None:
    ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW)
    decision = decide(tmp_path)
    assert decision.requests is not None
    assert decision.requests.look(at_once=True) is None
    (found,) = read_pauses(RunFolder.alone(tmp_path))
    assert found.state is PauseState.REFUSED
    assert "before this job began" in str(found.reason)
    ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW)
    assert decision.requests.look(at_once=True) is not None
    assert decision.lease is not None
    decision.lease.release()


def test_it_is_found_within_about_a_second_by_one_look_at_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, moment = RequestBox(tmp_path), [0.0]
    lists: list[Path] = []

    def listed(path: Path) -> set[str]:
        lists.append(path)
        return set()

    monkeypatch.setattr("waypoint_resume.requests.names_in_folder", listed)
    monkeypatch.setattr("waypoint_resume.requests.time.monotonic", lambda: moment[0])
    (tmp_path / ".waypoint" / "requests").mkdir(parents=True)
    for tick in range(100):  # ten seconds of batches
        moment[0] = tick / 10
        box.look()
    assert len(lists) == 2  # when it was new, and once more for what came within the same tick


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"kind": "stop"},
        {"id": "../../x"},
        {"by": 3},
        {"at": "2026-13-01T00:00:00Z"},
        {"more": 1},
    ],
    ids=["version", "kind", "id", "by", "time", "field"],
)
def test_what_is_no_request_is_neither_obeyed_nor_shown(tmp_path: Path, change: dict[str, object]) -> None:
    key = str(uuid4())
    folder = tmp_path / ".waypoint" / "requests"
    folder.mkdir(parents=True)
    good = {"version": 1, "id": key, "kind": "pause", "by": "eve", "at": "2026-01-01T00:00:00Z", "note": ""}
    (folder / f"{key}.json").write_text(json.dumps(good | change))
    assert read_pauses(RunFolder.alone(tmp_path)) == ()
    assert RequestBox(tmp_path).look(at_once=True) is None


def test_links_and_long_files_are_no_requests(tmp_path: Path) -> None:
    folder = tmp_path / ".waypoint" / "requests"
    folder.mkdir(parents=True)
    first, second, third = (str(uuid4()) for _ in range(3))
    good = {"version": 1, "kind": "pause", "by": "eve", "at": "2026-01-01T00:00:00Z", "note": ""}
    (tmp_path / "elsewhere").write_text(json.dumps({**good, "id": first}))
    (folder / f"{first}.json").symlink_to(tmp_path / "elsewhere")
    (folder / f"{second}.json").write_text(json.dumps({**good, "id": second, "note": "x" * 100_000}))
    os.mkfifo(folder / f"{third}.json")
    assert RequestBox(tmp_path).look(at_once=True) is None
    assert read_pauses(RunFolder.alone(tmp_path)) == ()


@pytest.mark.parametrize(
    ("heartbeat", "expected"),
    [
        (None, "No job that uses waypoint_resume works in this run"),
        (Heartbeat(job="slurm-7", age=500, is_fresh=False), "The job slurm-7 has ended or is stuck"),
        (Heartbeat(job="slurm-7", age=5, is_fresh=True), None),
    ],
)
def test_a_request_that_nobody_answers_says_so(
    tmp_path: Path, heartbeat: Heartbeat | None, expected: str | None
) -> None:
    told = nobody_answers(ask_pause(RunFolder.alone(tmp_path), actor="ada", now=NOW), heartbeat)
    assert told is None if expected is None else str(told).startswith(expected)


def test_looking_costs_next_to_nothing(tmp_path: Path) -> None:
    box = RequestBox(tmp_path)
    begun = time.perf_counter()
    for _ in range(10_000):
        box.look()
    assert time.perf_counter() - begun < 0.5


def test_a_job_of_several_workers_is_known_not_to_pause_before_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    held = Lease(tmp_path)
    held.take()
    try:
        found = youngest([tmp_path], time.time_ns)
    finally:
        held.release()
    assert found is not None
    assert found.workers == 2
    assert cannot_pause(found) == SEVERAL_WORKERS
    assert cannot_pause(replace(found, stops_together=True)) is None
    assert cannot_pause(Heartbeat(job="slurm-7", age=5, is_fresh=True)) is None

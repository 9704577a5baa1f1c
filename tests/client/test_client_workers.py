"""Of several workers the chief decides, and the others restore exactly what it chose, whatever is written meanwhile."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from core.config.settings import load
from core.resume.manifest import Mode
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from tests.support.jobs import Job, job_server

JOB = Path(__file__).parents[1] / "support" / "worker_job.py"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with two checkpoints, of step 1 and 2, whose weights are their steps."""
    folder = tmp_path / "runs" / "a"
    step, weights = tf.Variable(0, dtype=tf.int64), tf.Variable(tf.zeros(3))
    for number in (1, 2):
        step.assign(number)
        weights.assign(tf.fill((3,), float(number)))
        tf.train.Checkpoint(step=step, weights=weights).write(str(folder / f"ckpt-{number}"))
        os.utime(folder / f"ckpt-{number}.index", (number, number))
    return folder


def hand_over(run: Path, name: str) -> None:
    """Write the manifest of a checkpoint with the dashboard's own code."""
    settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parent / ".home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    found = workspace.find_run(run.name)
    picked = next(item for item in workspace.members(found.root, found.path) if item.path.endswith(f"/{name}"))
    proposal = propose(workspace, picked, Mode.REWIND if name == "ckpt-1" else Mode.CONTINUE)
    accepted = [warning.id for warning in proposal.warnings]
    resume_from(workspace, picked, proposal, note="", accepted=accepted, confirm=run.name)
    workspace.close()


def free_ports() -> list[int]:
    """Two ports that nobody uses."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("localhost", 0))
        second.bind(("localhost", 0))
        return [first.getsockname()[1], second.getsockname()[1]]


@pytest.fixture(params=["plain"])
def workers(run: Path, request: pytest.FixtureRequest) -> Iterator[list[Job]]:
    """Two workers whose variables are made, waiting to resume; the first is the chief."""
    running = []
    places = [f"localhost:{port}" for port in free_ports()]
    for index in (0, 1):
        config = {"cluster": {"worker": places}, "task": {"type": "worker", "index": index}}
        environment = {"TF_CONFIG": json.dumps(config)}
        running.append(job_server("keras").start(JOB, run, request.param, environment=environment))
    try:
        for process in running:
            assert line(process) == "ready"
        yield running
        for process in running:  # all are let go first: those of a cluster end together
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait(timeout=60) for process in running] == [0, 0]
    finally:
        for process in running:  # what is left running would fail whichever test comes later
            end(process)


def end(process: Job) -> None:
    """End a worker that may still run, and close its pipes."""
    process.kill()
    process.wait()
    process.close_pipes()


def line(process: Job) -> str:
    """The next line that a worker prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: Job) -> None:
    """Let a worker resume."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answer(process: Job) -> dict[str, Any]:
    """What a worker restored."""
    found: dict[str, Any] = json.loads(line(process))
    return found


def asked(run: Path) -> bool:
    """Whether a worker waits for the chief."""
    return any((run / ".waypoint/workers").glob("*.ask"))


def test_a_manifest_written_after_the_chief_decided_changes_nothing_for_the_others(
    run: Path, workers: list[Job]
) -> None:
    hand_over(run, "ckpt-2")
    chief, other = workers
    go(chief)
    first = answer(chief)
    hand_over(run, "ckpt-1")
    go(other)
    assert first == answer(other) == {"source": "ckpt-2", "step": 2, "weights": [2.0, 2.0, 2.0]}
    [claim] = (run / ".waypoint/claims").glob("*.claim")
    assert json.loads(claim.read_text())["checkpoint"] == "ckpt-2"


def test_a_manifest_written_while_a_worker_waits_is_followed_by_both(run: Path, workers: list[Job]) -> None:
    chief, other = workers
    go(other)
    while not asked(run):
        assert other.poll() is None
    hand_over(run, "ckpt-1")
    go(chief)
    assert answer(chief) == answer(other) == {"source": "ckpt-1", "step": 1, "weights": [1.0, 1.0, 1.0]}
    assert not asked(run)


def test_without_a_manifest_both_take_the_newest_and_an_answer_of_an_earlier_start_is_not_taken(
    run: Path, workers: list[Job]
) -> None:
    chief, other = workers
    go(other)
    while not asked(run):
        assert other.poll() is None
    [question] = (run / ".waypoint/workers").glob("*.ask")
    former = question.with_name(f"{question.name[:16]}.json")
    former.write_text(json.dumps({"checkpoint": "ckpt-1", "format": "tf-bundle", "manifest": None, "answers": ["x"]}))
    go(chief)
    assert answer(chief) == answer(other) == {"source": "ckpt-2", "step": 2, "weights": [2.0, 2.0, 2.0]}


def test_the_others_are_told_why_the_chief_could_not_resume(run: Path, workers: list[Job]) -> None:
    hand_over(run, "ckpt-1")
    (run / "ckpt-1.index").write_bytes(b"")
    chief, other = workers
    go(other)
    while not asked(run):
        assert other.poll() is None
    go(chief)
    reason = answer(chief)["error"]
    assert "ckpt-1.index has 0 bytes instead of" in reason
    assert answer(other) == {"error": f"The chief could not resume: {reason}"}


@pytest.mark.parametrize("workers", ["mirrored"], indirect=True)
def test_two_mirrored_workers_go_on_from_the_same_checkpoint(run: Path, workers: list[Job]) -> None:
    hand_over(run, "ckpt-2")
    chief, other = workers
    go(chief)  # which waits for the other one before it claims: mirrored variables are made by both together
    go(other)
    assert answer(chief) == answer(other) == {"source": "ckpt-2", "step": 2, "weights": [2.0, 2.0, 2.0]}
    assert json.loads(line(chief)) == json.loads(line(other)) == [8.0, 8.0, 8.0]

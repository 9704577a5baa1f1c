"""Two workers that train in step are stopped: both end after the same step, and the next start goes on from there."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.resume.pauses import PauseState, ask_pause, read_pauses
from core.runfolder.run_folder import RunFolder
from core.services.pauses import cannot_pause
from tests.support.jobs import Job, job_server
from waypoint_resume.heartbeat import heartbeat

LOOP, FIT = (Path(__file__).with_name(f"stopping_workers_{name}.py") for name in ("job", "fit"))
STEPS, PATIENCE_S = 400, 120.0


def free_ports() -> list[int]:
    """Two ports that nobody uses."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("localhost", 0))
        second.bind(("localhost", 0))
        return [first.getsockname()[1], second.getsockname()[1]]


def begin(run: Path, job: Path = LOOP) -> list[Job]:
    """Two workers, the chief first."""
    server = job_server("keras" if job == LOOP else "tf_keras")
    cluster = {"worker": [f"localhost:{port}" for port in free_ports()]}
    configs = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in (0, 1)]
    environments = [{"TF_CONFIG": config, "WAYPOINT_JOB": "two-workers"} for config in configs]
    return [server.start(job, run, str(STEPS), environment=each) for each in environments]


def ended(workers: list[Job]) -> list[int]:
    """How each ended; what is left running would fail whichever test comes later."""
    try:
        return [worker.wait(timeout=PATIENCE_S) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.close_pipes()


def steps_of(run: Path) -> list[str]:
    """A line of each step that was trained."""
    path = Path(f"{run}.steps")
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition: Callable[[], bool], workers: list[Job]) -> None:
    """Until something is so; both workers run until then."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert [worker.poll() for worker in workers] == [None, None]
        assert time.monotonic() < until
        time.sleep(0.02)


def stops_together(run: Path) -> bool:
    """Whether the page offers a pause of this job."""
    found = heartbeat([run], time.time_ns)
    return found is not None and found.workers == 2 and cannot_pause(found) is None


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("workers") / "unbroken"
    assert ended(begin(run)) == [0, 0]
    assert len(steps_of(run)) == STEPS
    return run


@pytest.fixture(scope="module")
def unbroken_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of fit() that nothing stopped."""
    run = tmp_path_factory.mktemp("workers") / "unbroken-fit"
    assert ended(begin(run, FIT)) == [0, 0]
    return run


def pause(run: Path, _workers: list[Job]) -> None:
    """Ask for a pause as the page does."""
    ask_pause(RunFolder.alone(run), actor="ada", now=datetime.now(UTC))


def terminate_both(_run: Path, workers: list[Job]) -> None:
    """SIGTERM to each, as Slurm does."""
    for worker in workers:
        os.kill(worker.pid, signal.SIGTERM)


def terminate_other(_run: Path, workers: list[Job]) -> None:
    """SIGTERM to the one that is not the chief, as where one machine is taken away."""
    os.kill(workers[1].pid, signal.SIGTERM)


@pytest.mark.parametrize(
    ("stop", "status"),
    [(pause, 128 + 15), (terminate_both, -15), (terminate_other, -15)],
    ids=["pause", "both", "other"],
)
def test_both_end_after_the_same_step_and_go_on_there(
    unbroken: Path, tmp_path: Path, stop: Callable[[Path, list[Job]], None], status: int
) -> None:
    run = tmp_path / "run"
    workers = begin(run)
    wait_for(lambda: stops_together(run) and len(steps_of(run)) > 10, workers)
    stop(run, workers)
    assert ended(workers) == [status, status]
    done = len(steps_of(run))
    assert 10 < done < STEPS
    assert not (run / ".waypoint" / "lease.json").exists()
    if stop is pause:
        (answer,) = read_pauses(RunFolder.alone(run))
        assert (answer.state, answer.step) == (PauseState.ANSWERED, done)
        assert (run / f"{answer.checkpoint}.index").exists()
    assert ended(begin(run)) == [0, 0]
    assert steps_of(run) == steps_of(unbroken)  # so no step was trained twice, and none is missing
    assert Path(f"{run}.end").read_text() == Path(f"{unbroken}.end").read_text()


@pytest.mark.parametrize(("stop", "status"), [(terminate_other, -15), (pause, 128 + 15)], ids=["other", "pause"])
def test_a_fit_of_two_workers_goes_on_within_its_epoch(
    unbroken_fit: Path, tmp_path: Path, stop: Callable[[Path, list[Job]], None], status: int
) -> None:
    run = tmp_path / "run"
    workers = begin(run, FIT)
    wait_for(lambda: stops_together(run) and len(steps_of(run)) > 65, workers)
    stop(run, workers)
    assert ended(workers) == [status, status]
    assert 65 < len(steps_of(run)) < len(steps_of(unbroken_fit)) == 180
    assert ended(begin(run, FIT)) == [0, 0]
    assert steps_of(run) == steps_of(unbroken_fit)  # bit for bit, each step once
    own, theirs = (json.loads(Path(f"{place}.end").read_text()) for place in (run, unbroken_fit))
    # Each worker goes on from the mean of what both had: the same but for rounding.
    assert [value for part in own for value in part] == pytest.approx([value for part in theirs for value in part])

"""A chain of jobs, each under a new id and ended by SIGTERM: none waits, and all train what one job would."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.resume.pauses import PauseState, ask_pause, read_pauses
from core.runfolder.run_folder import RunFolder
from tests.support.training import Trainings

JOBS = 5


@pytest.fixture
def process() -> Iterator[Trainings]:
    """The trainings of these tests; none goes on after its test."""
    made = Trainings("chain_job.py")
    yield made
    made.stop()


def told(result: Path) -> list[Any]:
    return [json.loads(line) for line in result.read_text().splitlines()] if result.exists() else []


def wait_for(result: Path, lines: int) -> None:
    until = time.monotonic() + 60
    while len(told(result)) < lines:
        assert time.monotonic() < until, f"{result} has {len(told(result))} lines, not {lines}"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("job", "save"),
    [
        ("fit", "e-{epoch}.keras"),
        ("fit", "b-{epoch}-{batch}.keras"),
        ("loop", "by itself"),
        ("loop", "epochs"),
        ("bare", "never"),
    ],
)
def test_five_jobs_ended_by_sigterm_train_what_one_would(
    process: Trainings, tmp_path: Path, job: str, save: str
) -> None:
    whole, chain = tmp_path / "whole.jsonl", tmp_path / "chain.jsonl"
    process.run(job, tmp_path / "one", result=str(whole), name="one", seed=1, save=save, pace=0)
    run, moments = tmp_path / "run", random.Random(save)
    for number in range(1, JOBS + 1):
        done = len(told(chain))
        begun = time.monotonic()
        process.start(job, run, result=str(chain), name=f"chain-{number}", seed=number, save=save)
        if number < JOBS:
            wait_for(chain, done + 1)
            assert time.monotonic() - begun < 30
            time.sleep(moments.uniform(0, 0.2))
            os.kill(process.job, signal.SIGTERM)
            assert process.end() == str(-signal.SIGTERM)
            assert not (run / ".waypoint" / "lease.json").exists()
        else:
            assert process.end() == "0"
    # A signal that comes before the first step is at its end trains that step once more, and alike.
    steps = [tuple(line) for line in told(chain)]
    assert list(dict.fromkeys(steps)) == [tuple(line) for line in told(whole)]
    assert len(steps) - len(set(steps)) <= JOBS


def test_a_pause_is_answered_and_the_next_start_goes_on(process: Trainings, tmp_path: Path) -> None:
    result, run = tmp_path / "told.jsonl", tmp_path / "run"
    arguments: dict[str, Any] = {"result": str(result), "save": "e-{epoch}.keras", "epochs": 60}
    process.start("fit", run, name="one", seed=1, pace=0.02, **arguments)
    wait_for(result, 3)
    ask_pause(RunFolder.alone(run), actor="ada", now=datetime.now(UTC), note="tonight")
    assert process.end() == "143"
    (asked,) = read_pauses(RunFolder.alone(run))
    assert asked.state is PauseState.ANSWERED
    assert asked.took is not None
    assert asked.took < 10
    steps = len(told(result))
    own = f"e-{steps // 6}.keras" if steps % 6 == 0 else None  # at an epoch's end the job has just saved
    assert asked.step == steps
    assert asked.checkpoint in (own, f"waypoint-step-{steps:08}.weights.h5")
    assert not (run / ".waypoint" / "lease.json").exists()
    arguments["epochs"] = steps // 6 + 2  # the request is answered: it stops nobody again
    assert process.run("fit", run, name="two", seed=2, pace=0, **arguments) is not None
    assert told(result)[steps][:2] == list(divmod(steps, 6))

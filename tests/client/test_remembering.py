"""Stateful recurrent layers, and callbacks of the job's own that remember in plain attributes, go on exactly."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import job_server

JOB = Path(__file__).with_name("remembering_job.py")
UNKEPT = "Unkept: what it remembers is not kept: it holds a deque; give it get_state() and set_state()"
Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=["keras", "jax", "tf_keras"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the trainings of a framework came to."""
    folder = tmp_path_factory.mktemp(request.param)
    done = job_server(request.param).run(JOB, request.param, folder)
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads((folder / "results.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["epoch", "within"])
def test_an_interrupted_training_is_bitwise_the_unbroken_one(results: Results, name: str) -> None:
    found, whole = results[name], results["whole"]
    assert len(whole["losses"]) == 20
    assert [found[part] for part in ("losses", "values", "memory")] == [
        whole[part] for part in ("losses", "values", "memory")
    ]
    assert found["callbacks"] == ["Warmup", "Counting", "ModelCheckpoint"]
    assert found["not_kept"] == [UNKEPT]


def test_a_setting_that_was_changed_stands(results: Results) -> None:
    found = results["set"]
    assert found["not_kept"] == ["Warmup: shrinks began with another value, which stands", UNKEPT]
    steps, rate, rates = found["memory"][:3]
    assert steps == 20
    assert rates[:3] == results["whole"]["memory"][2][:3]  # two epochs were done before
    assert rate == rates[2] * 0.5 * 0.5 * 0.5

"""A fit() with the usual callbacks and Dropout, interrupted and resumed, ends bitwise where an unbroken one does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import job_server

JOB = Path(__file__).with_name("exact_job.py")
NAMES = [f"{way}-{kind}" for way in ("waypoint-9-6", "guard-14", "waypoint-4-4") for kind in (False, True)]
CALLBACKS = ["ReduceLROnPlateau", "EarlyStopping", "ModelCheckpoint", "ModelCheckpoint"]
Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=["keras", "jax", "tf_keras"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the trainings of a framework came to."""
    folder = tmp_path_factory.mktemp(request.param)
    done = job_server(request.param).run(JOB, request.param, folder)
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads((folder / "results.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_training_is_bitwise_the_unbroken_one(results: Results, name: str) -> None:
    found, whole = results[name], results[f"whole-{name.rpartition('-')[2]}"]
    assert len(whole["losses"]) > 12  # some epochs before EarlyStopping ended it
    assert found["losses"] == whole["losses"]
    assert found["values"] == whole["values"]
    assert found["memory"] == whole["memory"]
    assert found["history"] == whole["history"]


@pytest.mark.parametrize("name", NAMES)
def test_the_receipt_tells_what_was_restored(results: Results, name: str) -> None:
    receipts = results[name]["receipts"]
    assert receipts[0] is None  # a fresh start
    for receipt in receipts[1:]:
        assert receipt["has_state"]
        assert receipt["callbacks"] == CALLBACKS
        assert {"Python's random", "NumPy", "the model's seed generators"} <= set(receipt["random"])
        assert receipt["not_kept"] == []
        assert receipt["epoch"] * 4 + receipt["batch"] == receipt["step"]
        assert len(receipt["digest"]) == 32

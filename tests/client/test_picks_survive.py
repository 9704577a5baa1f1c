"""What a manifest names survives the job that obeys it, and is told from what was saved over it, in real training."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from core.config.settings import load
from core.resume.manifest import Mode
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from waypoint_resume import ResumeError, Waypoint, resume
from waypoint_resume.kept import kept_in

Model = Any  # Keras has no types
X, Y = np.linspace(-1, 1, 48, dtype="float32").reshape(16, 3), np.ones((16, 1), "float32")


pytestmark = pytest.mark.usefixtures("one_job")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in which a training left its best model."""
    run = tmp_path / "runs/a"
    run.mkdir(parents=True)
    fit(a_model(0.05), 2, [best(run)])
    return run


def a_model(rate: float) -> Model:
    """A model that learns at a moderate rate, and diverges at a great one."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def fit(model: Model, epochs: int, callbacks: list[Any], first: int = 0) -> Any:  # noqa: ANN401
    """Train with validation; the history."""
    return model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        initial_epoch=first,
        validation_data=(X, Y),
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def best(run: Path) -> Any:  # noqa: ANN401
    """The callback of every tutorial, made anew by each start."""
    return keras.callbacks.ModelCheckpoint(run / "best.keras", save_best_only=True)


def hand_over(run: Path, **restore: Any) -> str:  # noqa: ANN401
    """Hand best.keras over with the dashboard's own code; its id."""
    settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parent / ".home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    found = workspace.find_run(run.name)
    (picked,) = workspace.members(found.root, found.path)
    proposal = propose(workspace, picked, Mode.CONTINUE)
    resume_from(workspace, picked, proposal, note="", accepted=[w.id for w in proposal.warnings], confirm=run.name)
    workspace.close()
    path = run / "resume_manifest.json"
    manifest = json.loads(path.read_text())
    manifest["overrides"] = restore.pop("overrides", {})
    manifest["restore"] |= {"initial_epoch": 2, **restore}
    path.write_text(json.dumps(manifest))
    return str(manifest["id"])


def test_a_best_value_that_the_manifest_knows_is_put_back_so_that_no_worse_one_replaces_the_pick(run: Path) -> None:
    value = a_model(0.05).evaluate(X, Y, verbose=0)
    hand_over(run, best_metric={"name": "val_loss", "value": value / 1e6, "mode": "min"})
    before = (run / "best.keras").read_bytes()
    checkpoint = best(run)
    fit(a_model(5.0), 4, [checkpoint, Waypoint(run)])
    assert (run / "best.keras").read_bytes() == before
    assert list(kept_in(run)) == []  # finished, and the original is there


def test_a_pick_that_the_job_replaces_stays_kept_and_is_said(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    identity = hand_over(run)
    before = (run / "best.keras").read_bytes()
    with caplog.at_level(logging.INFO, "waypoint.resume"):
        fit(a_model(5.0), 4, [best(run), Waypoint(run)])
    assert (run / "best.keras").read_bytes() != before
    (kept,) = kept_in(run)
    assert (kept.manifest, kept.path) == (identity, "best.keras")
    assert (kept.folder / "files/best.keras").read_bytes() == before
    assert "Pass initial_value_threshold=" in caplog.text
    assert f"What was handed over lies in .waypoint/kept/{identity}" in caplog.text


def test_what_was_saved_over_the_pick_is_not_taken_for_it(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    hand_over(run, overrides={"learning_rate": 0.01})
    model = a_model(0.05)
    start = resume(run, model=model, steps_per_epoch=2)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    fit(model, 3, [best(run)], first=start.epoch)  # and is killed before it finishes
    assert start._decision.lease is not None
    start._decision.lease.release()
    model = a_model(0.05)
    with caplog.at_level(logging.INFO, "waypoint.resume"):
        again = resume(run, model=model, steps_per_epoch=2)
    assert (again.source, again.step, again.epoch) == ("best.keras", 6, 3)
    assert "saved since it claimed the manifest" in caplog.text
    model.optimizer.learning_rate = 0.5  # what the job sets now stays: overrides are not applied twice
    assert float(model.optimizer.learning_rate) == 0.5


def test_a_restart_before_the_first_save_is_the_pick_again_with_its_overrides(run: Path) -> None:
    hand_over(run, overrides={"learning_rate": 0.01})
    for _ in range(2):
        model = a_model(0.05)
        start = resume(run, model=model, steps_per_epoch=2)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
        assert start.epoch == 2
        assert start._decision.lease is not None
        start._decision.lease.release()
    (kept,) = kept_in(run)
    assert kept.is_original_there(run)


def started(run: Path, caplog: pytest.LogCaptureFixture) -> tuple[Any, Model]:
    """What a start restores, and its model; it gives the run back, as a killed job's process does."""
    caplog.clear()
    model = a_model(0.05)
    with caplog.at_level(logging.INFO, "waypoint.resume"):
        start = resume(run, model=model, steps_per_epoch=2)
    assert start._decision.lease is not None
    start._decision.lease.release()
    return start, model


def weights(model: Model) -> list[bytes]:
    """Every value of a model and its optimizer."""
    return [np.asarray(item).tobytes() for item in (*model.get_weights(), *model.optimizer.variables)]


@pytest.mark.parametrize("replaced", ["cut", "gone", "older"])
def test_the_kept_copy_is_taken_where_the_pick_is_not_what_it_was(
    run: Path, caplog: pytest.LogCaptureFixture, replaced: str
) -> None:
    identity = hand_over(run, overrides={"learning_rate": 0.01})
    first, model = started(run, caplog)
    picked, place = (run / "best.keras").read_bytes(), run / "best.keras"
    if replaced == "cut":
        place.write_bytes(picked[: len(picked) // 2])
    elif replaced == "gone":
        place.unlink()
    else:
        a_model(0.05).save(place)
        os.utime(place, (1, 1))  # older than the claim: nothing that this job saved
    there = place.read_bytes() if place.exists() else None
    again, other = started(run, caplog)
    assert (again.step, again.epoch, weights(other)) == (first.step, first.epoch, weights(model))
    assert again.source == f".waypoint/kept/{identity}/files/best.keras"
    assert again.receipt is not None
    assert "which names best.keras: what lies there is another by now" in again.receipt.why
    assert "best.keras was saved over or cut since it was handed over: the copy that was kept" in caplog.text
    assert (place.read_bytes() if place.exists() else None) == there  # nothing is put back over it
    assert (again.receipt.digest, again._decision.claim["checkpoint"]) == (first.receipt.digest, "best.keras")
    assert float(other.optimizer.learning_rate) == pytest.approx(0.01)  # it is the pick, with its overrides


def test_without_a_copy_the_refusal_names_the_way_out(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    hand_over(run)
    started(run, caplog)
    shutil.rmtree(run / ".waypoint/kept")
    (run / "best.keras").write_bytes(b"cut")
    with pytest.raises(ResumeError, match=r"best\.keras is not what the manifest") as told:
        started(run, caplog)
    assert "python -m core resume a --checkpoint" in str(told.value)
    assert "withdraw the manifest" in str(told.value)


def test_what_the_job_saved_over_its_pick_goes_before_the_copy(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    hand_over(run)
    _, model = started(run, caplog)
    fit(model, 3, [best(run)], first=2)
    again, _ = started(run, caplog)
    assert (again.source, again.step) == ("best.keras", 6)


def test_without_room_the_job_starts_and_says_so(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over(run)
    usage = os.statvfs(run)
    monkeypatch.setattr("waypoint_resume.kept._SPARE", usage.f_blocks * usage.f_frsize)
    start = resume(run, model=a_model(0.05), steps_per_epoch=2)
    assert start.source == "best.keras"
    assert any("is not kept aside" in text for text in start.warnings)
    assert list(kept_in(run)) == []

"""What other trainings left in a run is never mistaken for this one's: folds, linked folders, wrapped optimizers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.client.test_client_restore import X, Y, a_model, values
from waypoint_resume import ResumeError, Waypoint, resume
from waypoint_resume.fit_order import forget_order


def fit(model: Any, run: Path, name: str, epochs: int, stop: int | None = None) -> None:  # noqa: ANN401 - Keras
    """Train with a Waypoint, saving under a name; an exception ends it in the midst of epoch `stop`."""

    def begin(epoch: int, _logs: object) -> None:
        if epoch == stop:
            raise KeyboardInterrupt

    callbacks = [keras.callbacks.ModelCheckpoint(run / name), keras.callbacks.LambdaCallback(on_epoch_begin=begin)]
    try:
        model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, shuffle=False, callbacks=[*callbacks, Waypoint(run)])
    except KeyboardInterrupt:
        assert stop is not None


def test_a_second_training_of_a_process_never_goes_on_from_what_the_first_saved(tmp_path: Path) -> None:
    first, alone, second = a_model(), a_model(), a_model()
    second.set_weights(alone.get_weights())
    fit(first, tmp_path / "both", "fold0.keras", 2)
    kept = (tmp_path / "both/fold0.keras").read_bytes()
    fit(alone, tmp_path / "alone", "fold1.keras", 2)
    fit(second, tmp_path / "both", "fold1.keras", 2)
    assert values(second) == values(alone)
    assert (tmp_path / "both/fold0.keras").read_bytes() == kept


def test_a_training_goes_on_from_its_own_checkpoint_where_another_saved_later(tmp_path: Path) -> None:
    first = a_model()
    fit(first, tmp_path, "fold0.keras", 2)
    kept = (tmp_path / "fold0.keras").read_bytes()
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    other.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    fit(other, tmp_path / "elsewhere", "fold1.keras", 3)
    for path in (tmp_path / "elsewhere").rglob("*"):  # as a training that was given this run from its beginning
        if path.is_file() and path.suffix in (".keras", ".json", ".npz") and path.name != "run.json":
            target = tmp_path / path.relative_to(tmp_path / "elsewhere")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                path.rename(target)
    fresh = a_model()
    forget_order()  # as a process of its own
    fit(fresh, tmp_path, "fold0.keras", 2)
    assert values(fresh) == values(first)
    assert (tmp_path / "fold0.keras").read_bytes() == kept


def test_a_linked_folder_with_checkpoints_is_no_empty_run(tmp_path: Path) -> None:
    run, scratch = tmp_path / "run", tmp_path / "scratch"
    scratch.mkdir()
    run.mkdir()
    (run / "checkpoints").symlink_to(scratch)
    fit(a_model(), run, "checkpoints/e-{epoch}.keras", 3, stop=2)
    before = {path.name: path.read_bytes() for path in scratch.iterdir()}
    with pytest.raises(ResumeError, match="it is a link to"):
        fit(a_model(), run, "checkpoints/e-{epoch}.keras", 3)
    assert {path.name: path.read_bytes() for path in scratch.iterdir()} == before


def test_an_optimizer_that_mixed_precision_wraps_goes_on(tmp_path: Path) -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = a_model(dtype="mixed_float16")
        fit(model, tmp_path, "m.keras", 1)
        fresh = a_model(dtype="mixed_float16")
        start = resume(tmp_path, model=fresh, steps_per_epoch=2)
        assert (start.source, values(fresh)) == ("m.keras", values(model))
        start.finish()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert np.isfinite(fresh.get_weights()[0]).all()


def test_what_is_saved_outside_of_the_run_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "elsewhere" / "e-{epoch}.keras")
    model = a_model()
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[saver, Waypoint(tmp_path / "run")])
    told = [record.getMessage() for record in caplog.records if "outside of the run" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith(f"A callback saves into {tmp_path / 'elsewhere'}, outside of the run {tmp_path / 'run'}:")
    caplog.clear()
    fit(a_model(), tmp_path / "inside", "e-{epoch}.keras", 1)
    assert not [record for record in caplog.records if "outside of the run" in record.getMessage()]

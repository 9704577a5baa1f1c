"""A training that EarlyStopping had ended is not gone on with, unless it has more patience now."""

from pathlib import Path

import keras
import numpy as np
import pytest

from waypoint_resume import Waypoint

X = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")


class KilledError(Exception):
    """Ends a training."""


def epochs_trained(run: Path, patience: int, *, dies: bool) -> list[int]:
    """Train on data that teach nothing; the epochs that were trained."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    begun: list[int] = []

    class Noted(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
            begun.append(epoch)

        def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
            if dies:
                raise KilledError

    stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=patience, restore_best_weights=True)
    saving = keras.callbacks.ModelCheckpoint(f"{run}/e-{{epoch}}.keras")
    options = {"batch_size": 4, "epochs": 9, "verbose": 0}
    if dies:
        with pytest.raises(KilledError):
            model.fit(X, X[:, :1], callbacks=[Noted(), stopping, saving, Waypoint(run)], **options)
    else:
        model.fit(X, X[:, :1], callbacks=[Noted(), stopping, saving, Waypoint(run)], **options)
        assert stopping.best_epoch == 0
    return begun


@pytest.mark.parametrize(("patience", "more"), [(2, []), (4, [3, 4])], ids=["as-before", "more-patience"])
def test_after_a_kill_at_its_end_no_epoch_is_trained_that_an_unbroken_one_leaves_out(
    tmp_path: Path, patience: int, more: list[int]
) -> None:
    run = tmp_path / "run"
    assert epochs_trained(run, 2, dies=True) == [0, 1, 2]
    assert epochs_trained(run, patience, dies=False) == more

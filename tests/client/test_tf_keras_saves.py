"""Saves that tf-keras alone writes, of a model with Dropout whose generator can be read: a start goes on from them."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from waypoint_resume import Waypoint
from waypoint_resume.fit_order import forget_order

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def saver(kind: str, run: Path) -> Any:  # noqa: ANN401 - Keras has no types
    if kind == "backup":
        return tf_keras.callbacks.BackupAndRestore(str(run / "backup"))
    return tf_keras.callbacks.ModelCheckpoint(str(run / "model-{epoch}"))


def trained(kind: str, run: Path, stop: int | None = None) -> tuple[list[bytes], list[int]]:
    """All values, and the epochs that were trained here; `stop`: until one that an error ends as it begins."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(4)
    tf_keras.backend.experimental.enable_tf_random_generator()
    layers, begun = tf_keras.layers, list[int]()
    model = tf_keras.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("adam", "mse")

    def begin(epoch: int, _logs: Any) -> None:  # noqa: ANN401
        if epoch == stop:
            raise KeyboardInterrupt
        begun.append(epoch)

    callbacks = [saver(kind, run), tf_keras.callbacks.LambdaCallback(on_epoch_begin=begin), Waypoint(run)]
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(X, Y, 8, 3, verbose=0, callbacks=callbacks)
    return [item.numpy().tobytes() for item in [*model.weights, *model.optimizer.variables]], begun


@pytest.mark.parametrize("kind", ["backup", "saved-model"])
def test_it_goes_on_exactly(tmp_path: Path, kind: str) -> None:
    whole, _ = trained(kind, tmp_path / "whole")
    trained(kind, tmp_path / "a", stop=2)
    forget_order(tmp_path / "a")  # as a process of its own
    assert trained(kind, tmp_path / "a") == (whole, [2])

"""Validation data that are shuffled: a resumed fit() validates on what an unbroken one does, epoch by epoch."""

import contextlib
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from waypoint_resume import Waypoint

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def rows() -> Any:  # noqa: ANN401 - TensorFlow has no types
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(8)


KINDS: dict[str, Callable[[], Any]] = {
    "one of known length": lambda: rows().take(4).batch(2),
    "in steps": lambda: rows().repeat().batch(2),
    "of unknown length": lambda: rows().filter(lambda x, _: x[0] > -0.5).shuffle(3).batch(3),
}


def trained(
    kit: Any,  # noqa: ANN401 - either Keras
    run: Path,
    made: Callable[[], Any],
    epochs: int,
    stop: int | None = None,
    **more: Any,  # noqa: ANN401
) -> list[float]:
    """What each epoch's validation gave here; `stop`: until an epoch that an error ends as it begins."""
    kit.backend.clear_session()
    kit.utils.set_random_seed(2)
    model = kit.Sequential([kit.layers.Input((3,)), kit.layers.Dense(1)])
    model.compile("sgd", "mse")
    found: list[float] = []

    def begin(epoch: int, _logs: Any) -> None:  # noqa: ANN401
        if epoch == stop:
            raise KeyboardInterrupt

    def end(_epoch: int, logs: dict[str, float]) -> None:
        found.extend([float(logs["val_loss"])] if "val_loss" in logs else [])

    noted = kit.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    callbacks = [kit.callbacks.ModelCheckpoint(f"{run}/e-{{epoch}}.keras"), noted, Waypoint(run)]
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(X, Y, 4, epochs, verbose=0, shuffle=False, callbacks=callbacks, validation_data=made(), **more)
    return found


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras says of data of unknown length
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_validations_go_on_as_in_an_unbroken_training(tmp_path: Path, package: str, name: str) -> None:
    kit, more = importlib.import_module(package), {"validation_steps": 2} if name == "in steps" else {}
    whole = trained(kit, tmp_path / "whole", KINDS[name], 5, **more)
    trained(kit, tmp_path / "a", KINDS[name], 5, stop=3, **more)
    assert trained(kit, tmp_path / "a", KINDS[name], 5, **more) == whole[3:]


def test_every_second_epoch(tmp_path: Path) -> None:
    kit, made = importlib.import_module("keras"), KINDS["one of known length"]
    whole = trained(kit, tmp_path / "whole", made, 6, validation_freq=2)
    trained(kit, tmp_path / "a", made, 6, stop=3, validation_freq=2)
    assert trained(kit, tmp_path / "a", made, 6, validation_freq=2) == whole[1:]


def test_a_generator_is_said_to_begin_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kit = importlib.import_module("keras")

    def made() -> Any:  # noqa: ANN401
        return (row for row in [(X[:2], Y[:2])] * 9)

    trained(kit, tmp_path, made, 2, stop=1, validation_steps=1)
    with caplog.at_level(logging.WARNING, "waypoint.resume"):
        trained(kit, tmp_path, made, 2, validation_steps=1)
    assert "they are a Python generator" in caplog.text

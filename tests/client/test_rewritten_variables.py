"""Layers whose saved form is not their state: LoRA, which Keras merges into its kernel when it saves."""

import contextlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from waypoint_resume import Waypoint, resume
from waypoint_resume.places import HIDDEN
from waypoint_resume.rewritten_variables import rewritten_variables
from waypoint_resume.state_store import STATE

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Halved(keras.layers.Layer):  # type: ignore[misc]
    """Writes its variable in another form, and reads it as that."""

    def build(self, _shape: Any) -> None:  # noqa: ANN401
        """Make it."""
        self.own = self.add_weight(shape=(1,), name="own")

    def call(self, x: Any) -> Any:  # noqa: ANN401
        """Add it."""
        return x + self.own

    def save_own_variables(self, store: Any) -> None:  # noqa: ANN401
        """Not all of its digits."""
        store["0"] = np.round(self.own.numpy(), 1)

    def load_own_variables(self, store: Any) -> None:  # noqa: ANN401
        """What is there."""
        self.own.assign(store["0"])


def a_model() -> Any:  # noqa: ANN401 - Keras has no types
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inner = keras.Sequential([layers.Input((4,)), layers.SpectralNormalization(layers.Dense(4)), layers.Dense(2)])
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4), inner, Halved(), layers.Dense(1)])
    model.layers[0].enable_lora(2)
    inner.layers[1].enable_lora(1)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def values(model: Any) -> list[bytes]:  # noqa: ANN401
    return [item.numpy().tobytes() for item in [*model.weights, *model.optimizer.variables]]


def trained(run: Path, name: str, epochs: int, stop: int | None = None) -> tuple[Any, list[int]]:
    """The model, and the epochs that were trained here; `stop`: until one that an error ends as it begins."""
    model, begun = a_model(), list[int]()

    def begin(epoch: int, _logs: Any) -> None:  # noqa: ANN401
        if epoch == stop:
            raise KeyboardInterrupt
        begun.append(epoch)

    saver = keras.callbacks.ModelCheckpoint(run / name, save_weights_only=name.endswith(".weights.h5"))
    callbacks = [saver, keras.callbacks.LambdaCallback(on_epoch_begin=begin), Waypoint(run)]
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, begun


def test_the_layers_are_found_by_what_they_save() -> None:
    model = a_model()
    model.fit(X, Y, verbose=0)
    names = {item.path.partition("/")[2] for item in rewritten_variables([model]).values()}
    assert {name.rpartition("/")[2] for name in names} == {"lora_kernel_a", "lora_kernel_b", "kernel", "own"}
    assert not any("spectral" in name for name in names)


@pytest.mark.parametrize("name", ["e-{epoch}.keras", "e-{epoch}.weights.h5"])
def test_a_training_with_lora_goes_on_exactly(tmp_path: Path, name: str) -> None:
    whole, _ = trained(tmp_path / "whole", name, 4)
    trained(tmp_path / "a", name, 4, stop=2)
    again, begun = trained(tmp_path / "a", name, 4)
    assert begun == [2, 3]
    assert values(again) == values(whole)


def test_a_start_without_the_state_says_what_the_file_does_not_hold(tmp_path: Path) -> None:
    trained(tmp_path, "e-{epoch}.keras", 1)
    for path in (tmp_path / HIDDEN / STATE).glob("*.json"):
        path.unlink()
    told = [text for text in resume(tmp_path, model=a_model()).warnings if "lora_kernel_a" in text]
    assert len(told) == 1
    assert "zeros, from where neither learns" in told[0]

"""A job never goes on from values that no training comes back from, in any format; a mask of infinities is no such."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.client.test_client_restore import a_model, save, train, values
from waypoint_resume import ResumeError, resume
from waypoint_resume.finite import non_finite_names

KINDS = ("bundle", "keras", "weights", "h5")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["weight", "slot"])
def test_the_newest_that_is_finite_is_taken(tmp_path: Path, kind: str, part: str) -> None:
    model = a_model()
    train(model)
    save(model, kind, tmp_path, 1)
    good = values(model)
    bad = model.weights[0] if part == "weight" else model.optimizer.variables[2]
    bad.assign(np.where(np.arange(bad.shape[-1]) == 1, np.nan, bad.numpy()))
    save(model, kind, tmp_path, 2)
    fresh = a_model()
    start = resume(tmp_path, model=fresh, steps_per_epoch=2)
    assert values(fresh) == good
    assert any("holds NaN or infinite values in" in warning for warning in start.warnings)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_finite_the_job_stops_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    model = a_model()
    train(model)
    model.set_weights([np.full_like(value, np.inf) for value in model.get_weights()])
    save(model, kind, tmp_path)
    fresh = a_model()
    fresh.optimizer.build(fresh.trainable_variables)
    before = values(fresh)
    with pytest.raises(ResumeError, match="it holds NaN or infinite values in"):
        resume(tmp_path, model=fresh, steps_per_epoch=2)
    assert values(fresh) == before


class Masked(keras.layers.Layer):  # type: ignore[misc]
    """Adds a mask of minus infinity, which nobody trains."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the mask."""
        self.mask = self.add_weight(
            shape=shape[-1:], trainable=False, initializer=lambda _shape, dtype: tf.constant([0.0, -np.inf, 0.0], dtype)
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Add what is masked."""
        return x + tf.exp(self.mask)


@pytest.mark.parametrize("kind", ["bundle", "weights"])
def test_a_mask_that_the_job_makes_itself_is_meant(tmp_path: Path, kind: str) -> None:
    model = keras.Sequential([keras.Input((3,)), Masked(), keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    train(model)
    save(model, kind, tmp_path)
    keras.utils.clear_session()
    fresh = keras.Sequential([keras.Input((3,)), Masked(), keras.layers.Dense(1)])
    fresh.compile("adam", "mse", run_eagerly=True)
    resume(tmp_path, model=fresh, steps_per_epoch=2)
    assert [value.tobytes() for value in fresh.get_weights()] == [value.tobytes() for value in model.get_weights()]


def test_what_is_told_of_arrays() -> None:
    inf, nan = np.array([1, np.inf], "float32"), np.array([1, np.nan], "float32")
    fresh = np.ones(2, "float32")
    found = non_finite_names(
        [
            ("whole", np.array([1, 2]), lambda: fresh),
            ("inf", inf, lambda: fresh),
            ("mask", inf, lambda: inf),
            ("elsewhere", inf, lambda: inf[::-1]),
            ("nan", nan, lambda: nan),
            ("text", np.array([b"a"], object), lambda: fresh),
        ]
    )
    assert found == ["inf", "elsewhere", "nan"]

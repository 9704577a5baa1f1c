"""What the name of an optimizer in a file says of its class, and what it does not."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from waypoint_resume import MismatchError, resume

DATA = (np.arange(12, dtype="float32").reshape(4, 3), np.ones((4, 1), "float32"))


def trained(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """A model after one epoch."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, name="out")])
    model.compile(optimizer, "mse")
    model.fit(*DATA, verbose=0)
    return model


def saved(run: Path, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """A model of which a bundle was saved."""
    model = trained(optimizer)
    tf.train.Checkpoint(model).save(str(run / "ckpt"))
    return model


@pytest.mark.parametrize("name", ["adam_1", "adam_23", "of_the_generator", "sgd2"])
def test_another_name_is_no_other_class(tmp_path: Path, name: str) -> None:
    model = saved(tmp_path, keras.optimizers.Adam(0.01, name=name))
    fresh = trained(keras.optimizers.Adam(0.01))
    resume(tmp_path, model=fresh, steps_per_epoch=1)
    assert int(fresh.optimizer.iterations) == 1
    assert [v.numpy().tobytes() for v in fresh.variables] == [v.numpy().tobytes() for v in model.variables]


def test_another_class_is_told_by_its_name_alone_where_all_values_fit(tmp_path: Path) -> None:
    saved(tmp_path, keras.optimizers.Adam(0.01))
    with pytest.raises(MismatchError, match="the optimizer is AdamW now and was adam when this was saved"):
        resume(tmp_path, model=trained(keras.optimizers.AdamW(0.01)), steps_per_epoch=1)

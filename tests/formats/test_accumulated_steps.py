"""The counter of an optimizer that gathers gradients: a bundle tells that it counts batches, and of none how many."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.formats.bundle_layout import COUNTS_BATCHES
from tests.support import keras_files


@pytest.mark.parametrize("batches", [1, 4])
def test_a_bundle_says_that_its_counter_counts_batches(tmp_path: Path, batches: int) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(gradient_accumulation_steps=batches if batches > 1 else None), "mse")
    model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=1, verbose=0)
    other = keras.optimizers.SGD()
    other.build(model.trainable_variables)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer, other=other).write(str(tmp_path / "ckpt"))
    step = keras_files.checkpoints(tmp_path)["ckpt"].facts.step
    assert step is not None
    assert step.value == 8 == int(model.optimizer.iterations) * batches
    assert step.source == "optimizer/_iterations" + (COUNTS_BATCHES if batches > 1 else "")

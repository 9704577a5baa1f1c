"""One of two workers of a fit() of tf-keras, told apart by TF_CONFIG: `stopping_workers_fit.py RUN`.

BatchNormalization's means and metrics are made of what each worker holds a part of. The chief notes the trained weights
after each batch in `RUN.steps`, as a checksum with its place, and those means at the end in `RUN.end`.
"""

import json
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf
import tf_keras as keras

from waypoint_resume import Waypoint
from waypoint_resume.jobs import is_chief_task

run, is_chief = Path(sys.argv[1]), is_chief_task()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
keras.backend.experimental.enable_tf_random_generator()
keras.utils.set_random_seed(1)
rows = np.random.default_rng(0).normal(size=(240, 6)).astype("float32")
data = tf.data.Dataset.from_tensor_slices((rows[:, :5], rows[:, 5:])).shuffle(240, seed=2).batch(4)
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
with strategy.scope():
    model = keras.Sequential(
        [
            keras.layers.Input((5,)),
            keras.layers.Dense(4, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])


def digest(values: Any) -> str:  # noqa: ANN401 - Keras has no types
    """A checksum of arrays."""
    return f"{zlib.crc32(b''.join(value.tobytes() for value in values)):08x}"


class Noted(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes each batch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Read the weights that are the same in every worker."""
        del logs
        if is_chief:
            with Path(f"{run}.steps").open("a") as file:
                file.write(f"{batch} {digest(item.numpy() for item in self.model.trainable_variables)}\n")
        time.sleep(0.03)


place = run if is_chief else Path(f"{run}-other")
callbacks = [keras.callbacks.ModelCheckpoint(place / "e-{epoch:02d}.weights.h5", save_weights_only=True), Noted()]
model.fit(data.with_options(options), epochs=3, callbacks=[*callbacks, Waypoint(run)], verbose=0)
means = [item.numpy().tolist() for item in model.non_trainable_variables]  # by both, for a mean is read from both
if is_chief:
    Path(f"{run}.end").write_text(json.dumps(means))

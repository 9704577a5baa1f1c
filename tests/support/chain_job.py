"""A job that a scheduler ends with SIGTERM, for tests of how the next one goes on: `chain_job.py ASKED`.

ASKED is JSON: the job's kind, its run's folder and more, as `train` takes it.
Every step is noted as a line of `result`: epoch, batch and loss. A training that ends by itself appends its values.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")
os.environ.update(WAYPOINT_DECISIONS_DIR="", TF_CONFIG="")

import keras
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2]))
from waypoint_resume import Waypoint, resume

STEPS, BATCH = 6, 8
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")


def made() -> keras.Model:
    """A model whose random numbers matter."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def values(model: keras.Model) -> str:
    """Weights and optimizer state, in hexadecimal digits."""
    return "".join(variable.numpy().tobytes().hex() for variable in [*model.weights, *model.optimizer.variables])


class Noted(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes each step; waits a moment after it, so that a signal comes in between."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__()
        self.note, self.epoch = note, 0

    def on_epoch_begin(self, epoch: int, _logs: object = None) -> None:
        """Remember it."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Note it."""
        self.note(self.epoch, batch, float((logs or {})["loss"]))


def fit(folder: str, note: Callable[..., None], epochs: int, save: str, wait: float | None) -> None:
    """Keras's own loop with the callbacks that people use, and the one line."""
    model = made()
    callbacks = [
        keras.callbacks.ModelCheckpoint(f"{folder}/{save}", save_freq=4 if "batch" in save else "epoch"),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.1),
        keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True),
        Noted(note),
    ]
    callbacks.insert(2, Waypoint(folder, wait=wait))
    model.fit(
        X,
        Y,
        BATCH,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        validation_data=(X[:BATCH], Y[:BATCH]),
        callbacks=callbacks,
    )
    note(values(model))


def loop(folder: str, note: Callable[..., None], epochs: int, save: str, wait: float | None) -> None:
    """A loop of its own with a CheckpointManager; `save` is `by itself`, or what the job numbers its saves by."""
    model, done = made(), tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, done=done)
    manager = tf.train.CheckpointManager(checkpoint, f"{folder}/ckpts", max_to_keep=3)
    start = resume(folder, manager=manager, steps_per_epoch=STEPS, wait=wait)
    for step in range(int(done), epochs * STEPS):
        epoch, batch = divmod(step, STEPS)
        part = slice(batch * BATCH, (batch + 1) * BATCH)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X[part], training=True) - Y[part]) ** 2)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        done.assign_add(1)
        note(epoch, batch, float(loss))
        if batch + 1 == STEPS:
            manager.save(**{"checkpoint_number": epoch + 1} if save == "epochs" else {})
        start.end_of_step()
    start.finish()
    note(values(model))


def bare(folder: str, note: Callable[..., None], epochs: int, save: str, wait: float | None) -> None:
    """A loop of its own that never saves: a tf.train.Checkpoint alone."""
    del save
    model, done = made(), tf.Variable(0, dtype=tf.int64)
    start = resume(folder, checkpoint=tf.train.Checkpoint(model=model, done=done), wait=wait)
    for step in range(int(done), epochs * STEPS):
        epoch, batch = divmod(step, STEPS)
        part = slice(batch * BATCH, (batch + 1) * BATCH)
        model.train_on_batch(X[part], Y[part])
        done.assign_add(1)
        note(epoch, batch)
        start.end_of_step()
    start.finish()
    note(values(model))


def train(
    job: str,
    folder: str,
    result: str,
    *,
    name: str,
    seed: int,
    epochs: int = 6,
    pace: float = 0.02,
    save: str = "",
    wait: float | None = None,
    own_handler: str | None = None,
) -> None:
    """One training under the job's name, with a seed of its own: what is restored must not depend on it."""
    os.environ["WAYPOINT_JOB"] = name
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    if own_handler is not None:
        signal.signal(signal.SIGTERM, lambda *_: Path(own_handler).write_text("called"))

    def note(*what: object) -> None:
        with Path(result).open("a") as file:
            file.write(json.dumps(what) + "\n")
        time.sleep(pace)

    {"fit": fit, "loop": loop, "bare": bare}[job](folder, note, epochs, save, wait)


if __name__ == "__main__":
    train(**json.loads(sys.argv[1]))

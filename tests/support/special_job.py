"""Jobs of special kinds, for tests of how they go on: mixed precision, schedules, Dropout, BackupAndRestore.

`special_job.py ASKED` takes JSON: the job's kind, its run's folder and more, as `train` does; it writes what tests
compare into `result`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")
os.environ.update(WAYPOINT_JOB="night", WAYPOINT_DECISIONS_DIR="", TF_CONFIG="")

import keras
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2]))
from waypoint_resume import ResumeError, Start, resume

EPOCHS, STEPS, BATCH = 6, 4, 8
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")
Told = dict[str, Any]


def model_of(kind: str) -> keras.Model:
    """A model with the optimizer and the layers that make the kind."""
    layers = keras.layers
    precision = "mixed_float16" if kind == "mixed" else "float32"
    inner = [layers.Dense(4, dtype=precision), layers.BatchNormalization(dtype=precision)]
    inner += [layers.Dropout(0.5)] if kind == "dropout" else []
    model = keras.Sequential([layers.Input((3,)), *inner, layers.Dense(1)])
    rate = keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * STEPS) if kind == "schedule" else 0.01
    optimizer = keras.optimizers.Adam(rate)
    if kind == "mixed":  # a scale that grows every five steps, so in mid-epoch too
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0, dynamic_growth_steps=5)
    model.compile(optimizer, "mse")
    return model


def values(model: keras.Model) -> list[str]:
    """Weights and optimizer state, in hexadecimal digits."""
    return [variable.numpy().tobytes().hex() for variable in [*model.weights, *model.optimizer.variables]]


def setting(optimizer: keras.Optimizer) -> float:
    """What goes on beside the weights: the loss scale, or the learning rate."""
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return float(optimizer.dynamic_scale if is_scaled else optimizer.learning_rate)


def began(start: Start, model: keras.Model) -> Told:
    """What resume() said, and what the model then held."""
    return {"source": start.source, "step": start.step, "warnings": start.warnings, "restored": values(model)}


class Noted(keras.callbacks.Callback):  # type: ignore[misc]
    """Loss and setting after each step, and the kill in mid of an epoch."""

    def __init__(self, told: Told, kill: int | None) -> None:
        super().__init__()
        self.told, self.kill = told, kill

    def on_train_batch_end(self, _batch: int, logs: dict[str, float]) -> None:
        """Note it."""
        note(self.told, float(logs["loss"]), self.model.optimizer, self.kill)


def note(told: Told, loss: float, optimizer: keras.Optimizer, kill: int | None) -> None:
    """Note a step that is done, and end this process if it is the one."""
    told["steps"].append([loss, setting(optimizer)])
    if kill is not None and len(told["steps"]) == kill * STEPS + 2:
        os.kill(os.getpid(), signal.SIGKILL)


def fit(told: Told, folder: str, kind: str, *, epochs: int, goes_on: bool, kill: int | None, backup: bool) -> None:
    """Keras's own loop and its ModelCheckpoint, which for the kind `backup` saves every second epoch only."""
    model = model_of(kind)
    every = 2 * STEPS if kind == "backup" else "epoch"
    saves = keras.callbacks.ModelCheckpoint(f"{folder}/models/epoch-{{epoch}}.keras", save_freq=every)
    callbacks = [saves, Noted(told, kill)]
    callbacks += [keras.callbacks.BackupAndRestore(f"{folder}/backup")] if backup else []
    first = 0
    if goes_on:
        start = resume(folder, model=model, steps_per_epoch=STEPS)
        told |= began(start, model)
        callbacks, first = [*callbacks, start.guard], start.epoch
    model.fit(X, Y, BATCH, initial_epoch=first, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    told["values"] = values(model)


def loop(told: Told, folder: str, kind: str, *, epochs: int, goes_on: bool, kill: int | None, backup: bool) -> None:
    """A loop of its own that saves with tf.train.Checkpoint, no manager: a model, its optimizer and a counter."""
    del backup
    model, done = model_of(kind), tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, done=done)
    start = None
    if goes_on:
        start = resume(folder, checkpoint=checkpoint, steps_per_epoch=STEPS)
        told |= began(start, model)
    for epoch in range(start.epoch if start else 0, epochs):
        for batch in range(STEPS):
            part = slice(batch * BATCH, (batch + 1) * BATCH)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(X[part], training=True) - Y[part]) ** 2)
            variables = model.trainable_variables
            model.optimizer.apply(tape.gradient(loss, variables), variables)
            note(told, float(loss), model.optimizer, kill)
        done.assign(epoch + 1)
        checkpoint.save(f"{folder}/ckpt")
    told["values"] = [*values(model), int(done)]
    if start is not None:
        start.finish()


def train(
    folder: str,
    kind: str,
    result: str,
    epochs: int = EPOCHS,
    goes_on: bool = False,
    kill: int | None = None,
    backup: bool = False,
) -> None:
    """One training; what resume() or the guard refuses is noted as its error."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(2 if goes_on else 1)  # what is restored must not depend on the first weights
    told: Told = {"steps": []}
    trained: Callable[..., None] = loop if kind == "loop" else fit
    try:
        trained(told, folder, kind, epochs=epochs, goes_on=goes_on, kill=kill, backup=backup)
    except ResumeError as error:
        told["error"] = str(error)
    Path(result).write_text(json.dumps(told))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    del asked["job"]  # there is one
    train(**asked)

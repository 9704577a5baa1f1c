"""A small training job that obeys resume manifests: `train_job.py FRAMEWORK RUNS ONLY [KILL]`.

FRAMEWORK is keras, tf_keras or module (a tf.Module with a loop of its own). With ONLY "-" it trains anew and saves
in every form that the framework has, each in a run of its own below RUNS; else it resumes in the run ONLY and saves
in that form. With KILL it kills itself in mid of that epoch (counted from 0). It writes `result-ONLY.json`: where it
began, the loss of each step, the final weights and optimizer state, and the warnings.

`train_job.py FRAMEWORK RUNS refused RUN…` only tries to resume in runs that another framework wrote, and notes what
was said and whether all values stayed as they were.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", JAX_PLATFORMS="cpu")

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[1]))
from core.resume.client import ResumeError, Start, resume

FRAMEWORK, RUNS, ONLY = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
KILL = int(sys.argv[4]) if len(sys.argv) > 4 and ONLY != "refused" else None
EPOCHS, STEPS, BATCH = 6, 4, 8
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")
LOSSES: list[list[float]] = []


def result(start: Start | None, values: list[Any]) -> None:
    """Write what the tests compare; bytes as hexadecimal digits."""
    told = {"source": start.source, "step": start.step, "warnings": start.warnings} if start else {}
    values = [np.asarray(value.numpy()).tobytes().hex() for value in values]
    (RUNS / f"result-{ONLY}.json").write_text(json.dumps({**told, "losses": LOSSES, "values": values}))


def values_of(optimizer: Any) -> list[Any]:  # noqa: ANN401 - Keras has no types
    """An optimizer's variables in either Keras."""
    own = optimizer.variables
    return list(own() if callable(own) else own)


def be_refused(model: Any) -> None:  # noqa: ANN401
    """Try each of the runs."""
    model.optimizer.build(model.trainable_variables)
    said = {}
    before = [value.numpy().tobytes() for value in [*model.weights, *values_of(model.optimizer)]]
    for run in sys.argv[4:]:
        try:
            said[run] = (f"restored {resume(RUNS / run, model=model).source}", False)
        except ResumeError as error:
            after = [value.numpy().tobytes() for value in [*model.weights, *values_of(model.optimizer)]]
            said[run] = (str(error), before == after)
    (RUNS / "result-refused.json").write_text(json.dumps(said))


def train_keras(keras: Any) -> None:  # noqa: ANN401 - either package
    """Train with fit() in Keras 3 or tf-keras."""
    keras.utils.set_random_seed(1 if ONLY == "-" else 2)  # what is restored must not depend on the first weights
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])

    if ONLY == "refused":
        be_refused(model)
        return

    class Noted(keras.callbacks.Callback):  # type: ignore[misc]
        """The loss of each step, saves after each epoch in every form, and the kill."""

        def on_train_batch_end(self, _batch: int, logs: dict[str, float]) -> None:
            LOSSES.append([float(logs["loss"])])
            if KILL is not None and len(LOSSES) == KILL * STEPS + 2:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            del logs
            for run, save in saves.items():
                if ONLY in ("-", run):
                    (RUNS / run).mkdir(exist_ok=True)
                    save(epoch + 1)

    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(RUNS / "manager"), max_to_keep=2)
    saves: dict[str, Any] = {
        "manager": lambda _: manager.save(),
        "keras": lambda epoch: model.save(RUNS / "keras" / f"epoch-{epoch}.keras"),
        "weights": lambda epoch: model.save_weights(RUNS / "weights" / f"epoch-{epoch}.weights.h5"),
        "h5": lambda epoch: model.save(str(RUNS / "h5" / f"epoch-{epoch}.h5")),
    }
    callbacks = [Noted()]
    if FRAMEWORK == "keras":
        if ONLY in ("-", "orbax"):
            (RUNS / "orbax").mkdir(exist_ok=True)
            folder = str((RUNS / "orbax").resolve())
            callbacks.insert(0, keras.callbacks.OrbaxCheckpoint(folder, max_to_keep=None, save_on_background=False))
    else:
        saves["tf-weights"] = lambda epoch: model.save_weights(str(RUNS / "tf-weights" / f"epoch-{epoch}"))
        saves["saved-model"] = lambda epoch: model.save(RUNS / "saved-model" / f"epoch-{epoch}", save_format="tf")
    start = None
    if ONLY != "-":
        given = {"manager": manager} if ONLY == "manager" else {}
        start = resume(RUNS / ONLY, model=model, steps_per_epoch=STEPS, **given)
        callbacks.append(start.guard)
    fit = {"batch_size": BATCH, "epochs": EPOCHS, "initial_epoch": start.epoch if start else 0}
    model.fit(X, Y, shuffle=False, verbose=0, callbacks=callbacks, **fit)
    result(start, [*model.weights, *values_of(model.optimizer)])


def train_module() -> None:
    """Train a tf.Module in a loop of its own, with Keras 3's optimizer and a counter."""
    import keras

    class Line(tf.Module):  # type: ignore[misc]
        """Two variables."""

        def __init__(self) -> None:
            super().__init__()
            first = 0.5 if ONLY == "-" else 7.0
            self.w, self.b = tf.Variable(tf.fill((3, 1), first), name="w"), tf.Variable([first], name="b")

    line, step, optimizer = Line(), tf.Variable(0, dtype=tf.int64), keras.optimizers.SGD(0.1, momentum=0.9)
    checkpoint = tf.train.Checkpoint(line=line, optimizer=optimizer, step=step)
    manager = tf.train.CheckpointManager(checkpoint, str(RUNS / "module"), max_to_keep=2)
    start = resume(RUNS / "module", manager=manager, steps_per_epoch=STEPS) if ONLY != "-" else None
    for epoch in range(start.epoch if start else 0, EPOCHS):
        for batch in range(STEPS):
            part = slice(batch * BATCH, (batch + 1) * BATCH)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((X[part] @ line.w + line.b - Y[part]) ** 2)
            LOSSES.append([float(loss)])
            optimizer.apply(tape.gradient(loss, line.trainable_variables), line.trainable_variables)
            step.assign_add(1)
            if KILL is not None and epoch == KILL and batch == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        manager.save()
    result(start, [*line.variables, *values_of(optimizer), step])
    if start:
        start.finish()


tf.config.experimental.enable_op_determinism()
if FRAMEWORK == "module":
    train_module()
else:
    import importlib

    train_keras(importlib.import_module(FRAMEWORK))

"""Trainings that are interrupted at many points and go on, beside one that is not: `exact_job.py FRAMEWORK FOLDER`.

FRAMEWORK is keras, jax (Keras on it) or tf_keras; Keras 2 draws from generators whose state can be read. Each
interruption is an exception out of a callback that comes first, as abrupt for what lies on disk as a kill; what goes on
is made anew, from other seeds.
Writes `results.json`: for each training the loss of every batch, and at the end weights, optimizer, learning rate, what
each callback remembers; and of those that went on what the receipt says.
It needs the framework and the client alone: tests/compat runs it too.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
os.environ["KERAS_BACKEND"] = "jax" if sys.argv[1] == "jax" else "tensorflow"

import numpy as np

from waypoint_resume import Waypoint, resume
from waypoint_resume.callback_memory import read_memory
from waypoint_resume.values import encode

EPOCHS, STEPS, BATCH = 9, 4, 8
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")


class InterruptedTrainingError(Exception):
    """Ends a training in mid-way."""


class Training:
    """One training's objects, made as a job makes them."""

    def __init__(self, keras: Any, run: Path, seed: int, *, saves_within_epochs: bool) -> None:  # noqa: ANN401
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        inner = keras.Sequential([layers.Input((6,)), layers.GaussianNoise(0.05), layers.Dense(5, activation="relu")])
        self.model = keras.Sequential(
            [layers.Input((3,)), layers.Dense(6), layers.Dropout(0.3), inner, layers.Dropout(0.2), layers.Dense(1)]
        )
        self.model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
        made = keras.callbacks
        ending = {"save_freq": 3, "save_weights_only": True} if saves_within_epochs else {}
        name = "b-{epoch:02d}-{batch:02d}.weights.h5" if saves_within_epochs else "e-{epoch:02d}.keras"
        self.callbacks = [
            made.ReduceLROnPlateau(patience=1, factor=0.5, cooldown=1),
            made.EarlyStopping(patience=4, restore_best_weights=True),
            made.ModelCheckpoint(f"{run}/best.keras", save_best_only=True),
            made.ModelCheckpoint(f"{run}/{name}", **ending),
            made.LearningRateScheduler(lambda epoch, rate: rate * 0.99 if epoch else rate),
            made.CSVLogger(f"{run}/log.csv", append=True),
        ]
        self.losses: dict[str, str] = {}
        self.batches = 0

    def fit(self, keras: Any, before: list[Any], after: list[Any], stop: int | None, **more: Any) -> Any:  # noqa: ANN401
        """Train; with `stop` until so many batches were trained here."""
        job, place = self, {"epoch": 0}

        class Noted(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
                place["epoch"] = epoch

            def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
                drawn = float(keras.initializers.GlorotUniform()((1, 1))[0, 0])  # as where weights are made anew
                values = (float(logs["loss"]), float(logs["mae"]), drawn)
                job.losses[f"{place['epoch']}.{batch}"] = " ".join(value.hex() for value in values)
                job.batches += 1

            def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
                if job.batches == stop:
                    raise InterruptedTrainingError

        callbacks = [Noted(), *before, *self.callbacks, *after]
        options = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "validation_data": (X[:12] * 0.5, Y[:12])}
        return self.model.fit(X, Y, epochs=EPOCHS, callbacks=callbacks, **{**options, **more})

    def result(self, history: Any) -> dict[str, Any]:  # noqa: ANN401
        """What must be equal at the end."""
        own = self.model.optimizer.variables
        variables = [*self.model.weights, *(own() if callable(own) else own)]
        memory, _ = read_memory(self.callbacks)
        return {
            "losses": self.losses,
            "values": [np.asarray(item.numpy()).tobytes().hex() for item in variables],
            "memory": [encode(item["memory"], {}) for item in memory],
            "history": encode(history.history, {}),
        }


def interrupted(keras: Any, run: Path, stops: list[int], way: str, **kind: bool) -> dict[str, Any]:  # noqa: ANN401
    """Train in parts; each but the last ends after so many batches of its own."""
    losses: dict[str, str] = {}
    receipts = []
    for number, stop in enumerate([*stops, None]):
        job = Training(keras, run, 1 + number, **kind)
        try:
            if way == "guard":
                start = resume(run, model=job.model, steps_per_epoch=STEPS)
                history = job.fit(keras, [], [start.guard], stop, initial_epoch=start.epoch)
            else:
                history = job.fit(keras, [Waypoint(run)], [], stop)
        except InterruptedTrainingError:
            history = None
        losses |= job.losses
        found = sorted((run / ".waypoint" / "receipts").glob("*.json"))
        receipts.append(json.loads(found[-1].read_text()) if found else None)
    return {**job.result(history), "losses": losses, "receipts": receipts}


def main() -> None:
    """Train all of them."""
    framework, folder = sys.argv[1], Path(sys.argv[2])
    keras = importlib.import_module("tf_keras" if framework == "tf_keras" else "keras")
    if keras.__version__.startswith("2."):
        keras.backend.experimental.enable_tf_random_generator()
    else:
        keras.config.disable_traceback_filtering()
    if framework != "jax":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    results: dict[str, Any] = {}
    logging.getLogger("waypoint.resume").addHandler(logging.FileHandler(folder / "log.txt"))
    for kind in (False, True):
        (folder / f"whole-{kind}").mkdir()
        job = Training(keras, folder / f"whole-{kind}", 1, saves_within_epochs=kind)
        results[f"whole-{kind}"] = job.result(job.fit(keras, [Waypoint(folder / f"whole-{kind}")], [], None))
        for way, stops in (("waypoint", [9, 6]), ("guard", [14]), ("waypoint", [4, 4])):
            name = f"{way}-{'-'.join(map(str, stops))}-{kind}"
            (folder / name).mkdir()
            results[name] = interrupted(keras, folder / name, stops, way, saves_within_epochs=kind)
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()

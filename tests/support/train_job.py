"""A small training job that obeys resume manifests: `train_job.py FRAMEWORK RUNS WHAT… [--kill EPOCH] [--waypoint]`.

FRAMEWORK is keras, tf_keras or module (a tf.Module with a loop of its own). With "-" it trains anew and saves in
every form that the framework has, each in a run of its own below RUNS; with FORM or FORM:RUN it resumes in that run,
one after the other, and saves in that form. With --kill it kills itself in mid of that epoch (counted from 0). For
each run it writes `result-RUN.json`: where it began, the loss of each step, the final weights and optimizer state, and
the warnings. With --waypoint fit() resumes by the callback Waypoint alone. The form `steps` saves within epochs.

`train_job.py FRAMEWORK RUNS refused RUN…` only tries to resume in runs that another framework wrote, and notes what
was said and whether all values stayed as they were. `train_job.py FRAMEWORK RUNS forms` prints the forms.

It needs the framework and the client alone, on each Python that the client knows: tests/compat runs it too.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import signal
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np

from waypoint_resume import ResumeError, Start, Waypoint, resume

EPOCHS, STEPS, BATCH = 6, 4, 8
SAVE_EVERY = 5  # steps, in the form `steps`
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")


def result(runs: Path, run: str, start: Start | None, losses: list[list[float]], values: list[Any]) -> None:
    """Write what the tests compare; bytes as hexadecimal digits."""
    told = {"source": start.source, "step": start.step, "warnings": start.warnings} if start else {}
    values = [np.asarray(value.numpy()).tobytes().hex() for value in values]
    (runs / f"result-{run}.json").write_text(json.dumps({**told, "losses": losses, "values": values}))


def values_of(optimizer: Any) -> list[Any]:  # noqa: ANN401 - Keras has no types
    """An optimizer's variables in either Keras."""
    own = optimizer.variables
    return list(own() if callable(own) else own)


def a_model(keras: Any, *, seed: int) -> Any:  # noqa: ANN401 - either package
    """The model of every form; what is restored must not depend on the first weights."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def forms_of(keras: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The forms in which a Keras saves here."""
    forms = ["keras", "weights", "h5"]
    if keras.backend.backend() == "tensorflow":
        forms.insert(0, "manager")
    if keras.__version__.startswith("2."):
        forms += ["tf-weights", "saved-model"]
    if hasattr(keras.callbacks, "OrbaxCheckpoint") and importlib.util.find_spec("orbax") is not None:
        forms.append("orbax")
    return tuple(forms)


def be_refused(keras: Any, runs: Path, names: list[str]) -> None:  # noqa: ANN401
    """Try each of the runs."""
    model = a_model(keras, seed=2)
    model.optimizer.build(model.trainable_variables)
    said = {}
    before = [value.numpy().tobytes() for value in [*model.weights, *values_of(model.optimizer)]]
    for run in names:
        try:
            said[run] = (f"restored {resume(runs / run, model=model).source}", False)
        except ResumeError as error:
            after = [value.numpy().tobytes() for value in [*model.weights, *values_of(model.optimizer)]]
            said[run] = (str(error), before == after)
    (runs / "result-refused.json").write_text(json.dumps(said))


def train_keras(
    keras: Any,  # noqa: ANN401
    runs: Path,
    form: str,
    run: str,
    kill: int | None,
    *,
    by_waypoint: bool = False,
) -> None:
    """Train with fit() in Keras 3 or tf-keras; the form "-" saves in every form, each in a run of its own."""
    model = a_model(keras, seed=1 if form == "-" else 2)
    losses: list[list[float]] = []

    class Noted(keras.callbacks.Callback):  # type: ignore[misc]
        """The loss of each step, saves after each epoch, and the kill."""

        def on_train_batch_end(self, _batch: int, logs: dict[str, float]) -> None:
            losses.append([float(logs["loss"])])
            if form in ("-", "steps") and len(losses) % SAVE_EVERY == 0:
                folder = runs / ("steps" if form == "-" else run)
                folder.mkdir(exist_ok=True)
                self.model.save_weights(folder / f"step-{int(model.optimizer.iterations)}.weights.h5")
            if kill is not None and len(losses) == kill * STEPS + 2:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            del logs
            for one, save in saves.items():
                if form in ("-", one):
                    folder = runs / (one if form == "-" else run)
                    folder.mkdir(exist_ok=True)
                    save(folder, epoch + 1)

    start, managers = None, {}
    if form == "manager" or (form == "-" and "manager" in forms_of(keras)):
        import tensorflow as tf

        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        folder = runs / ("manager" if form == "-" else run)
        managers = {"manager": tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)}
    watch = Waypoint(runs / run) if by_waypoint and form != "-" else None
    if form != "-" and watch is None:
        start = resume(runs / run, model=model, steps_per_epoch=STEPS, **managers)
    callbacks: list[Any] = [Noted()]
    saves: dict[str, Any] = {
        "manager": lambda *_: managers["manager"].save(),
        "keras": lambda folder, epoch: model.save(folder / f"epoch-{epoch}.keras"),
        "weights": lambda folder, epoch: model.save_weights(folder / f"epoch-{epoch}.weights.h5"),
        "h5": lambda folder, epoch: model.save(str(folder / f"epoch-{epoch}.h5")),
    }
    if "saved-model" in forms_of(keras):
        saves["tf-weights"] = lambda folder, epoch: model.save_weights(str(folder / f"epoch-{epoch}"))
        saves["saved-model"] = lambda folder, epoch: model.save(folder / f"epoch-{epoch}", save_format="tf")
    saves = {form: save for form, save in saves.items() if form in forms_of(keras)}
    if form == "orbax" or (form == "-" and "orbax" in forms_of(keras)):
        # Made after resume(): it remembers the steps that it finds.
        folder = runs / ("orbax" if form == "-" else run)
        folder.mkdir(exist_ok=True)
        steps = keras.callbacks.OrbaxCheckpoint(str(folder.resolve()), max_to_keep=None, save_on_background=False)
        callbacks.insert(0, steps)
    fit = {"batch_size": BATCH, "epochs": EPOCHS, "initial_epoch": start.epoch if start else 0}
    callbacks += [start.guard] if start else [watch] if watch else []
    model.fit(X, Y, shuffle=False, verbose=0, callbacks=callbacks, **fit)
    result(runs, run, watch.start if watch else start, losses, [*model.weights, *values_of(model.optimizer)])


def train_module(runs: Path, form: str, run: str, kill: int | None) -> None:
    """Train a tf.Module in a loop of its own, with Keras' optimizer and a counter."""
    import keras
    import tensorflow as tf

    class Line(tf.Module):  # type: ignore[misc]
        """Two variables."""

        def __init__(self) -> None:
            super().__init__()
            first = 0.5 if form == "-" else 7.0
            self.w, self.b = tf.Variable(tf.fill((3, 1), first), name="w"), tf.Variable([first], name="b")

    line, step, optimizer = Line(), tf.Variable(0, dtype=tf.int64), keras.optimizers.SGD(0.1, momentum=0.9)
    checkpoint = tf.train.Checkpoint(line=line, optimizer=optimizer, step=step)
    folder = runs / ("module" if form == "-" else run)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
    start = resume(folder, manager=manager, steps_per_epoch=STEPS) if form != "-" else None
    losses = []
    for epoch in range(start.epoch if start else 0, EPOCHS):
        for batch in range(STEPS):
            part = slice(batch * BATCH, (batch + 1) * BATCH)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((X[part] @ line.w + line.b - Y[part]) ** 2)
            losses.append([float(loss)])
            gradients = tape.gradient(loss, line.trainable_variables)
            optimizer.apply_gradients(list(zip(gradients, line.trainable_variables)))  # noqa: B905 - Python 3.9
            step.assign_add(1)
            if kill is not None and epoch == kill and batch == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        manager.save()
    result(runs, run, start, losses, [*line.variables, *values_of(optimizer), step])
    if start:
        start.finish()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("runs", type=Path)
    parser.add_argument("what", nargs="+")
    parser.add_argument("--kill", type=int)
    parser.add_argument("--waypoint", action="store_true")
    given = parser.parse_args()
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        importlib.import_module("tensorflow").config.experimental.enable_op_determinism()
    keras = None if given.framework == "module" else importlib.import_module(given.framework)
    if given.what == ["forms"]:
        print("\n".join(forms_of(keras) if keras else ["module"]))  # noqa: T201
        return
    if given.what[0] == "refused":
        be_refused(keras, given.runs, given.what[1:])
        return
    for what in given.what:
        form, _, run = what.partition(":")
        if keras:
            train_keras(keras, given.runs, form, run or form, given.kill, by_waypoint=given.waypoint)
        else:
            train_module(given.runs, form, run or form, given.kill)


if __name__ == "__main__":
    main()

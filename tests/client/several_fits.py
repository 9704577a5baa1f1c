"""Scripts that call fit() several times, killed with -9 and started again: `several_fits.py FOLDER SEED SCRIPT…`.

Each script runs once unbroken and once killed after a few batches of each life, until it is done. The frameworks are
imported once, here or in the server of jobs of which this is a fork (tests/support/jobs.py); each life is a forked
process. Writes `FOLDER/SCRIPT/unbroken` and `…/killed`: the loss of every batch (`steps.txt`), what the script ended
with (`end.json`), and all that was said (`output.txt`).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf

from waypoint_resume import Waypoint, resume

STEPS, BATCH = 3, 4
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 5)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")
Model = Any  # Keras has no types


class Life:
    """One life of a script: where it saves, what it notes, and after how many batches it is killed (0: never)."""

    def __init__(self, folder: Path, kill_after: int) -> None:
        self.run, self.folder, self.kill_after, self.batches, self.phase = folder / "run", folder, kill_after, 0, ""
        self.run.mkdir(exist_ok=True)

    def noted(self, phase: str) -> Any:  # noqa: ANN401
        """A callback that notes each batch of a fit(), and is the end of this life after so many."""
        life, place = self, {"epoch": 0}

        class Noted(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
                place["epoch"] = epoch

            def on_train_batch_begin(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
                life.end_if_due()

            def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
                life.batches += 1
                with (life.folder / "steps.txt").open("a") as file:
                    file.write(f"{phase} {place['epoch']} {batch} {float(logs['loss']).hex()}\n")

        return Noted()

    def end_if_due(self) -> None:
        """Be killed, after so many batches."""
        if self.kill_after and self.batches == self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    def save(self, model: Model, name: str) -> None:
        """Save by hand, as if it were a batch: a kill may come right before and after it."""
        self.end_if_due()
        model.save(self.run / name)
        self.batches += 1
        self.end_if_due()

    def end(self, *models: Model, **facts: object) -> None:
        """Note what a script ended with."""
        variables = [item for model in models for item in (*model.weights, *model.optimizer.variables)]
        told = {"values": [np.asarray(item.numpy()).tobytes().hex() for item in variables], **facts}
        (self.folder / "end.json").write_text(json.dumps(told))


def a_model(units: int = 6, rate: float = 0.05) -> Model:
    """A model with Dropout, compiled."""
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dropout(0.4), keras.layers.Dense(1)]
    model = keras.Sequential([keras.layers.Input((5,)), *layers])
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


def saver(life: Life, name: str = "e-{epoch}.keras", **more: Any) -> Any:  # noqa: ANN401
    """A ModelCheckpoint into the run."""
    return keras.callbacks.ModelCheckpoint(life.run / name, **more)


def one_waypoint(life: Life) -> None:
    """One model, one Waypoint, one saver, epochs from 0 in each fit(); a rate that the script lowers in between."""
    model, watch, saves = a_model(), Waypoint(life.run), saver(life)
    log = keras.callbacks.CSVLogger(life.run / "log.csv", append=True)
    for phase in range(3):
        model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[saves, log, life.noted(str(phase)), watch])
        model.optimizer.learning_rate = float(model.optimizer.learning_rate) * 0.5
    life.end(model, log=(life.run / "log.csv").read_text())


def own_waypoints(life: Life) -> None:
    """A Waypoint for each, one shuffled dataset for both, noise drawn in between, and a copy saved in between."""
    model = a_model()
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(len(X), seed=3).batch(BATCH)
    backup = [keras.callbacks.BackupAndRestore(life.run / "backup", save_freq=2)]
    model.fit(data, epochs=3, verbose=0, callbacks=[saver(life), *backup, life.noted("a"), Waypoint(life.run)])
    noise = float(np.random.normal())
    model.save(life.run / "between.keras")
    between = keras.models.load_model(life.run / "between.keras").get_weights()
    backup = [keras.callbacks.BackupAndRestore(life.run / "backup", save_freq=2)]
    model.fit(data, epochs=3, verbose=0, callbacks=[saver(life), *backup, life.noted("b"), Waypoint(life.run)])
    life.end(model, noise=noise, between=[item.tobytes().hex() for item in between])


def fine_tuning(life: Life) -> None:
    """EarlyStopping that puts its best weights back, then another optimizer, for as many epochs as the first took."""
    model = a_model()
    model.layers[0].trainable = False
    model.compile(keras.optimizers.Adam(0.3), "mse")
    stopping = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    first = [saver(life, "head-{epoch}.keras"), stopping, keras.callbacks.CSVLogger(life.run / "log.csv", append=True)]
    given: dict[str, Any] = {"batch_size": BATCH, "validation_data": (X[:4] * 3, Y[:4]), "verbose": 0}
    history = model.fit(X, Y, epochs=6, **given, callbacks=[*first, life.noted("head"), Waypoint(life.run)])
    model.layers[0].trainable = True
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    epochs = len(history.history["loss"])
    second = [saver(life, "all-{epoch}.weights.h5", save_weights_only=True)]
    model.fit(X, Y, epochs=epochs + 1, **given, callbacks=[*second, life.noted("all"), Waypoint(life.run)])
    log = (life.run / "log.csv").read_text()
    life.end(model, history=history.history, epochs=epochs, wait=stopping.wait, log=log)


def two_models(life: Life) -> None:
    """A second model learns what the first one has learned; one saves its best alone."""
    teacher, student = a_model(), a_model()
    best = saver(life, "teacher.keras", save_best_only=True, monitor="loss")
    watch = Waypoint(life.run)
    teacher.fit(X, Y, batch_size=BATCH, epochs=4, verbose=0, callbacks=[best, life.noted("teacher"), watch])
    learned = teacher.predict(X, verbose=0)
    saves = saver(life, "student-{epoch}.keras")
    student.fit(X, learned, batch_size=BATCH, epochs=4, verbose=0, callbacks=[saves, life.noted("student"), watch])
    life.end(teacher, student)


def with_a_guard(life: Life) -> None:
    """resume() once, and its guard in each fit()."""
    model = a_model()
    start = resume(life.run, model=model, steps_per_epoch=STEPS)
    for phase in range(2):
        callbacks = [saver(life), life.noted(str(phase)), start.guard]
        first = start.epoch if phase == 0 else 0
        model.fit(X, Y, batch_size=BATCH, epochs=3, initial_epoch=first, verbose=0, callbacks=callbacks)
    life.end(model)


def folds_left_out(life: Life) -> None:
    """A loop over folds that leaves out those whose result is there."""
    models = []
    for fold in range(3):
        model = a_model()
        place = life.folder / f"fold{fold}.weights.h5"
        if place.exists():
            model.optimizer.build(model.trainable_variables)
            model.load_weights(place)
        else:
            callbacks = [saver(life, f"fold{fold}-{{epoch}}.keras"), life.noted(str(fold)), Waypoint(life.run)]
            model.fit(X + fold, Y, batch_size=BATCH, epochs=3, verbose=0, shuffle=False, callbacks=callbacks)
            with contextlib.suppress(FileNotFoundError):
                os.remove(life.folder / "half.weights.h5")
            model.save_weights(life.folder / "half.weights.h5")
            os.replace(life.folder / "half.weights.h5", place)
        models.append(model)
    life.end(*models)


def folds_of_one_name(life: Life) -> None:
    """A model for each fold, all saved under the same names."""
    models = [a_model() for _ in range(2)]
    for fold, model in enumerate(models):
        callbacks = [saver(life), life.noted(str(fold)), Waypoint(life.run)]
        model.fit(X + fold, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=callbacks)
    life.end(*models)


def launched(life: Life) -> None:
    """No line of ours: two models that one saver each saves into one run."""
    from waypoint_resume.wrapped_fit import wrap_fit

    os.environ["WAYPOINT_RUN"] = str(life.run)
    wrap_fit(keras.Model)
    models = [a_model(), a_model()]
    for number, model in enumerate(models):
        callbacks = [saver(life, f"{number}-{{epoch}}.keras"), life.noted(str(number))]
        model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=callbacks)
    life.end(*models)


def saved_by_hand(life: Life) -> None:
    """Nothing but what the script itself saves after each fit(), one name for each."""
    model = a_model()
    for phase in range(4):
        model.fit(X, Y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[life.noted(str(phase)), Waypoint(life.run)])
        life.save(model, f"phase-{phase}.keras")
    life.end(model)


def saved_over_by_hand(life: Life) -> None:
    """A saver of one name, which the script saves over, with half of each weight, before another fit() begins."""
    model = a_model()
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=10.0)
    for phase in range(3):
        callbacks = [saver(life, "model.keras"), plateau, life.noted(str(phase)), Waypoint(life.run)]
        model.fit(X, Y, batch_size=BATCH, epochs=2, verbose=0, callbacks=callbacks)
        model.set_weights([item / 2 for item in model.get_weights()])
        life.save(model, "model.keras")
    life.end(model)


_FITS = (
    one_waypoint,
    own_waypoints,
    fine_tuning,
    two_models,
    with_a_guard,
    folds_left_out,
    folds_of_one_name,
    launched,
)
SCRIPTS: dict[str, Callable[[Life], None]] = {
    item.__name__: item for item in (*_FITS, saved_by_hand, saved_over_by_hand)
}


def lived(script: str, folder: Path, kill_after: int) -> int:
    """One life in a forked process; how it ended, as of os.waitpid."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        out = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        tf.config.experimental.enable_op_determinism()
        keras.utils.set_random_seed(1)
        SCRIPTS[script](Life(folder, kill_after))
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it was, it is told and is the end of this process
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


def main() -> None:
    """Run the scripts; how many batches each life made as JSON."""
    folder, seed = Path(sys.argv[1]), sys.argv[2]
    told = {}
    for script in sys.argv[3:] or SCRIPTS:
        chance = random.Random(f"{seed} {script}")
        for kind in ("unbroken", "killed"):
            place = folder / script / kind
            place.mkdir(parents=True)
            kills: list[int] = []
            while True:
                kill_after = chance.randrange(4, 9) if kind == "killed" else 0
                status = lived(script, place, kill_after)
                if not os.WIFSIGNALED(status):
                    break
                kills.append(kill_after)
            if status:
                sys.exit(f"{script}, {kills}: {(place / 'output.txt').read_text()[-5000:]}")
        told[script] = kills
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()

"""Real sweeps of KerasTuner below a folder, and what its oracle says of them: `tuner_job.py FOLDER`. With `go-on` it
loads the best models of the sweeps that are there, and goes on with the killed one.

`min` trains models, `max` reports chosen scores (two of them equal), `hyperband` begins trials with the weights of
others, `killed` ends this process with SIGKILL in its third trial.
"""

import json
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np

SCORES = (0.5, 0.9, 0.7, 0.8, 0.8)
X = np.random.default_rng(1).random((8, 3), dtype="float32")
Y = X.sum(axis=1, keepdims=True)


def build(hp: keras_tuner.HyperParameters) -> keras.Model:
    """A model of two hyperparameters."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 1, 64)), keras.layers.Dense(1)])
    # Loss and metric are one function: their values agree in every trial.
    model.compile(keras.optimizers.SGD(hp.Float("lr", 1e-5, 1e-3, sampling="log")), "mse", metrics=["mse"])
    return model


class Chosen(keras_tuner.RandomSearch):  # type: ignore[misc]
    """Saves a checkpoint and reports a score that was chosen for the trial."""

    kill_in = -1

    def run_trial(self, trial: keras_tuner.engine.trial.Trial, *_: object, **__: object) -> dict[str, float]:
        """One trial."""
        model = build(trial.hyperparameters)
        model.save_weights(Path(self.get_trial_dir(trial.trial_id)) / "checkpoint.weights.h5")
        number = int(trial.trial_id)
        if number == self.kill_in:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"val_accuracy": SCORES[number], "val_loss": 1 - SCORES[number] / 3}


def told(tuner: keras_tuner.Tuner) -> list[tuple[str, float | None]]:
    """What the oracle says: ids and scores, the best first."""
    best = tuner.oracle.get_best_trials(len(tuner.oracle.trials))
    return [(trial.trial_id, None if trial.score is None else float(trial.score)) for trial in best]


def tuners(folder: str) -> dict[str, keras_tuner.Tuner]:
    """The tuners, by the name of their project; one that is there already is read again."""
    common = {"directory": folder, "seed": 1}
    band = {"max_epochs": 2, "factor": 2}
    return {
        "min": keras_tuner.RandomSearch(build, objective="val_loss", max_trials=3, project_name="min", **common),
        "max": Chosen(build, objective="val_accuracy", max_trials=len(SCORES), project_name="max", **common),
        "hyperband": keras_tuner.Hyperband(build, objective="val_loss", project_name="hyperband", **band, **common),
        "killed": Chosen(build, objective="val_accuracy", max_trials=5, project_name="killed", **common),
    }


def search(folder: str) -> None:
    """All sweeps; the last one kills this process."""
    keras.utils.set_random_seed(1)
    fit = {"x": X, "y": Y, "validation_data": (X, Y), "epochs": 1, "verbose": 0}
    made = tuners(folder)
    made["min"].search(**fit)
    made["max"].search()
    made["hyperband"].search(**fit)
    Path(folder, "told.json").write_text(json.dumps({name: told(made[name]) for name in ("min", "max", "hyperband")}))
    made["killed"].kill_in = 2
    made["killed"].search()


def go_on(folder: str) -> None:
    """Load the best models, and end the search that was killed."""
    made = tuners(folder)
    loaded = {name: len(made[name].get_best_models(count)) for name, count in (("max", 3), ("hyperband", 2))}
    made["killed"].search()
    Path(folder, "went_on.json").write_text(json.dumps({"loaded": loaded, "killed": told(made["killed"])}))


if __name__ == "__main__":
    go_on(sys.argv[1]) if "go-on" in sys.argv else search(sys.argv[1])

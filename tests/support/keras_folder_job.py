"""A model saved as a folder (zipped=False), asked of Keras: `keras_folder_job.py save|loads|resume FOLDER`.

The last line that it prints is JSON: the weights; which files of FOLDER Keras loads; or what a resumed job came to.
"""

import json
import os
import sys
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")

import keras
import numpy as np

from waypoint_resume import resume


def made() -> Any:  # noqa: ANN401 - Keras has no types
    """A model of one layer, always with the same values."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def save(place: str) -> list[Any]:
    """Train and save, as a folder in a run and as a file beside it; the weights."""
    model = made()
    model.fit(np.ones((8, 3)), np.zeros((8, 2)), epochs=2, batch_size=4, verbose=0)
    model.save(f"{place}/runs/run/model", zipped=False)
    model.save(f"{place}/same.keras")
    return [value.tolist() for value in model.get_weights()]


def loads(place: str) -> dict[str, bool]:
    """Whether Keras loads each."""
    said: dict[str, bool] = {}
    for name in sorted(os.listdir(place)):
        try:
            keras.saving.load_model(f"{place}/{name}")
            said[name] = True
        except Exception:  # noqa: BLE001 - whatever Keras raises
            said[name] = False
    return said


def resumed(place: str) -> list[Any]:
    """What the run is resumed from, and the step and the weights that it gives."""
    model = made()
    start = resume(f"{place}/runs/run", model=model, steps_per_epoch=2)
    weights = [value.tolist() for value in model.get_weights()]
    start.finish()
    return [start.source, int(model.optimizer.iterations.numpy()), weights]


if __name__ == "__main__":
    what, folder = sys.argv[1:]
    print(json.dumps({"save": save, "loads": loads}.get(what, resumed)(folder)))  # noqa: T201 - it is asked for it

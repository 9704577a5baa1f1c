"""One start of a training that logs: `logging_job.py FRAMEWORK FOLDER EPOCHS`, of keras and tf_keras. Writes
`history.json`: what fit() says of each epoch, also of those before, and what batches that a save followed were told.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np

from waypoint_resume import Waypoint

STEPS, BATCH = 3, 2
keras: Any = importlib.import_module(sys.argv[1])
ENDING = "keras" if sys.argv[1] == "keras" else "h5"
DATA = np.random.default_rng(0)
X, Y = DATA.normal(size=(STEPS * BATCH, 2)).astype("float32"), DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")


class Batches(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes what the second batch of each later epoch is told."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0
        self.told: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras has no types
        """Count."""
        del logs
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Save in mid-epoch, and note; at the last start, so that none goes on from there."""
        if batch == 1 and self.epoch > 1:
            self.told[f"{self.epoch + 1}"] = float(logs["loss"])
            self.model.save(RUN / f"mid-{self.epoch + 1}.{ENDING}")


RUN, HISTORY = Path(sys.argv[2]) / "run", Path(sys.argv[2], "history.json")
RUN.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(7)
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
batches = Batches()
callbacks = [
    keras.callbacks.ModelCheckpoint(str(RUN / f"epoch-{{epoch:02d}}.{ENDING}")),
    keras.callbacks.CSVLogger(str(RUN / "training.csv"), append=True),
    keras.callbacks.TensorBoard(str(RUN / "logs"), write_graph=False),
    batches,
    Waypoint(str(RUN)),
]
options: dict[str, Any] = {"shuffle": False, "verbose": 0, "validation_data": (X, Y), "callbacks": callbacks}
done = model.fit(X, Y, batch_size=BATCH, epochs=int(sys.argv[3]), **options)
rows = [{name: values[place] for name, values in done.history.items()} for place in range(len(done.epoch))]
HISTORY.write_text(json.dumps({"epochs": rows, "batches": batches.told}))

"""fit() that saves each epoch over the one before: `saved_over_job.py RUN OUT NAME KILLED`.

It is killed with -9 before its change number KILLED to the file system, counted from the beginning of the save of its
third epoch to the end of that epoch (0: never). OUT gets a line for each step, and at the end what was trained.
`OUT.changes` gets how many there were.
"""

import builtins
import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from waypoint_resume import Waypoint

run, out, name, killed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
Call = Callable[..., Any]


class Changes:
    """Counts what changes the file system, and ends this process before one of them."""

    def __init__(self) -> None:
        self.made = 0
        self.counts = False
        for owner, names in (
            (os, ("rename", "replace", "link", "unlink", "mkdir", "rmdir")),
            (zipfile.ZipFile, ("writestr", "close")),  # a `.keras` file is half written
            (h5py.File, ("close",)),
        ):
            for name in names:
                setattr(owner, name, self.counted(getattr(owner, name)))
        os.open = self.counted(os.open, lambda _path, flags, *_, **__: bool(flags & os.O_CREAT))
        builtins.open = self.counted(builtins.open, lambda _path, mode="r", *_, **__: "w" in mode)

    def counted(self, real: Call, is_change: Callable[..., bool] = lambda *_, **__: True) -> Call:
        """The call, counted."""

        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the calls have them
            if self.counts and is_change(*arguments, **more):
                self.made += 1
                if self.made == killed:
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call


class Saving(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """Counting begins with the save of the third epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras has no types
        """Save."""
        changes.counts = epoch == 2
        super().on_epoch_end(epoch, logs)


class Noted(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes each step, and ends the counting."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Remember the epoch."""
        del logs
        self.epoch, changes.counts = epoch, False
        if epoch == 3:
            Path(f"{out}.changes").write_text(str(changes.made))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Note the loss."""
        with out.open("a") as lines:
            lines.write(f"{self.epoch}.{batch} {float(logs['loss']).hex()}\n")


keras.utils.set_random_seed(1)
model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dropout(0.4), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse")
rows = np.random.default_rng(0).normal(size=(12, 6)).astype("float32")
plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=10.0)
run.mkdir(parents=True, exist_ok=True)
changes = Changes()
saving = Saving(run / name, save_weights_only=name.endswith(".weights.h5"))
model.fit(
    rows[:, :5], rows[:, 5:], batch_size=4, epochs=5, callbacks=[saving, plateau, Noted(), Waypoint(run)], verbose=0
)
values = [np.asarray(value).tolist() for value in (*model.weights, *model.optimizer.variables)]
with out.open("a") as lines:
    lines.write(f"end {json.dumps([values, plateau.wait, float(plateau.best)])}\n")

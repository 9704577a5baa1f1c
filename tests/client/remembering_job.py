"""Trainings with a stateful LSTM and callbacks of the job's own, interrupted and gone on with, beside an unbroken one:
`remembering_job.py FRAMEWORK FOLDER`, of keras, jax and tf_keras. Writes `results.json`.
"""

from __future__ import annotations

import collections
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
os.environ["KERAS_BACKEND"] = "jax" if sys.argv[1] == "jax" else "tensorflow"

import numpy as np

from waypoint_resume import Waypoint

EPOCHS, STEPS, BATCH = 5, 4, 2
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 3, 2)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")
keras: Any = importlib.import_module("tf_keras" if sys.argv[1] == "tf_keras" else "keras")


class InterruptedTrainingError(Exception):
    """Ends a training in mid-way."""


class Warmup(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate by its own count of steps, as people write it."""

    def __init__(self, rate: float, shrinks: float = 0.9) -> None:
        super().__init__()
        self.rate, self.shrinks, self.steps = rate, shrinks, 0
        self.rates: list[float] = []
        self.seen: dict[str, Any] = {"mean": np.zeros(2, "float32")}
        self.schedule: Callable[[int], float] = lambda step: min(1.0, (step + 1) / 6)

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        """Set the rate."""
        del batch, logs
        value = self.rate * self.schedule(self.steps)
        rate = self.model.optimizer.learning_rate
        rate.assign(value)
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras has no types
        """Shrink it."""
        self.rates.append(self.rate)
        self.seen["mean"] = self.seen["mean"] * 0.5 + np.float32(logs["loss"])
        self.seen[f"epoch {epoch}"] = True
        self.rate *= self.shrinks


class Counting(keras.callbacks.ModelCheckpoint):  # type: ignore[misc]
    """A ModelCheckpoint that counts more than Keras' own."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.epochs_counted = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Count, and save."""
        self.epochs_counted += 1
        super().on_epoch_end(epoch, logs)


class Unkept(keras.callbacks.Callback):  # type: ignore[misc]
    """Remembers in an object that is no plain data."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Any = collections.deque(maxlen=3)


def annealed() -> tuple[Any, Any]:
    """A loss with a weight of its own, and what lowers it at each epoch's end."""
    weight = keras.Variable(1.0) if hasattr(keras, "Variable") else keras.backend.variable(1.0)

    class Annealing(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
            weight.assign(weight * 0.8)

    def weighted(y: Any, found: Any) -> Any:  # noqa: ANN401
        return weight * (y - found) ** 2

    return weighted, Annealing()


class Ending(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes the loss of each batch, and ends the training after so many."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Remember it."""
        del logs
        place["epoch"] = epoch

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        """End here, if it is time."""
        del batch, logs
        if place["left"] == 0:
            raise InterruptedTrainingError

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Note the loss."""
        place["left"] -= 1
        losses[f"{place['epoch']}.{batch}"] = float(logs["loss"]).hex()


place: dict[str, int] = {}
losses: dict[str, str] = {}


def trained(run: Path, left: int, *, shrinks: float = 0.9) -> dict[str, Any]:
    """Train to the end, or for so many batches; what it came to, {} for one that was interrupted."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    layers = keras.layers
    if keras.__name__ == "keras":
        inner = [layers.Input((3, 2), batch_size=BATCH), layers.LSTM(3, stateful=True)]
    else:
        inner = [layers.LSTM(3, stateful=True, batch_input_shape=(BATCH, 3, 2))]
    model = keras.Sequential([*inner, layers.Dense(1)])
    loss, annealing = annealed()
    model.compile(keras.optimizers.Adam(0.1), loss)
    warmup, counting = Warmup(0.1, shrinks), Counting(f"{run}/e-{{epoch}}.keras")
    within = keras.callbacks.ModelCheckpoint(f"{run}/b.weights.h5", save_freq=3, save_weights_only=True)
    watch = Waypoint(run)
    place["left"] = left
    callbacks = [warmup, annealing, counting, within, Unkept(), Ending(), watch]
    try:
        model.fit(X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=callbacks)
    except InterruptedTrainingError:
        if watch.start is not None:
            watch.start.finish()  # gives the lease back
        return {}
    states = [np.asarray(item) for item in model.layers[0].states]
    values = [np.asarray(item) for item in (*model.get_weights(), *states)]
    memory = [warmup.steps, warmup.rate, warmup.rates, warmup.seen["mean"].tolist(), len(warmup.seen)]
    receipt = watch.start.receipt if watch.start is not None else None
    return {
        "losses": dict(sorted(losses.items())),
        "values": [item.tobytes().hex() for item in values],
        "memory": [*memory, counting.epochs_counted, float(warmup.schedule(9))],
        "callbacks": receipt.callbacks if receipt else None,
        "not_kept": receipt.not_kept if receipt else None,
    }


def main() -> None:
    """Each training in a run of its own."""
    folder, found = Path(sys.argv[2]), {}
    for name, stops in {"whole": (), "epoch": (9,), "within": (8, 6)}.items():
        losses.clear()
        (folder / name).mkdir()
        for stop in stops:
            assert trained(folder / name, stop) == {}
        found[name] = trained(folder / name, -1)
    (folder / "set").mkdir()
    trained(folder / "set", 9)
    found["set"] = trained(folder / "set", -1, shrinks=0.5)
    (folder / "results.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()

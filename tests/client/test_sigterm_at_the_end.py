"""SIGTERM in the last batch of a fit(): that one ends by itself, is saved, and the script ends behind it, not later."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from waypoint_resume import Waypoint, stopping
from waypoint_resume.fit_order import forget_order

EPOCHS_BEGUN: list[int] = []
X = np.linspace(-1, 1, 16, dtype="float32").reshape(8, 2)


class Ended(BaseException):
    """What the job's own handler ends it with."""


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The job's own handler of SIGTERM, in a process in which nothing was trained before."""

    def end(_number: int, _frame: object) -> None:
        raise Ended

    monkeypatch.setattr(stopping, "_PROCESS", stopping._Process())
    former = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, former)


class Signalled(keras.callbacks.Callback):  # type: ignore[misc]
    """Sends SIGTERM in the last batch of an epoch."""

    def __init__(self, epoch: int | None) -> None:
        super().__init__()
        self.last = epoch

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        """Count, outside of what a callback remembers, and note which one runs."""
        self.epoch = epoch
        EPOCHS_BEGUN.append(epoch)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        """Be preempted."""
        if (self.epoch, batch) == (self.last, 1):
            os.kill(os.getpid(), signal.SIGTERM)


def trained(run: Path, signalled_at: int | None) -> tuple[list[int], list[Any]]:
    """A script with two fit() of two epochs that saves nothing by itself: epochs that each trained, and the weights."""
    forget_order()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    begun: list[int] = []
    watch = Waypoint(run)
    for number in range(2):
        EPOCHS_BEGUN.clear()
        noted = Signalled(signalled_at if number == 0 else None)
        try:
            model.fit(X, X[:, :1], batch_size=4, epochs=2, verbose=0, shuffle=False, callbacks=[noted, watch])
        except Ended:
            return [*begun, len(EPOCHS_BEGUN)], model.get_weights()
        begun.append(len(EPOCHS_BEGUN))
    return begun, model.get_weights()


def test_a_signal_in_the_last_batch_ends_the_script_behind_that_fit_and_loses_nothing(tmp_path: Path) -> None:
    begun, whole = trained(tmp_path / "unbroken", None)
    assert begun == [2, 2]
    assert trained(tmp_path / "run", 1)[0] == [2]  # not swallowed: the second fit() does not begin
    assert not (tmp_path / "run/.waypoint/lease.json").exists()
    begun, weights = trained(tmp_path / "run", None)
    assert begun == [0, 2]  # what the first had trained is there, although no callback saves
    assert all(np.array_equal(one, other) for one, other in zip(weights, whole, strict=True))

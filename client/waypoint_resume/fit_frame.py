"""The running `fit()`, found by looking at the calls above a callback's hook: nothing of Keras is replaced."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

_DEPTH = 60  # calls that are looked at above a hook; fit() is 2 to 5 above, further where people wrap callbacks


@dataclass(frozen=True)
class RunningFit:
    """What the loop of a `fit()` works with; read from its local variables.

    `data` is Keras 3's EpochIterator or Keras 2's DataHandler. `epochs` and `initial_epoch` are fit's own arguments.
    `steps` are the batches of an epoch; None where only the end of the data will tell.
    """

    generation: int  # 2 or 3, which Keras runs the loop
    data: Any
    callback_list: Any
    steps: int | None
    initial_epoch: int
    epochs: int
    shuffle: Any  # fit's argument: True, False or "batch"
    validation_freq: Any = 1  # fit's argument: after how many epochs, or after which, there is a validation

    @property
    def steps_per_execution(self) -> int:
        """Batches that run between two hooks for a batch."""
        if self.generation == 3:
            return int(self.data.steps_per_execution)
        return int(self.data._steps_per_execution.numpy())  # noqa: SLF001 - no public name


class FirstEpoch(int):
    """An epoch to begin with that counts even if it is 0: Keras 3 asks `_initial_epoch or initial_epoch`."""

    def __bool__(self) -> bool:
        return True


class _FirstCounters:
    """What Keras 2 asks for the epoch and the batch to begin with, after every callback's on_train_begin."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.epoch, self.batch = epoch, batch

    def maybe_load_initial_counters_from_ckpt(self, *_args: object, **_named: object) -> tuple[int, int]:
        """The epoch and the batch, both counted from 0."""
        return self.epoch, self.batch


def _frames_above() -> Iterator[FrameType]:
    frame = sys._getframe(2)  # noqa: SLF001 - the calls above are what is looked for
    for _ in range(_DEPTH):
        if frame.f_back is None:
            return
        frame = frame.f_back
        yield frame


def _locals_above() -> Iterator[dict[str, Any]]:
    return (frame.f_locals for frame in _frames_above())


def list_around(callback: object) -> list[Any] | None:
    """The callbacks of the CallbackList whose hook is running, in the order of the loop; None if none is found.

    A hand-made CallbackList is found as well. The outermost list that holds the callback counts.
    """
    for names in _locals_above():
        own = getattr(names.get("self"), "callbacks", None)
        if isinstance(own, list) and any(item is callback for item in own):
            return own
    return None


def running_fit(model: object) -> RunningFit | None:
    """The `fit()` of a model above the running hook; None in a loop of somebody's own."""
    for names in _locals_above():
        data = names.get("epoch_iterator", names.get("data_handler"))
        if names.get("self") is model and data is not None and "epochs" in names:
            is_third = "epoch_iterator" in names
            steps = data.num_batches if is_third else data.inferred_steps
            return RunningFit(
                generation=3 if is_third else 2,
                data=data,
                callback_list=names.get("callbacks"),
                steps=None if steps is None or int(steps) < 1 else int(steps),
                initial_epoch=int(names.get("initial_epoch") or 0),
                epochs=int(names["epochs"]),
                shuffle=names.get("shuffle"),
                validation_freq=names.get("validation_freq", 1),
            )
    return None


def is_running_here(model: object, fit: RunningFit | None) -> Callable[[], bool]:
    """Return what tells, in any thread, whether the `fit()` that is running here still runs; always true without one.

    An exception, or a notebook's interrupted cell, ends it without a hook.
    """
    thread = threading.get_ident()
    codes = {frame.f_code for frame in _frames_above() if frame.f_locals.get("self") is model}

    def is_running() -> bool:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - of this thread, seen from another one
        while frame is not None:
            names = frame.f_locals if frame.f_code in codes else {}
            if fit is not None and any(names.get(name) is fit.data for name in ("epoch_iterator", "data_handler")):
                return True
            frame = frame.f_back
        return fit is None

    return is_running


def begin_at(model: Any, fit: RunningFit, epoch: int, batch: int) -> Callable[[], None]:  # noqa: ANN401
    """Let a `fit()` whose loop has not begun begin at an epoch (and number batches from `batch`), both from 0.

    Returns what is to be called in the loop's first on_epoch_begin, or where the loop ends without one: it takes the
    setting back, which Keras would keep for the model's later `fit()`.
    """
    if fit.generation == 3:
        model._initial_epoch = FirstEpoch(epoch)  # noqa: SLF001 - as Keras' BackupAndRestore does it

        def forget() -> None:
            model._initial_epoch = None  # noqa: SLF001

        return forget
    former = model._training_state  # noqa: SLF001 - Keras 2's BackupAndRestore puts its own there
    model._training_state = _FirstCounters(epoch, batch)  # noqa: SLF001

    def put_back() -> None:
        model._training_state = former  # noqa: SLF001

    return put_back

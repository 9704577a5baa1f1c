"""What the callbacks of a fit() do not save of what it trains by: said before the first epoch, not at a restart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from waypoint_resume.log import LOG
from waypoint_resume.loose_variables import read_loose
from waypoint_resume.objects import keras_package, optimizers_in
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch

_KERAS = ("keras", "tf_keras")


def optimizers_left_out(callback: Any, model: Any) -> list[Any] | None:  # noqa: ANN401
    """The model's optimizers whose state is not in what a callback of Keras saves; None for one that saves nothing.

    `.keras` and `.weights.h5` files, weights in TF form and BackupAndRestore hold all that are attributes of the model;
    an `.h5` file and a step of OrbaxCheckpoint hold that of compile() alone, and none if they are of weights only.
    """
    kinds = {kind.__name__ for kind in type(callback).__mro__ if kind.__module__.partition(".")[0] in _KERAS}
    held, own = optimizers_in(model), getattr(model, "optimizer", None)
    is_weights_only = bool(getattr(callback, "save_weights_only", False))
    if "BackupAndRestore" in kinds:
        return []
    if "ModelCheckpoint" in kinds:
        name = os.fspath(callback.filepath)
        if not name.endswith((".h5", ".hdf5")) or name.endswith(".weights.h5"):
            return []
    elif "OrbaxCheckpoint" not in kinds:
        return None
    return [item for item in held if is_weights_only or item is not own]


class SavesWithoutOptimizers(WatchPart):
    """Warns, before the first epoch, of optimizers whose state no callback of this fit() saves, and of variables that
    are neither in what is saved nor small enough to be kept beside it.
    """

    def after_restore(self, watch: TrainingWatch) -> None:
        """Compare what callbacks save with what the model is trained by."""
        if watch.start is None or watch.is_later or keras_package(watch.model) is None:
            return
        found = [(item, optimizers_left_out(item, watch.model)) for item in watch.callbacks]
        savers = [(item, left) for item, left in found if left is not None]
        _, large = read_loose([watch.model]) if savers else ({}, [])
        for text in large:
            LOG.warning("Not kept beside what is saved: %s.", text)
        if not savers or any(not left for _, left in savers):
            return
        _, left = min(savers, key=lambda saver: len(saver[1] or ()))
        LOG.warning(
            "What %s saves holds no state of %s: a job that is started again begins %s anew, and does not end where an "
            "unbroken one does. Save .keras or .weights.h5 files, or by a CheckpointManager and resume(manager=...).",
            " and ".join(sorted({type(item).__name__ for item, _ in savers})),
            ", ".join(f"{type(item).__name__} ({item.name})" for item in left or ()),
            "it" if len(left or ()) == 1 else "them",
        )


PARTS.append(SavesWithoutOptimizers)

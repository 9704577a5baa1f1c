"""The part of a watched fit() that gives ModelCheckpoint(save_best_only) its best value back.

A new ModelCheckpoint knows no best value, so that its first save replaces the best file, however bad the epoch was.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from waypoint_resume.log import LOG
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch


class BestValue(WatchPart):
    """Runs after what was kept beside the checkpoint is back: what that did not tell, the manifest may."""

    def after_restore(self, watch: TrainingWatch) -> None:
        """Set the best value, or say that nobody knows it."""
        if watch.start is None or watch.start.source is None:
            return
        for callback in watch.callbacks:
            if not getattr(callback, "save_best_only", False) or is_known(getattr(callback, "best", None)):
                continue
            best = watch.start.best
            if best is not None and is_meant(best["name"], str(callback.monitor)) and is_alike(best["mode"], callback):
                callback.best = best["value"]
                LOG.info("%s: the best so far is %s, by the manifest.", callback.monitor, best["value"])
                continue
            if watch.start.weights_only:  # another training, whose first save replaces nothing that is not kept
                continue
            LOG.warning(
                "%s does not know the best %s so far: its first save stands for the best in %s, even a worse one. "
                "Pass initial_value_threshold= with that value.",
                type(callback).__name__,
                callback.monitor,
                getattr(callback, "filepath", None) or getattr(callback, "directory", None),
            )


def is_known(best: Any) -> bool:  # noqa: ANN401 - None, a number, or NumPy's
    """Whether a callback has seen a value: it begins with none, or with an infinity."""
    try:
        return best is not None and math.isfinite(float(best))
    except (TypeError, ValueError):
        return False


def is_meant(name: str, monitor: str) -> bool:
    """Whether a metric's name is what a callback monitors."""
    return name.replace("/", "_").lower() == monitor.replace("/", "_").lower()


def is_alike(mode: str, callback: Any) -> bool:  # noqa: ANN401
    """Whether a callback takes the same values for better, as far as it tells."""
    word = getattr(getattr(callback, "monitor_op", None), "__name__", "")
    return word not in ("less", "greater") or (mode == "min") == (word == "less")


PARTS.append(BestValue)

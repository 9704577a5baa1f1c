"""The part of a watched fit() that cuts the logs where training goes on, if resume() could not tell the epoch yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch


class OneTimeline(WatchPart):
    """Comes before the first write of CSVLogger and TensorBoard: their files may be open, and hold nothing new yet."""

    def after_restore(self, watch: TrainingWatch) -> None:
        """Cut, if that is not done yet; and let a TensorBoard of Keras 3 that would count batches from 0 count on."""
        if watch.start is None:
            return
        watch.start.cut_logs(watch.epoch)
        for callback in watch.callbacks:
            if type(callback).__name__ == "TensorBoard" and getattr(callback, "_global_train_batch", None) == 0:
                callback._global_train_batch = watch.start.step or 0  # noqa: SLF001 - no public name


PARTS.append(OneTimeline)

"""What takes part in a watched training: each part hears of the same moments, in the order of `PARTS`.

To add one, write a class that derives from WatchPart, and put it into `PARTS`: nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch


class WatchPart:
    """One concern of a watched training; every hook does nothing unless it is overridden.

    The hooks come after those of all other callbacks, so what callbacks keep is complete. `watch` tells the rest:
    `watch.start` (what was restored), `watch.callbacks` (the others), `watch.model`, `watch.epoch`, `watch.batch`.
    """

    def after_restore(self, watch: TrainingWatch) -> None:
        """Weights and optimizer are restored (or the start is fresh), every callback's on_train_begin has run, and the
        loop has not begun. No iterator over the data has been made for it yet. At a later fit() of the same model, for
        which nothing is restored, `watch.is_later` is set.
        """

    def epoch_begin(self, watch: TrainingWatch, epoch: int) -> None:
        """An epoch (counted from 0) begins; metrics are reset, and its iterator over the data is made after this."""

    def batches_skipped(self, watch: TrainingWatch, batches: int) -> None:
        """The batches of the first epoch that were trained before have been read and dropped; the next is trained."""

    def batch_end(self, watch: TrainingWatch, batch: int, logs: Any) -> None:  # noqa: ANN401
        """A batch (the index within the epoch of the last one that ran) is done, and whatever it saved is written."""

    def validation_begin(self, watch: TrainingWatch) -> None:
        """All batches of an epoch are done, and its validation begins; metrics still hold the sums of the training."""

    def validation_batch_end(self, watch: TrainingWatch) -> None:
        """A batch of an epoch's validation is done; `watch.epoch` and `watch.batch` stand where its training ended."""

    def epoch_end(self, watch: TrainingWatch, epoch: int, logs: Any) -> None:  # noqa: ANN401
        """An epoch (counted from 0) is done, with its validation and whatever it saved."""

    def saved(self, watch: TrainingWatch, checkpoint: str) -> None:
        """Between the hooks of a batch or an epoch a checkpoint (relative to the run) was saved where the training
        stands, which is to end now: what is kept beside a checkpoint has to be on the disk when this returns. Within a
        validation that is where the epoch's last batch ended: the next start validates from the beginning.
        """

    def train_end(self, watch: TrainingWatch) -> None:
        """fit() is over without an error; the claim is finished after this unless `watch.is_interrupted` is set."""


PARTS: list[Callable[[], WatchPart]] = []

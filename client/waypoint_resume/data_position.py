"""Going on in the data where a training was: the batches of the running epoch that were trained are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from waypoint_resume.fit_frame import RunningFit, data_iterator


class DataPosition:
    """The place in the data of a fit() at which its first epoch begins: `batch` batches of epoch `epoch` are done.

    `first_batch` is the number of the first batch that is trained.
    """

    def __init__(self, fit: RunningFit, epoch: int, batch: int) -> None:
        self.fit, self.epoch, self.batch = fit, epoch, batch

    @property
    def first_batch(self) -> int:
        """The batch to begin with, which is one that begins an execution."""
        return self.batch - self.batch % self.fit.steps_per_execution

    def skip(self, model: Any, when_done: Callable[[int], None]) -> None:  # noqa: ANN401
        """In the first on_epoch_begin: read and drop the batches that were trained, and say when that is done."""
        if self.fit.generation == 2:
            iterator = data_iterator(model)
            for _ in range(self.first_batch):
                next(iterator)
            when_done(self.first_batch)
        else:
            self._skip_in_iterator(when_done)

    def _skip_in_iterator(self, when_done: Callable[[int], None]) -> None:
        data = self.fit.data
        enumerate_batches = data._enumerate_iterator  # noqa: SLF001 - no public way leads past its batches

        def after_the_skipped() -> Iterator[tuple[int, int, Any]]:
            del data._enumerate_iterator  # noqa: SLF001 - the class' own from here on
            is_told = False
            for begin, end, iterator in enumerate_batches():
                if begin < self.first_batch:
                    for _ in range(begin, end + 1):
                        next(iterator)
                    continue
                if not is_told:
                    is_told = True
                    when_done(self.first_batch)
                yield begin, end, iterator

        data._enumerate_iterator = after_the_skipped  # noqa: SLF001

"""Going on in the data where a training was: as if the epochs and batches that are done had run here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from waypoint_resume.data_order import Replay
from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.log import LOG

READING_LIMIT = 600.0  # seconds that reading the data of former epochs may take; what would take longer is left out
_LOOKS_AFTER = 2.0  # seconds of reading after which its length is estimated


class ReadingTakesTooLongError(Exception):
    """The data of the former epochs would take longer to read than READING_LIMIT."""


class Reading:
    """Reads and drops batches that were trained, and stops where all of them would take too long."""

    def __init__(self, total: int | None) -> None:
        self.done, self.total = 0, total
        self._begun, self._is_told = time.monotonic(), False

    def read(self, iterator: Any, batches: int = 1) -> None:  # noqa: ANN401
        """Read so many batches. Raises what the iterator raises at the end of the data."""
        for _ in range(batches):
            next(iterator)
            self.done += 1
        spent = time.monotonic() - self._begun
        if spent > _LOOKS_AFTER and self.total:
            needed = spent / self.done * self.total
            if needed > READING_LIMIT:
                raise ReadingTakesTooLongError
            if not self._is_told:
                self._is_told = True
                LOG.info(
                    "Reading %s batches that were trained before, so that the data go on in the order of an unbroken "
                    "training: about %.0f s.",
                    f"{self.total:,}",
                    needed,
                )


class DataPosition:
    """The place in the data at which the first epoch of a fit() begins: `batch` batches of epoch `epoch` are done.

    `first_batch` is the number of the first batch that is trained, and `begun_at` the epoch with which the unbroken
    training began. `told` says, once `replay` has run, in a sentence for people where the data go on.
    """

    def __init__(self, fit: RunningFit, epoch: int, batch: int, kept: Mapping[str, Any]) -> None:
        self.fit, self.epoch, self.batch = fit, epoch, batch
        self.first_batch = batch - batch % fit.steps_per_execution
        begun_at = kept.get("begun_at")
        self.begun_at = begun_at if type(begun_at) is int else 0
        batches = kept.get("batches")
        self.batches = fit.steps or (batches if type(batches) is int and batches > 0 else None)
        self.told = ""

    @property
    def epochs_done(self) -> int:
        """How many epochs an unbroken training would have run through before this one."""
        return max(self.epoch - self.begun_at, 0)

    def replay(self, *, draws_go_on: bool) -> None:
        """Before the loop and its generators are put back: do with the data what the epochs that are done did.

        `draws_go_on`: Python's and NumPy's generators will be put back to where they were.
        """
        need = self.need(draws_go_on=draws_go_on)
        try:
            if need is not None and self.epochs_done:
                self.replay_epochs(need)
        except ReadingTakesTooLongError:
            self.start_anew()
            self.told = (
                f"{self._where()}, in another order than in an unbroken training: reading the {self.epochs_done} "
                f"epochs that are done would take longer than {READING_LIMIT:.0f} s."
            )
        else:
            self.told = f"{self._where()}{self._doubted()}." if need is not None else self._repeats()

    def is_cheap(self, *, draws_go_on: bool) -> bool:
        """Whether `replay` reads no more than a batch of each epoch."""
        need = self.need(draws_go_on=draws_go_on)
        return need is None or need <= Replay.ONE_BATCH

    def _where(self) -> str:
        skipped = f"; the {self.first_batch} batches of it that are done are skipped" if self.first_batch else ""
        return f"The data go on in epoch {self.epoch} (counted from 0){skipped}"

    def _doubted(self) -> str:
        """Why the order may be another one, as the end of a sentence."""
        found: list[str] = []
        with contextlib.suppress(Exception):  # parts of frameworks that have no public name
            found = self.doubts()
        return f"; whether in the order of an unbroken training is not known: {'; '.join(found)}" if found else ""

    def _repeats(self) -> str:
        return (
            f"The data are a Python generator, which begins anew: epoch {self.epoch} (counted from 0) goes on at batch "
            f"{self.first_batch} with the first batches that it gives."
        )

    # What the two generations of Keras differ in.

    def need(self, *, draws_go_on: bool) -> Replay | None:
        """What the epochs that are done need; None where the data cannot be skipped at all."""
        raise NotImplementedError

    def doubts(self) -> list[str]:
        """Why the data may come in another order all the same, as parts of a sentence."""
        raise NotImplementedError

    def replay_epochs(self, need: Replay) -> None:
        """Do it."""
        raise NotImplementedError

    def start_anew(self) -> None:
        """Forget a replay that was begun."""
        raise NotImplementedError

    def arm(self, model: Any, when_skipped: Callable[[int], None]) -> None:  # noqa: ANN401
        """Let the first epoch skip the batches that were trained, and say when that is done."""
        raise NotImplementedError


def data_position(fit: RunningFit, epoch: int, batch: int, kept: Mapping[str, Any] | None) -> DataPosition:
    """The position for whichever Keras runs the loop; `kept` is what `data_record` gave when this was saved."""
    from waypoint_resume.data_of_keras2 import HandlerPosition
    from waypoint_resume.data_of_keras3 import IteratorPosition

    kind = IteratorPosition if fit.generation == 3 else HandlerPosition
    return kind(fit, epoch, batch, kept or {})


def data_record(fit: RunningFit, begun_at: int, batches: int | None) -> dict[str, Any]:
    """What is to be kept of the data beside a checkpoint: the epoch begun with, and the batches of a whole epoch."""
    return {"begun_at": begun_at, "batches": fit.steps or batches}

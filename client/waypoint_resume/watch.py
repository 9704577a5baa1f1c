"""The callback that watches over a training: one class for Keras 3 on any backend, tf-keras and Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import waypoint_resume.ended_fits
import waypoint_resume.keep_part
import waypoint_resume.validation_data  # noqa: F401 - all join PARTS
from waypoint_resume.backup import leave_restoring, spare_backup
from waypoint_resume.csv_history import begin_history, keep_history, tell_history
from waypoint_resume.data_position import DataPosition, data_position, data_record
from waypoint_resume.fit_frame import RunningFit, begin_at, list_around, running_fit
from waypoint_resume.fit_order import FitOrder, call_site, order_of, savers_of
from waypoint_resume.idle_callback import IdleCallback
from waypoint_resume.log import LOG
from waypoint_resume.other_fits import note_trained
from waypoint_resume.restored import was_ended
from waypoint_resume.unbuilt_model import build_model
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.start import Start


UNREAD = (
    "The data of the fit() that was done were not read again: where this one trains on the same dataset object, they "
    "come in another order than in an unbroken training."
)


class TrainingWatch(IdleCallback):
    """What `Waypoint` and `start.guard` share: last of all callbacks, it sees to where the loop begins, and tells the
    parts (see WatchPart) of each moment.

    `start` is what was restored (None before on_train_begin), `epoch` the running epoch and `batch` how many of its
    batches are done, `callbacks` the other callbacks of the running fit(). A part that ends the training before its
    time sets `is_interrupted`: the claim then stays open for the job that goes on. `is_later` tells a later fit() of
    the same model, for which nothing was restored; `is_validating` that an epoch is being validated, and `order` which
    fit() of the script this is.
    """

    fit_number: int | None = None  # which fit() of the script this is, from 0, where the job says so

    def __init__(self, parts: Sequence[Callable[[], WatchPart]] | None = None) -> None:
        super().__init__()
        self.parts = [make() for make in (PARTS if parts is None else parts)]
        self.start: Start | None = None
        self.fit: RunningFit | None = None
        self.callbacks: list[Any] = []
        self.epoch = self.batch = 0
        self.was_ended = self.is_interrupted = self.is_later = self.is_validating = self._is_in_epoch = False
        self.data: DataPosition | None = None
        self._batches_of_an_epoch: int | None = None
        self._forget_first_epoch: Callable[[], None] | None = None
        self._is_begun = self._is_ahead = False
        self.order = FitOrder()
        self._model: Any = None  # of the fit() that was resumed

    # What the two faces differ in.

    def _begin(self) -> Start:
        """The start that this training goes on from; everything is restored when it returns."""
        raise NotImplementedError

    def _begun_at(self, fit: RunningFit, epoch: int) -> int:
        """The epoch with which the training began that this one goes on with, where no record tells it."""
        raise NotImplementedError

    @property
    def _run(self) -> Path:
        """The run's folder, known before anything is restored."""
        raise NotImplementedError

    # For the parts.

    def data_record(self) -> dict[str, Any] | None:
        """What is to be kept of the data beside a checkpoint, for `Start.kept_data` of the start that restores it."""
        if self.fit is None:
            return None
        begun_at = self.data.begun_at if self.data is not None else self.fit.initial_epoch
        return data_record(self.fit, begun_at, self._batches_of_an_epoch)

    # Hooks of Keras.

    def set_model(self, model: Any) -> None:  # noqa: ANN401
        """Keras tells the model before any on_train_begin: what other callbacks would do to the run is prevented."""
        super().set_model(model)
        for item in list_around(self) or ():
            leave_restoring(item, self._run)
            keep_history(item)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ANN401
        """Move behind all other callbacks; once there, restore and say where the loop begins."""
        del logs
        around = list_around(self)
        if around is not None and around[-1] is not self:
            own = next(place for place, item in enumerate(around) if item is self)
            around[own] = IdleCallback()
            around.append(self)  # the loop over the list comes to it last
            return
        self.callbacks = [item for item in around or () if not isinstance(item, IdleCallback)]
        self.fit = running_fit(self.model)
        self.is_interrupted = self._is_begun = False
        self.epoch, self.batch, self.data = self.fit.initial_epoch if self.fit else 0, 0, None
        self.order = order_of(self._run)
        savers, epochs = savers_of(self.callbacks, self._run), self.fit.epochs if self.fit else None
        self.order.enter(self.model, savers, call_site(), epochs=epochs, number=self.fit_number)
        is_known = self.start is not None and self.model is self._model and not self.start.passes
        self.is_later = is_known and not self._is_ahead
        if not self.is_later:
            self._resume(is_known=is_known)
        if self.order.is_unread and self.order.is_later:
            self.order.is_unread = False
            LOG.warning("%s", UNREAD)
        for part in self.parts:
            part.after_restore(self)

    def _resume(self, *, is_known: bool) -> None:
        """Restore, and let the loop begin where that was saved. `is_known`: by the start of an earlier fit()."""
        self._model = self.model
        if self.fit is not None:
            build_model(self.model, self.fit)
        self.start = start = self.start if is_known and self.start is not None else self._begin()
        start.use.is_watched = True
        self.epoch, self.batch = start.locate(*((self.fit.steps, self.fit.initial_epoch) if self.fit else (None,)))
        begins_there = start.weights_only and self.fit is not None and self.epoch == self.fit.initial_epoch
        if self.fit is not None and start.source is not None and not begins_there:
            self._go_on(self.fit, start)
        for item in self.callbacks:
            (begin_history if start.source is None else tell_history)(item)
            if start.passes:
                spare_backup(item)

    def _go_on(self, fit: RunningFit, start: Start) -> None:
        """Let the loop, and its data, begin where the restored training was."""
        self.was_ended = was_ended(start, self.callbacks)
        batch, is_over = 0, start.passes or self.was_ended
        # Then a later fit() may go on from here, where the state does not tell which one that was saved in.
        self._is_ahead = self.epoch >= fit.epochs and not is_over and start.mark is None
        self._tell_first_epoch(fit)
        is_to_train = self.epoch < fit.epochs and not is_over
        if is_to_train or start.mark is not None:
            begun_at = self.epoch if start.weights_only else self._begun_at(fit, self.epoch)
            kept = {"begun_at": begun_at, **(start.kept_data or {})}
            self.data = data_position(fit, self.epoch, self.batch, kept)
            if is_to_train or start.passes or self.data.is_cheap(draws_go_on=start.draws_go_on):
                self.data.replay(draws_go_on=start.draws_go_on)
            else:
                self.order.is_unread = True
        if is_to_train and self.data is not None:
            self.data.arm(self.model, self._batches_skipped)
            batch, self._batches_of_an_epoch = self.data.first_batch, self.data.batches
        if is_over:
            self.epoch, batch = max(self.epoch, fit.epochs), 0
        self.batch = batch
        self._forget_first_epoch = begin_at(self.model, fit, self.epoch, batch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Count, and tell the parts."""
        del logs
        self._take_back_first_epoch()
        is_first, self._is_begun = not self._is_begun, True
        self._is_in_epoch, self.is_validating = True, False
        self.epoch, self.batch = epoch, self.batch if is_first else 0
        for part in self.parts:
            part.epoch_begin(self, epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Count, and tell the parts."""
        self.batch = batch + 1
        for part in self.parts:
            part.batch_end(self, batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ANN401
        """Tell the parts of an epoch's validation; an evaluate() outside of fit() is none."""
        del logs
        if not self._is_in_epoch:
            return
        self.is_validating = True
        self._batches_of_an_epoch = self._batches_of_an_epoch or self.batch or None
        for part in self.parts:
            part.validation_begin(self)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Tell the parts."""
        del batch, logs
        if self.is_validating:
            for part in self.parts:
                part.validation_batch_end(self)

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ANN401
        """The validation is over."""
        del logs
        self.is_validating = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Count, and tell the parts."""
        if self._batches_of_an_epoch is None and not self.model.stop_training:
            self._batches_of_an_epoch = self.batch or None
        self.epoch, self.batch = epoch + 1, 0
        self._is_in_epoch = self.is_validating = False
        for part in self.parts:
            part.epoch_end(self, epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ANN401
        """Finish the claim and give the lease back."""
        del logs
        self._take_back_first_epoch()
        for part in self.parts:
            part.train_end(self)
        if self.start is None or self.is_interrupted:
            return
        self.order.is_over = True
        if self.start.passes:
            self.start.give_back()
            return
        note_trained(self.start._decision)  # noqa: SLF001 - a part of the start
        self.start.finish()

    # Own.

    def _tell_first_epoch(self, fit: RunningFit) -> None:
        """Say where fit() begins, if that is not where its own initial_epoch says."""
        if fit.initial_epoch not in (0, self.epoch):
            told = "fit(initial_epoch=%s) begins with epoch %s (counted from 0), where the training was."
            LOG.warning(told, fit.initial_epoch, self.epoch)

    def _take_back_first_epoch(self) -> None:
        forget, self._forget_first_epoch = self._forget_first_epoch, None
        if forget is not None:
            forget()

    def _batches_skipped(self, batches: int) -> None:
        for part in self.parts:
            part.batches_skipped(self, batches)

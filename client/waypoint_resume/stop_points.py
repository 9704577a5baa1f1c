"""Where a training may end before its time: after a batch of `fit()`, after a step of a loop of the job's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waypoint_resume.fit_frame import is_running_here
from waypoint_resume.keeping import Keeper
from waypoint_resume.log import LOG
from waypoint_resume.restored import trained_without_fit
from waypoint_resume.stop import Stop
from waypoint_resume.stop_together import stop_of
from waypoint_resume.stopping import is_asked
from waypoint_resume.training_state import read_state
from waypoint_resume.validation_hooks import checksum, may_change_weights
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.start import Start
    from waypoint_resume.watch import TrainingWatch


class StopPart(WatchPart):
    """Ends a `fit()` at the end of a batch, or of its epoch where that was the epoch's last batch; if its validation
    takes long, at the end of a batch of that.
    """

    def __init__(self) -> None:
        self._stop: Stop | None = None
        self._logs: Any = None  # of the last batch that was trained
        self._weights: int | None = (
            None  # a checksum at the end of the epoch's last batch, where callbacks may change them
        )

    def after_restore(self, watch: TrainingWatch) -> None:
        """Hold the run again if an earlier fit() with this start gave it back."""
        assert watch.start is not None
        watch.start.hold(is_running_here(watch.model, watch.fit))
        self._stop = stop_of(watch.start)

    def batch_end(self, watch: TrainingWatch, batch: int, logs: Any) -> None:  # noqa: ANN401
        """Stop here, unless the epoch ends too: its validation and what it saves come first."""
        is_last = watch.fit is not None and watch.fit.steps == batch + 1
        self._logs = logs
        self._note_weights(watch)
        if self._stop is not None and self._stop.is_due() and not is_last:
            self._end(watch, watch.epoch, batch, logs)

    def batches_skipped(self, watch: TrainingWatch, batches: int) -> None:
        """What was restored may stand at the end of its epoch's last batch."""
        del batches
        self._note_weights(watch)

    def validation_batch_end(self, watch: TrainingWatch) -> None:
        """Stop here, where the weights are those of the epoch's last batch: the next start repeats the validation."""
        if self._stop is None or not self._stop.in_validation or not self._stop.is_due():
            return
        if not may_change_weights(watch.callbacks) or self._weights == checksum(watch.model):
            self._end(watch, watch.epoch, watch.batch - 1, self._logs)

    def epoch_end(self, watch: TrainingWatch, epoch: int, logs: Any) -> None:  # noqa: ANN401
        """Stop here. Where fit() ends by itself it does that first, and SIGTERM is followed behind it."""
        if self._stop is None or not self._stop.is_due():
            return
        batch = ((watch.fit.steps if watch.fit is not None else None) or 1) - 1
        if not watch.model.stop_training and (watch.fit is None or epoch + 1 < watch.fit.epochs):
            self._end(watch, epoch, batch, logs)
        elif is_asked() and self._stop.saves_alone and self._stop.saved_here(watch.epoch, watch.batch) is None:
            try:
                self._save(watch, epoch, batch, logs)
            except Exception as error:  # noqa: BLE001 - whatever a full disk or a callback raises
                LOG.error("What fit() ended with could not be saved: %s", error)

    def train_end(self, watch: TrainingWatch) -> None:
        """Nothing looks at the flag any more."""
        del watch
        if self._stop is not None:
            self._stop.close()

    def _note_weights(self, watch: TrainingWatch) -> None:
        if self._stop is None or not self._stop.in_validation:
            return
        is_last = watch.fit is not None and watch.fit.steps == watch.batch
        self._weights = checksum(watch.model) if is_last and may_change_weights(watch.callbacks) else None

    def _end(self, watch: TrainingWatch, epoch: int, batch: int, logs: Any) -> None:  # noqa: ANN401
        assert self._stop is not None
        watch.is_interrupted = True
        here = self._stop.saved_here(watch.epoch, watch.batch)
        self._stop.end(here, lambda: self._save(watch, epoch, batch, logs))
        watch.is_interrupted = False

    def _save(self, watch: TrainingWatch, epoch: int, batch: int, logs: Any) -> str:  # noqa: ANN401
        assert self._stop is not None
        saved = self._stop.save(watch.model, watch.callbacks, epoch, batch, logs)
        for part in watch.parts:
            part.saved(watch, saved)
        self._stop.remove_former(saved)
        return saved


class LoopStop:
    """Ends a loop of the job's own at the end of a step."""

    def __init__(self, start: Start) -> None:
        start.hold()
        self._start = start
        self._stop, self._live = stop_of(start), start._live  # noqa: SLF001 - this is a part of it
        self._steps, self._latest = start.step or 0, self._newest()

    def end_of_step(self) -> None:
        """Count, and end here if that is due."""
        self._steps += 1
        before, self._latest = self._latest, self._newest()
        if self._stop.is_due():
            self._stop.steps_counted = self._steps
            has_saved = self._latest != before
            self._stop.end(self._stop.relative(self._latest) if has_saved else None, self._save)

    def close(self) -> None:
        """The loop is over."""
        self._stop.close()

    def _save(self) -> str:
        saved = self._stop.save(self._live.model)
        if self._live.manager is None:  # whose saves have their state kept as they are made
            state = read_state(trained_without_fit(self._start), epoch=None, batch=None)
            Keeper(self._start._decision).keep(saved, state)  # noqa: SLF001
        self._stop.remove_former(saved)
        return saved

    def _newest(self) -> str | None:
        found = getattr(self._live.manager, "latest_checkpoint", None)
        return None if found is None else str(found)


PARTS.append(StopPart)

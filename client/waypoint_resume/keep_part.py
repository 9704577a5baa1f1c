"""The part of a watched `fit()` that puts back what was kept beside its checkpoint, and keeps it beside each save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from waypoint_resume.fit_frame import is_running_here
from waypoint_resume.followed_saves import follow_saves
from waypoint_resume.former_saves import FormerSaves
from waypoint_resume.keeping import TrainingKeeper
from waypoint_resume.kept_logs import LOGS, told_logs
from waypoint_resume.kept_state import mapping_in
from waypoint_resume.metrics_building import build_metrics
from waypoint_resume.own_callbacks import note_beginning
from waypoint_resume.random_state import put_back_random, read_random
from waypoint_resume.restored import keeping_decision, take_state, tell_fit, trained_of
from waypoint_resume.saves_by_hand import SavesByHand
from waypoint_resume.training_state import PutBack, Trained, fits_metrics, put_back_metrics, put_back_state, read_state
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch


class StateKeeping(WatchPart):
    """Callbacks' memory, random generators, learning rate and metrics, kept with each save and put back.

    Random generators are put back twice in mid-epoch: as they were at the end of the epoch before, for the running
    one's iterator may draw from them, and as they were at the save when the batches that were trained are skipped.
    """

    def __init__(self) -> None:
        self._training: TrainingKeeper | None = None
        self._trained = Trained()
        self._state: dict[str, Any] | None = None
        self._back = PutBack()
        self._at_epoch: dict[str, Any] = {}
        self._formers: FormerSaves | None = None
        self._by_hand: SavesByHand | None = None  # when the fit() is over
        self._is_running: Callable[[], bool] = lambda: False
        self._logs: Any = None  # of the batch or epoch that has just ended
        self._trained_to: tuple[tuple[int, int], dict[str, Any]] | None = None  # epoch and batch, and the state there

    def after_restore(self, watch: TrainingWatch) -> None:
        """Put back what every callback's on_train_begin has reset, and begin to keep."""
        start = watch.start
        assert start is not None
        self._trained = trained_of(start, watch.model, watch.callbacks)
        for callback in watch.callbacks:
            note_beginning(callback)
        self._state, self._back = take_state(start), PutBack()
        if self._state is not None:
            self._back = put_back_state(self._state, self._trained, keep_rate=start.has_own_rate)
            put_back_random(self._trained.models, mapping_in(self._state, "random_at_epoch"))
        if not watch.is_later:
            tell_fit(start, self._back, watch)
        self._at_epoch, _ = read_random(self._trained.models)
        decision, self._training, self._by_hand = keeping_decision(start), None, None
        if decision is None:
            return
        self._is_running = is_running_here(watch.model, watch.fit)
        follow_saves(watch.model, decision.run, self._save)
        if not start.passes:
            self._training, self._formers = TrainingKeeper(decision, self._trained), FormerSaves(decision)
            self._training.keeper.on_kept = self._formers.let_go
            self._formers.begin()
            self._training.begin()

    def epoch_begin(self, watch: TrainingWatch, epoch: int) -> None:
        """Within an epoch metrics go on, which fit() has reset a moment ago, and so does what on_epoch_begin of others
        has changed a second time, such as the rate of a LearningRateScheduler.
        """
        del epoch
        if self._state is not None and watch.batch and watch.start is not None:
            without = {name: part for name, part in self._state.items() if name != "random"}
            put_back_state(without, self._trained, keep_rate=watch.start.has_own_rate)
            self._put_back_metrics(self._state, watch)

    def batches_skipped(self, watch: TrainingWatch, batches: int) -> None:
        """Random generators go on where they were at the save."""
        state, self._state = self._state, None
        if state is not None and batches:
            put_back_random(self._trained.models, mapping_in(state, "random"))
        self._note_last_batch(watch)

    def batch_end(self, watch: TrainingWatch, batch: int, logs: Any) -> None:  # noqa: ANN401
        """Keep the state if something was saved."""
        del batch
        self._logs = logs
        if self._training is not None:
            self._training.settle()
            if self._training.may_have_saved():
                self._training.look(self._read(watch))
        self._note_last_batch(watch)

    def validation_begin(self, watch: TrainingWatch) -> None:
        """Where no steps told which batch is the last one, it is known now."""
        if self._training is not None and not self._is_noted(watch):
            self._trained_to = ((watch.epoch, watch.batch), self._read(watch)())

    def epoch_end(self, watch: TrainingWatch, epoch: int, logs: Any) -> None:  # noqa: ANN401
        """Keep the state if something was saved."""
        del epoch
        self._logs = logs
        if self._training is not None:
            self._training.look(self._read(watch))
            self._at_epoch, _ = read_random(self._trained.models)

    def train_end(self, watch: TrainingWatch) -> None:
        """Nothing is left without a state, nor is what the script saves from now on."""
        if self._training is not None:
            self._training.end()
        decision = keeping_decision(watch.start) if watch.start is not None else None
        if decision is not None and not watch.is_interrupted:
            self._by_hand = SavesByHand(decision, watch.order, self._read(watch))

    def saved(self, watch: TrainingWatch, path: str) -> None:
        """Keep the state as it is now for a checkpoint that another part has just saved."""
        if self._training is None:
            return
        if watch.is_validating and self._is_noted(watch) and self._trained_to is not None:
            self._training.keeper.keep(path, self._trained_to[1])
        else:
            self._training.keeper.keep(path, self._read(watch)())

    def _save(self, path: str, replaces: bool, save: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Save the model as whoever asks for it, with what is saved over kept until the state is."""
        if self._by_hand is not None:
            return self._by_hand.save(path, save, replaces=replaces)
        if self._formers is None or self._training is None or not replaces or not self._is_running():
            return save()
        return self._formers.save_over(path, save)

    def _note_last_batch(self, watch: TrainingWatch) -> None:
        """Read the state at the end of an epoch's last batch: its validation resets metrics, and may draw numbers."""
        if self._training is not None and watch.fit is not None and watch.fit.steps == watch.batch:
            self._trained_to = ((watch.epoch, watch.batch), self._read(watch)())

    def _is_noted(self, watch: TrainingWatch) -> bool:
        return self._trained_to is not None and self._trained_to[0] == (watch.epoch, watch.batch)

    def _read(self, watch: TrainingWatch) -> Callable[[], dict[str, Any]]:
        """What reads the state as it is now."""

        def read() -> dict[str, Any]:
            data = watch.data_record()
            state = read_state(self._trained, epoch=watch.epoch, batch=watch.batch, data=data)
            state["fit"] = watch.order.mark.record()
            state[LOGS] = told_logs(self._logs)
            return {**state, "random_at_epoch": self._at_epoch} if watch.batch else state

        return read

    def _put_back_metrics(self, state: Mapping[str, Any], watch: TrainingWatch) -> None:
        if not state.get("metrics"):
            return
        told = len(self._back.not_kept)
        if watch.fit is not None and not fits_metrics(state, self._trained):
            try:
                build_metrics(watch.model, watch.fit)
            except Exception as error:  # noqa: BLE001 - a test step of the job's own
                self._back.not_kept.append(f"the metrics of this epoch: they cannot be built yet ({error})")
        put_back_metrics(state, self._trained, self._back)
        if watch.start is not None and len(self._back.not_kept) > told:
            tell_fit(watch.start, self._back, watch)


PARTS.insert(0, StateKeeping)  # what callbacks saved has its state before another part ends the training

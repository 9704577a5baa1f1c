"""Where the job goes on, and the guard that watches over it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.csv_history import csv_files
from waypoint_resume.errors import ResumeError
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.guard import Guard
from waypoint_resume.kept import release_kept
from waypoint_resume.kept_state import KeptState
from waypoint_resume.live import Live
from waypoint_resume.log import LOG
from waypoint_resume.loop_state import LoopKeeper
from waypoint_resume.objects import sync_variables
from waypoint_resume.oversight import Use
from waypoint_resume.places import HIDDEN
from waypoint_resume.position import Position, position_of
from waypoint_resume.receipt import Receipt
from waypoint_resume.stop_points import LoopStop
from waypoint_resume.stopping import follow_late, forget, heed_sigterm
from waypoint_resume.timeline import cut_timeline


class Start:
    """Where the job goes on. `source` is the checkpoint's path relative to the run, None for a fresh start."""

    def __init__(self, decision: Decision, live: Live, steps_per_epoch: int | None) -> None:
        self._decision, self._live, self._steps_per_epoch = decision, live, steps_per_epoch
        self._epoch: int | None = None
        self._exact: Position | None = None  # where what was kept beside the checkpoint tells it
        self._marks: list[tuple[Any, int]] = []  # what was loaded: variables and checksums of their values
        self._guard: Any = None
        self._has_cut = False
        self.use = Use(decision)
        self._loop_stop: LoopStop | None = None
        self._kept = KeptState()
        self.kept_objects: list[Any] = []  # the job's own, whose state goes with a manager's checkpoints
        self._loop_keeper: LoopKeeper | None = None
        self.receipt: Receipt | None = None  # what was restored; None for a fresh start
        self.is_handed_over = False  # whether somebody picked this checkpoint, and this is the first start since
        self.has_own_rate = False  # whether the manifest's learning rate stands, not the one of the save
        self.mark: FitMark | None = None  # the fit() that saved what was restored, where its state tells
        self.passes = False  # whether the fit() that this was made for was done before, and trains nothing
        self.weights_only = False  # whether of the source the weights alone were restored: epochs count anew
        self.source: str | None = None
        self.step: int | None = 0
        self.overrides: dict[str, Any] = {}
        self.best: dict[str, Any] | None = None
        self.warnings: list[str] = []
        self.kept_data: dict[str, Any] | None = None  # what was kept of the data, see TrainingWatch.data_record
        self.draws_go_on = False  # whether Python's and NumPy's generators are put back

    @property
    def epoch(self) -> int:
        """How many epochs are done, for `fit(initial_epoch=...)`; ResumeError where neither record nor steps tell."""
        self.use.has_read_epoch = True
        return self.locate(None).epoch

    @property
    def batch(self) -> int | None:
        """How many batches of the running epoch are done; None where that is not known."""
        if self.source is None or self.weights_only or self._exact is not None:
            return 0 if self._exact is None else self._exact.batch
        if self.step is None or not self._steps_per_epoch:
            return None
        return self.locate(None).batch

    def locate(self, steps_per_epoch: int | None, initial_epoch: int = 0) -> Position:
        """Epochs and batches that are done, if an epoch has so many steps (or as resume() was told).

        Where neither record nor steps tell, the job's own `fit(initial_epoch=...)` stands; 0, Keras' default, tells
        nothing, and then it is a ResumeError. With weights alone it stands in any case.
        """
        if self.source is None or self._exact is not None:
            return self._exact or Position(0, 0)
        if self.weights_only:
            return Position(initial_epoch if self._epoch is None else self._epoch, 0)
        found = position_of(self._epoch, self.step, self._steps_per_epoch or steps_per_epoch)
        if found is None and initial_epoch > 0:
            told = "How many epochs of %s are done is recorded nowhere: fit(initial_epoch=%s) stands."
            LOG.warning(told, self.source, initial_epoch)
            return Position(initial_epoch, 0)
        if found is None:
            way = "give resume() steps_per_epoch=, or fit() initial_epoch="
            reason = f"The epoch of {self.source} is not recorded: {way}."
            if self.step is None:
                reason = (
                    f"How many epochs of {self.source} are done is not known: neither a record nor a step tells it, "
                    "and a number in a name may be anything. Where you know it, give it to fit(initial_epoch=...) in "
                    "the place of start.epoch."
                )
            raise ResumeError(reason)
        return found

    @property
    def guard(self) -> Any:  # noqa: ANN401 - a callback of whichever Keras the model is made of
        """A callback, to be the last: it stops fit() if something else restored over what was loaded here."""
        if self._guard is None:
            self._guard = Guard(self)
        return self._guard

    def finish(self) -> None:
        """Say that the job has done what the manifest asked for, and give the lease back.

        The manifest governs no later start. Call it at the end of a loop of your own; the guard does it after fit().
        """
        if self._loop_keeper is not None:
            self._loop_keeper.end()
            self._loop_keeper = None
        self.use.is_finished = True
        self._decision.note(finished_at=moment_text(disk_now(self._decision.home / HIDDEN)))
        if self._decision.lease is not None:
            for text in release_kept(self._decision.run, self._decision.home):
                LOG.warning("%s", text)
        if self._decision.lease is not None:
            self._decision.lease.release()
        if self._loop_stop is not None:
            self._loop_stop.close()
        forget(self._decision)
        follow_late()

    def give_back(self) -> None:
        """Give the lease back, with the manifest left open: a later fit() of this process goes on."""
        self.use.is_finished = True
        if self._decision.lease is not None:
            self._decision.lease.release()
        forget(self._decision)
        follow_late()

    def hold(self, is_training: Callable[[], bool] = lambda: True) -> None:
        """Hold the run while a training of this start runs: take the lease again if it was given back.

        RunIsBusy if another job has it meanwhile.
        """
        if self._decision.lease is not None:
            was_held = self._decision.lease.is_held
            self._decision.lease.take_again()
            self._decision.lease.hold_while(is_training)
            if not was_held:
                heed_sigterm(self._decision)

    def end_of_step(self) -> None:
        """Call it at the end of each step of a loop of your own, after what the loop saved at this step.

        On SIGTERM, or when somebody asked for a pause, it saves through the manager (or the checkpoint, or the model)
        that resume() was given, gives the run back and ends the process. Else it costs about a microsecond.

        Example:
            for batch in data:
                train_step(batch)
                start.end_of_step()
        """
        if self._loop_stop is None:
            self._loop_stop = LoopStop(self)
        self._loop_stop.end_of_step()

    def cut_logs(self, epoch: int) -> None:
        """Cut CSVLogger's files and TensorBoard's where `epoch` epochs are done, once and before anything is logged."""
        decision = self._decision
        is_fresh = self.source is None and decision.batch is None
        if self._has_cut or self.passes or is_fresh or decision.lease is None:
            return
        self._has_cut = True
        own = csv_files(self._live.callbacks) if self.mark is not None and self.mark.number > 0 else None
        cut = cut_timeline(
            decision.run, decision.home, epoch=epoch, step=self.step, batch=decision.batch, job=decision.job, own=own
        )
        for text in cut.lines():
            LOG.info("%s", text)

    def check(self) -> None:
        """ResumeError if something was restored over what was loaded: call it before the first step of a loop.

        It judges what is trained and the optimizers' counters of steps. What a job may set before its first step
        (learning rate, other hyperparameters, metrics, seeds) is its own business.
        """
        self.use.is_checked = True
        for model in self._live.models:
            sync_variables(model)
        if self.source is not None and any(_mark_of(item) != mark for item, mark in self._marks):
            reason = (
                f"Something restored over {self.source} after resume() loaded it. BackupAndRestore does so at the "
                "start of fit(), and so does a restore of manager.latest_checkpoint: take it out of this job, or hand "
                "the checkpoint over as a rewind, which sets BackupAndRestore's data aside."
            )
            self.use.is_watched = True  # this is said, and nothing more is to be said at the end
            self._decision.note(error=reason, error_at=moment_text(time.time()))
            raise ResumeError(reason)

    def _remember(self) -> None:
        counters = _counters(self._live)
        trained = [item for model in self._live.models for item in model.trainable_variables]
        self._marks = [(item, _mark_of(item)) for item in (*trained, *counters)]
        self.use.begin(str(self.source), counters)


def _counters(live: Live) -> list[Any]:
    """The optimizers' counters of steps."""
    inner = [getattr(item, "inner_optimizer", item) for item in live.optimizers]
    return [getattr(item, "_iterations", item.iterations) for item in inner]


def _mark_of(variable: Any) -> int:  # noqa: ANN401
    return zlib.crc32(variable.numpy().tobytes())

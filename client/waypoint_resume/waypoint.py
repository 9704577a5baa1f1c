"""`Waypoint`: the one line with which a Keras training resumes."""

from __future__ import annotations

import os
from pathlib import Path

from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.oversight import tell_if_unused
from waypoint_resume.resuming import begin
from waypoint_resume.start import Start
from waypoint_resume.start_options import StartOptions
from waypoint_resume.watch import TrainingWatch


class Waypoint(TrainingWatch):
    """A callback with which `fit()` goes on from what was handed over, else from the run's newest checkpoint.

    Example:
        model.fit(x, y, epochs=90, callbacks=[ModelCheckpoint(f"{run}/e-{{epoch}}.keras"), Waypoint(run)])

    It does what `resume()` does, after every other callback's on_train_begin, and sets the epoch and the batch to go
    on with: fit() needs neither initial_epoch nor steps_per_epoch. At the end of fit() the manifest is finished and
    the lease given back. Where a script calls fit() several times, each with a Waypoint of this run (the same one or
    its own), a restart passes those over that were done, and goes on within the one that was not.

    Args:
        run_dir: the run's folder, as for `resume()`; it is made where it is missing.
        take_over: start although another job's lease is young: only if that job is surely dead.
        chief: whether this worker decides; by TF_CONFIG if not given.
        wait: seconds to wait for a run that another job holds; WAYPOINT_WAIT if not given, else none.
        fresh: begin anew beside checkpoints: they are set aside first, and undo brings them back.
        fit: which fit() of the training this is, counted from 1, for a script that leaves the others out by itself.
        weights_only: begin a new training with the weights of a checkpoint alone: a fresh optimizer, epochs from 0.
            Started again, the job goes on from its own saves with everything.

    Raises (in `fit()`): what `resume()` raises. Then nothing was changed.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        take_over: bool = False,
        chief: bool | None = None,
        wait: float | None = None,
        fresh: bool = False,
        fit: int | None = None,
        weights_only: bool = False,
    ) -> None:
        super().__init__()
        tell_if_unused(self, run_dir)
        self.run_dir, self.take_over, self.chief, self.wait = run_dir, take_over, chief, wait
        self.fresh, self.weights_only = fresh, weights_only
        self.fit_number = None if fit is None else fit - 1

    def _begin(self) -> Start:
        options = StartOptions(
            callbacks=self.callbacks,
            model=self.model,
            take_over=self.take_over,
            chief=self.chief,
            wait=self.wait,
            fresh=self.fresh,
            order=self.order,
            weights_only=self.weights_only,
        )
        return begin(self.run_dir, options)

    @property
    def _run(self) -> Path:
        return Path(self.run_dir)

    def _begun_at(self, fit: RunningFit, epoch: int) -> int:
        return min(fit.initial_epoch, epoch)

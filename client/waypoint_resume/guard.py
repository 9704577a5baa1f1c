"""`start.guard`: the callback for a `fit()` whose job called `resume()` itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.watch import TrainingWatch

if TYPE_CHECKING:
    from waypoint_resume.start import Start


class Guard(TrainingWatch):
    """Watches over a training whose start is known: stops fit() if something else restored over it, lets it go on at
    the right epoch and batch, and finishes the claim at its end.
    """

    def __init__(self, start: Start) -> None:
        super().__init__()
        self._given = start

    def _begin(self) -> Start:
        self._given.check()
        return self._given

    @property
    def _run(self) -> Path:
        return self._given._decision.run  # noqa: SLF001 - this is a part of it

    def _begun_at(self, fit: RunningFit, epoch: int) -> int:
        return fit.initial_epoch if fit.initial_epoch < epoch else 0  # initial_epoch=start.epoch tells nothing

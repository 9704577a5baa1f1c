"""`start.guard`: the callback for a `fit()` whose job called `resume()` itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from waypoint_resume.ended_fits import ended_mark
from waypoint_resume.fit_frame import RunningFit
from waypoint_resume.start_options import StartOptions
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
        given, order = self._given, self.order
        if order.target is None:
            given.check()
            if given.mark is None or not order.passes(
                given.mark,
                ended_mark(given._decision, order.mark.number),  # noqa: SLF001 - this is a part of it
                is_ended=False,  # the job itself has asked for what was restored
            ):
                order.target = order.mark.number
                return given
            given.use.is_watched = True
        from waypoint_resume.resuming import begin  # which imports this

        # What resume() restored belongs to a later fit() than this one, or this one has another model.
        steps = given._steps_per_epoch  # noqa: SLF001
        own = StartOptions(model=self.model, steps_per_epoch=steps, callbacks=self.callbacks, order=order)
        return begin(self._run, own)

    @property
    def _run(self) -> Path:
        return self._given._decision.run  # noqa: SLF001 - this is a part of it

    def _begun_at(self, fit: RunningFit, epoch: int) -> int:
        return fit.initial_epoch if fit.initial_epoch < epoch else 0  # initial_epoch=start.epoch tells nothing

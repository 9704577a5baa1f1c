"""`start.guard`: the callback for a `fit()` whose job called `resume()` itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

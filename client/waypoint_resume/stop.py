"""Ending a training before its time: on SIGTERM, or because somebody asked for a pause.

It is saved, the run given back, the claim marked, the request answered, and the process ended by its former handler, in
this order: a kill in between leaves an unmarked claim and whole checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from waypoint_resume import stopping
from waypoint_resume.checkpoints import find_checkpoints
from waypoint_resume.identity import identity_of
from waypoint_resume.log import LOG
from waypoint_resume.objects import sync_variables
from waypoint_resume.parting import note_numbering, relative_to_run, remove_former, save_by_job, save_own
from waypoint_resume.places import decision_homes
from waypoint_resume.requests import SEVERAL_WORKERS, Request
from waypoint_resume.state_store import StateStore, state_beside
from waypoint_resume.training_state import step_of

if TYPE_CHECKING:
    from waypoint_resume.start import Start


class Stop:
    """What may end one training: the run's requests, and SIGTERM. `is_due` is to be asked after each batch or step.

    `in_validation` tells whether it may also end at a batch of an epoch's validation.
    """

    in_validation = True
    saves_alone = True  # no other process has to take part in a save

    def __init__(self, start: Start) -> None:
        self._decision, self._live = start._decision, start._live  # noqa: SLF001 - this is a part of it
        self._box = self._decision.requests
        self._request: Request | None = None
        self.steps_counted: int | None = None  # by a loop whose optimizer does not tell
        if self._live.manager is not None:
            note_numbering(self._live.manager)
        if self._decision.lease is not None and not self._decision.has_workers:
            stopping.watch(self._decision)

    def is_due(self) -> bool:
        """Whether the training is to end here. Costs a comparison of clocks, and about once a second a stat."""
        if self._box is None:
            return False  # a worker that the chief decides for
        self._request = self._request or self._box.look(at_once=stopping.is_asked())
        if self._request is not None and self._decision.has_workers:
            self._box.refuse(self._request, SEVERAL_WORKERS)
            self._request = None
        return stopping.is_asked() or self._request is not None

    def end(self, saved: str | None, save: Callable[[], str]) -> None:
        """End here: `saved` is the checkpoint (relative to the run) that the job has just saved, else `save` makes one.

        Returns where there is nothing to end for: the pause was withdrawn, it could not be saved (a pause is refused
        then, while SIGTERM waits for nothing), or the job's own handler of SIGTERM lets it go on.
        """
        assert self._box is not None
        if self._request is not None and not self._box.accept(self._request):
            self._request = None
        if not stopping.is_asked() and self._request is None:
            return
        try:
            if saved is None:
                saved = save()
        except Exception as error:  # noqa: BLE001 - whatever a full disk, a manager or a callback raises
            LOG.error("The training could not be saved where it stands: %s", error)
            if self._request is not None and not stopping.is_asked():
                self._box.refuse(self._request, f"It could not be saved: {error}. The training goes on.")
                self._request = None
                return
        self._leave(saved)

    def save(
        self,
        model: Any,  # noqa: ANN401
        callbacks: Sequence[Any] = (),
        epoch: int = 0,
        batch: int = 0,
        logs: Mapping[str, Any] | None = None,
    ) -> str:
        """Save where the training stands; the checkpoint's path relative to the run."""
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()  # JAX' loop keeps the values apart until an epoch ends
        path = save_by_job(self._decision.run, self._live, callbacks, epoch, batch, logs)
        return path or save_own(self._decision.run, self._live, model, self.step() or 0)

    def saved_here(self, epoch: int, batch: int) -> str | None:
        """The newest checkpoint, if it was saved where the training stands, as what is kept beside it says."""
        run: Path = self._decision.run
        newest = max(find_checkpoints(run), key=lambda found: found.saved, default=None)
        if newest is None:
            return None
        try:
            kept = StateStore(run, self._decision.home).find(identity_of(run, newest.path)).state or {}
        except OSError:
            return None
        position = kept.get("position")
        here = {"epoch": epoch, "batch": batch, "step": self.step()}
        is_here = isinstance(position, dict) and {name: position.get(name) for name in here} == here
        return newest.path if is_here else None

    def remove_former(self, saved: str) -> None:
        """Remove our own former files, now that this checkpoint and what is kept beside it are whole."""
        run = self._decision.run
        if state_beside(run, self._decision.home, saved):
            # What was decided above names it too: the folder of a sweep, or the run as it was named before.
            homes = [home for folder in (run, *run.parents) for home in decision_homes(folder)]
            remove_former(run, homes, os.path.basename(saved))

    def relative(self, path: str | None) -> str | None:
        """A checkpoint's path relative to the run; None for one outside of it."""
        return relative_to_run(self._decision.run, path)

    def step(self) -> int | None:
        """The optimizer's count of steps, the greatest of several; what a loop counted without one."""
        for model in self._live.models:
            sync_variables(model)
        found = step_of(self._live.optimizers)
        return self.steps_counted if found is None else found

    def close(self) -> None:
        """The training is over: from now on SIGTERM waits for nothing."""
        stopping.unwatch(self._decision)

    def _leave(self, checkpoint: str | None) -> None:
        ended = stopping.PREEMPTED if stopping.is_asked() else stopping.PAUSED
        self._give_back(checkpoint, ended)
        stopping.leave(self._decision, ended)
        stopping.watch(self._decision)

    def _give_back(self, checkpoint: str | None, ended: str) -> None:
        """Give the run back, mark the claim, and answer the request."""
        step = self.step()
        self._decision.end(ended, step=step, checkpoint=checkpoint)
        if self._request is not None and self._box is not None:
            self._box.answer(self._request, step=step, checkpoint=checkpoint)
        where = f"saved as {checkpoint}" if checkpoint else "nothing was saved"
        LOG.info("%s at step %s, %s.", ended.capitalize(), step, where)
        self._request = None

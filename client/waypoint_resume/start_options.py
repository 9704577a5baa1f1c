"""What a job gives to a start: its objects, and its wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.fit_order import FitOrder
from waypoint_resume.live import Live
from waypoint_resume.loop_state import require_own_state


@dataclass(frozen=True)
class StartOptions:
    """The arguments of `resume()`, and what is known of a fit() that begins.

    Args:
        model: a built (for fit: compiled) Keras model.
        checkpoint: the tf.train.Checkpoint that the job saves with.
        manager: its CheckpointManager, whose own checkpoints alone are looked at.
        optimizer: which one a manifest's overrides are for, where the job has several.
        steps_per_epoch: batches in an epoch, from which the epoch follows where no record tells it.
        take_over: start although another job's lease is young: only if that job is surely dead.
        chief: whether this worker decides for all; by TF_CONFIG if None.
        fresh: begin anew beside checkpoints, which are set aside first.
        weights_only: take a checkpoint's variables alone, once.
        wait: seconds to wait for a run that another job holds; those of WAYPOINT_WAIT if None.
        keep: objects with get_state() and set_state(), whose state goes with each save of a manager.
        callbacks: those of the fit(): what another training saved in the run is passed over.
        order: the fit()'s place in the order of this process': one that was done before is passed over. None: the job
            calls `resume()` itself, and its next fit() begins with what that restores.
    """

    model: Any = None
    checkpoint: Any = None
    manager: Any = None
    optimizer: Any = None
    steps_per_epoch: int | None = None
    take_over: bool = False
    chief: bool | None = None
    fresh: bool = False
    weights_only: bool = False
    wait: float | None = None
    keep: Sequence[Any] = ()
    callbacks: Sequence[Any] = ()
    order: FitOrder | None = None

    @property
    def is_later(self) -> bool:
        """Whether a fit() of this process was trained before: this one goes on with its model as it is."""
        return self.order is not None and self.order.is_later

    def require_sound(self) -> None:
        """ResumeError for wishes that exclude each other; TypeError for an object in `keep` without a state."""
        require_own_state(self.keep)
        if self.fresh and self.weights_only:
            raise ResumeError("fresh=True begins without any weights, and weights_only=True with some: leave one out.")

    def live(self) -> Live:
        """The job's objects. ResumeError where they cannot be filled."""
        return Live(self.model, self.checkpoint, self.manager, self.optimizer, self.callbacks, self.order)

"""State kept beside what a loop of the job's own saves: each save of its manager or checkpoint is followed by it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.keeping import Keeper
from waypoint_resume.training_state import Trained, read_state


class LoopKeeper:
    """Keeps the state of a loop of the job's own beside each checkpoint that its `saver` saves: a CheckpointManager, or
    a tf.train.Checkpoint without one.

    `others` are the job's own objects with `get_state()` and `set_state()`, such as a sampler.
    """

    def __init__(self, decision: Decision, saver: Any, trained: Trained) -> None:  # noqa: ANN401
        self.keeper, self._saver, self._trained = Keeper(decision), saver, trained
        self._methods = ("save",) if hasattr(saver, "latest_checkpoint") else ("save", "write")
        self._run = decision.run

    def begin(self) -> None:
        """Follow each save from now on."""
        for method in self._methods:
            self._follow(method)
        self.keeper.begin()

    def end(self) -> None:
        """The loop is over: what it saves is followed no more."""
        for method in self._methods:
            if method in vars(self._saver):
                delattr(self._saver, method)
        self.keeper.end()
        self.keeper.prune()

    def _follow(self, method: str) -> None:
        own = getattr(self._saver, method)
        former = getattr(own, "followed", own)  # of an earlier start

        def save(*args: Any, **named: Any) -> Any:  # noqa: ANN401
            path = former(*args, **named)
            if path is not None:
                self._keep(str(path))
            return path

        save.followed = former  # type: ignore[attr-defined]
        setattr(self._saver, method, save)

    def _keep(self, path: str) -> None:
        self.keeper.settle()
        place = Path(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if not place.is_relative_to(self._run):
            self.keeper.tell(f"{path} lies outside of {self._run}: no state is kept beside it")
            return
        try:
            state = read_state(self._trained, epoch=None, batch=None, in_tf_form=True)
        except Exception as error:  # noqa: BLE001 - a training goes on whatever becomes of its state
            self.keeper.tell(f"No state is kept beside {path}: {type(error).__name__}: {error}")
            return
        self.keeper.keep(place.relative_to(self._run).as_posix(), state)


def require_own_state(others: Sequence[Any]) -> None:
    """TypeError for an object that cannot say or take its state."""
    for item in others:
        if not (callable(getattr(item, "get_state", None)) and callable(getattr(item, "set_state", None))):
            raise TypeError(f"keep= takes objects with get_state() and set_state(), and {type(item).__name__} has none")

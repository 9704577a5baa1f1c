"""Where the job goes on, and the guard that watches over it."""

from __future__ import annotations

import importlib
import time
import zlib
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.errors import ResumeError
from waypoint_resume.live import Live
from waypoint_resume.objects import keras_package
from waypoint_resume.places import HIDDEN

NOT_KEPT = (
    "No checkpoint holds the state of random generators (so Dropout and shuffling go another way), how far the data "
    "were read (unless the job saved its iterator), or what callbacks remember."
)


class Start:
    """Where the job goes on. `source` is the checkpoint's path relative to the run, None for a fresh start."""

    def __init__(self, decision: Decision, live: Live, steps_per_epoch: int | None) -> None:
        self._decision, self._live, self._steps_per_epoch = decision, live, steps_per_epoch
        self._epoch: int | None = None
        self._mark = 0
        self._guard: Any = None
        self.source: str | None = None
        self.step: int | None = 0
        self.overrides: dict[str, Any] = {}
        self.best: dict[str, Any] | None = None
        self.warnings: list[str] = []

    @property
    def epoch(self) -> int:
        """How many epochs are done, for `fit(initial_epoch=...)`; ResumeError where neither record nor steps tell."""
        if self.source is None:
            return 0
        if self._epoch is not None:
            return self._epoch
        if self.step is not None and self._steps_per_epoch:
            return self.step // self._steps_per_epoch
        needs = "steps_per_epoch=" if self.step is not None else "its own count: the step is not known either"
        raise ResumeError(f"The epoch of {self.source} is not recorded: give resume() {needs}.")

    @property
    def batch(self) -> int | None:
        """How many batches of the running epoch are done; None where that is not known."""
        if self.source is None or self.step is None or not self._steps_per_epoch:
            return 0 if self.source is None else None
        return self.step % self._steps_per_epoch

    @property
    def guard(self) -> Any:  # noqa: ANN401 - a callback of whichever Keras the model is made of
        """A callback, to be the last: it stops fit() if something else restored over what was loaded here."""
        if self._guard is None:
            self._guard = make_guard(self)
        return self._guard

    def finish(self) -> None:
        """Say that the job has done what the manifest asked for; it governs no later start."""
        self._decision.note(finished_at=moment_text(disk_now(self._decision.home / HIDDEN)))

    def check(self) -> None:
        """ResumeError if what was loaded is not what the variables hold: call it before the first step of a loop."""
        if self.source is not None and self._mark != mark_of(self._live):
            reason = (
                f"Something restored over {self.source} after resume() loaded it. BackupAndRestore does so at the "
                "start of fit(), and so does a restore of manager.latest_checkpoint: take it out of this job, or hand "
                "the checkpoint over as a rewind, which sets BackupAndRestore's data aside."
            )
            self._decision.note(error=reason, error_at=moment_text(time.time()))
            raise ResumeError(reason)

    def _remember(self) -> None:
        self._mark = mark_of(self._live)


def mark_of(live: Live) -> int:
    """A checksum over weights and optimizer state."""
    mark = 0
    for item in (*live.models, *live.optimizers):
        own: Any = getattr(item, "weights", None) or item.variables
        for variable in own() if callable(own) else own:
            mark = zlib.crc32(variable.numpy().tobytes(), mark)
    return mark


def make_guard(start: Start) -> Any:  # noqa: ANN401
    """Return the guard as a callback of the Keras that the job's model is made of."""
    package = next((name for model in start._live.models if (name := keras_package(model))), None)  # noqa: SLF001
    if package is None:
        raise ResumeError("start.guard is a Keras callback, and this job has no Keras model: call start.check().")
    base = importlib.import_module(f"{package}.callbacks").Callback

    class Guard(base):  # type: ignore[misc, valid-type]
        """Checks at the first batch of the first fit(), and says at its end that the job has finished."""

        has_checked = False

        def on_train_batch_begin(self, _batch: int, logs: object = None) -> None:
            del logs
            if not self.has_checked:
                self.has_checked = True
                start.check()

        def on_train_end(self, logs: object = None) -> None:
            del logs
            start.finish()

    return Guard()

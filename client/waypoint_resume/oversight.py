"""What is said at the end of a process whose start was not made use of: the guard forgotten, start.epoch never read."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import time
import weakref
from dataclasses import dataclass, field
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.clock import moment_text
from waypoint_resume.log import LOG

_REMEDY = (
    "Put Waypoint(RUN) among fit()'s callbacks; or call fit(initial_epoch=start.epoch) with start.guard as its last "
    "callback; or, in a loop of your own, begin with start.epoch and start.check() and end with start.finish()."
)


@dataclass
class Use:
    """What a job did with its start; what happens before `begin` does not count."""

    decision: Decision
    source: str | None = None
    has_read_epoch: bool = False
    is_watched: bool = False  # a callback of ours ran with it
    is_checked: bool = False
    is_finished: bool = False
    counters: list[tuple[Any, int]] = field(default_factory=list)  # weak references to step counters, and their values
    process: int = field(default_factory=os.getpid)

    def begin(self, source: str, counters: list[Any]) -> None:
        """From here on it counts; it is looked at when the process ends."""
        self.source, self.has_read_epoch = source, False
        self.counters = [(weakref.ref(item), int(item.numpy())) for item in counters]
        atexit.register(self.tell)

    def tell(self) -> None:
        """At the end of the process: say what was left out, loudly and in the claim."""
        if os.getpid() != self.process or getattr(sys, "last_value", None) is not None:
            return  # a fork; or an error ended the job, which the next start goes on from
        told = self.told()
        if told is not None:
            _say(told)
            with contextlib.suppress(Exception):  # the disk may be gone, and nothing may be raised here
                self.decision.note(error=told, error_at=moment_text(time.time()))

    def told(self) -> str | None:
        """What is to be said; None where the job has done its part, or has trained nothing."""
        if self.is_watched or self.is_finished or not self._has_trained() or self._was_stopped():
            return None
        ends = "" if self.decision.claim is None else " The manifest is not finished, and governs the next start too."
        if self.is_checked:
            return f"This job trained on from {self.source} and never called start.finish().{ends}" if ends else None
        never = " start.epoch was never read: fit() without it trains the first epochs again, over what was restored."
        again = "" if self.has_read_epoch else never
        if not again and not ends:
            return None
        return (
            f"This job resumed from {self.source} and trained without start.guard, start.check() or start.finish(): "
            f"nothing saw to what was restored over it.{again}{ends} {_REMEDY}"
        )

    def _has_trained(self) -> bool:
        with contextlib.suppress(Exception):
            pairs = [(item(), value) for item, value in self.counters]
            return any(item is None or int(item.numpy()) != value for item, value in pairs)
        return True

    def _was_stopped(self) -> bool:
        """Whether the claim says that SIGTERM or a pause ended the training."""
        return bool((self.decision.claim or {}).get("ended"))


def tell_if_unused(watch: Any, run: object) -> None:  # noqa: ANN401 - a Waypoint
    """At the end of the process: say so if a Waypoint was made and no fit() ran with it."""
    process, held = os.getpid(), weakref.ref(watch)

    def tell() -> None:
        item = held()
        if os.getpid() == process and item is not None and item.start is None and not hasattr(sys, "last_value"):
            _say(f"Waypoint({str(run)!r}) was made, and no fit() ran with it among its callbacks: nothing was resumed.")

    atexit.register(tell)


def _say(text: str) -> None:
    LOG.error("%s", text)
    streams = (sys.stderr, sys.__stderr__)
    heard = [*LOG.handlers, *logging.getLogger().handlers]
    if not any(isinstance(item, logging.StreamHandler) and item.stream in streams for item in heard):
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{text}\n")

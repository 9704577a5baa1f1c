"""Waiting for a run that another job holds."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Callable

from waypoint_resume.errors import ResumeError, RunIsBusy
from waypoint_resume.log import LOG

POLL = 1.0  # seconds between two looks at a run that is held
SAY_EVERY = 60.0  # seconds between two lines that say what is waited for


def wait_seconds(given: float | None) -> float:
    """Return how long to wait for a run, in seconds: what was given, else WAYPOINT_WAIT, else 0."""
    told: object = os.environ.get("WAYPOINT_WAIT") or 0 if given is None else given
    try:
        seconds = float(told)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = math.nan
    if math.isnan(seconds) or seconds < 0:
        name = "WAYPOINT_WAIT" if given is None else "wait"
        raise ResumeError(f"{name} is {told!r}: give seconds, from 0 on. Nothing was loaded.")
    return seconds


def wait_for_run(attempt: Callable[[], None], run: Path, seconds: float) -> None:
    """Try until the run is free. Says once, and then about every minute, who holds it.

    RunIsBusy, with how long it waited and who holds the run, after `seconds`.
    """
    begun, said = time.monotonic(), -math.inf
    while True:
        try:
            attempt()
        except RunIsBusy as busy:
            waited = time.monotonic() - begun
            if waited >= seconds:
                told = f" Waited {waited:.0f} s for it." if seconds else ""
                raise RunIsBusy(f"{busy}{told}") from None
            if waited - said >= SAY_EVERY:
                said = waited
                LOG.info("Waiting for %s, %.0f s more at most: %s", run, seconds - waited, busy)
            time.sleep(min(POLL, seconds - waited))
        else:
            return

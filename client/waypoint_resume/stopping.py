"""SIGTERM: what a scheduler sends before it takes a job's machine away.

`heed_sigterm` sets a handler in the main thread. While something looks at `is_asked()` at the end of each batch or step
(`watched` says so), the signal only sets a flag: the training saves, gives the run back and calls `leave()`. Else the
handler itself gives the run back and goes on to the former handler. A second SIGTERM does not wait for the save. A job
that sets a handler of its own afterwards has replaced this one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Callable

from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.log import LOG

PREEMPTED, PAUSED = "preempted", "paused"
EXIT_STATUS = 128 + signal.SIGTERM  # 143: what a shell says of a process that SIGTERM ended
Handler = Callable[[int, "FrameType | None"], Any]


class _Process:
    """What this process knows of its ending: the runs that it holds, who looks at the flag, the former handler."""

    def __init__(self) -> None:
        self.open: list[Decision] = []
        self.watched: list[Decision] = []
        self.former: Any = signal.SIG_DFL
        self.handler: Handler | None = None
        self.signals = 0


_PROCESS = _Process()


def heed_sigterm(decision: Decision) -> None:
    """Give this run back on SIGTERM. Only the main thread may set a handler; an ignored SIGTERM stays ignored."""
    _PROCESS.open.append(decision)
    if threading.current_thread() is not threading.main_thread():
        LOG.info("resume() was not called in the main thread: SIGTERM is not looked for, Pause is.")
        return
    current = signal.getsignal(signal.SIGTERM)
    # None: set by a library in C, which Python can neither call nor put back.
    if current in (signal.SIG_IGN, None) or current is _PROCESS.handler:
        return
    _PROCESS.former, _PROCESS.handler, _PROCESS.signals = current, _handler(current), 0
    signal.signal(signal.SIGTERM, _PROCESS.handler)


def forget(decision: Decision) -> None:
    """The run was given back. Where it was the last one the former handler is put back."""
    unwatch(decision)
    _PROCESS.open = [item for item in _PROCESS.open if item is not decision]
    if not _PROCESS.open and _PROCESS.handler is not None and threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGTERM) is _PROCESS.handler:
            signal.signal(signal.SIGTERM, _PROCESS.former)
        _PROCESS.handler = None


def watch(decision: Decision) -> None:
    """Say that from now on something looks at `is_asked()` soon after each signal."""
    if all(item is not decision for item in _PROCESS.watched):
        _PROCESS.watched.append(decision)


def unwatch(decision: Decision) -> None:
    """Say that nothing looks any more."""
    _PROCESS.watched = [item for item in _PROCESS.watched if item is not decision]


def is_any_held() -> bool:
    """Whether this process has taken a run: fit() or resume() saw to what was handed over."""
    return bool(_PROCESS.open)


def is_asked() -> bool:
    """Whether SIGTERM came and nothing has followed it yet."""
    return _PROCESS.signals > 0


def leave(decision: Decision, ended: str) -> None:
    """End this process as SIGTERM would without us: by the former handler, else by the signal itself.

    A pause, which no signal asked for, raises SystemExit(143) where the job has no handler, so that a notebook's kernel
    lives on. Returns where the job's own handler returned: it means to go on, and has the run again.
    """
    former = _PROCESS.former if _PROCESS.handler is not None else signal.getsignal(signal.SIGTERM)
    unwatch(decision)
    if callable(former) and former is not signal.default_int_handler:
        former(signal.SIGTERM, None)
        _go_on(decision)
    elif ended == PAUSED or threading.current_thread() is not threading.main_thread():
        raise SystemExit(EXIT_STATUS)
    else:
        _end_by_signal()


def follow_late() -> None:
    """Follow a SIGTERM that came as a training ended by itself, where nothing looks at the flag any more: its run was
    given back, and the process ends as `leave` ends it.
    """
    if not is_asked() or _PROCESS.watched or threading.current_thread() is not threading.main_thread():
        return
    _PROCESS.signals = 0
    LOG.info("SIGTERM came as this training ended: its run is given back, and the process ends here.")
    former = signal.getsignal(signal.SIGTERM)
    if callable(former) and former is not signal.default_int_handler:
        former(signal.SIGTERM, None)
    else:
        _end_by_signal()


def _handler(former: Any) -> Handler:  # noqa: ANN401 - a callable or one of signal's constants
    def handle(number: int, frame: FrameType | None) -> None:
        _PROCESS.signals += 1
        if _PROCESS.signals == 1 and _PROCESS.watched:
            LOG.info("SIGTERM: saving at the end of this batch; a second one ends the job at once.")
            return
        is_open = [item for item in _PROCESS.open if item.lease is not None and item.lease.is_held]
        for decision in is_open:
            decision.end(PREEMPTED)
        if callable(former):
            former(number, frame)
            for decision in is_open:
                _go_on(decision)
        else:
            _end_by_signal()

    return handle


def _go_on(decision: Decision) -> None:
    """The job's own handler returned, so the job ends in its own time: it needs the run until then."""
    _PROCESS.signals = 0
    if decision.lease is None:
        return
    try:
        decision.lease.take_again()
    except ResumeError as error:  # two jobs in one run would save over each other
        LOG.warning("SIGTERM: the job's own handler let it go on, but the run was taken meanwhile. %s", error)
        raise SystemExit(EXIT_STATUS) from None
    decision.go_on()
    LOG.warning("SIGTERM: the job's own handler let it go on, so it holds %s until it ends.", decision.run)


def _end_by_signal() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or a reader that has gone
            stream.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)

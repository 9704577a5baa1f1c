"""Which fit() of a script this is, where several save into one run: each counts its epochs from its own beginning.

The state beside a checkpoint tells which fit() saved it. A restart passes those before it over, and goes on within the
right one. A fit() is known by its place in the order in which a process calls them; where a script leaves out by itself
what is done, by the line that calls it and where its callbacks save.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from waypoint_resume.fit_mark import FitMark
from waypoint_resume.log import LOG
from waypoint_resume.objects import optimizers_in
from waypoint_resume.training_state import step_of

_FRAMEWORKS = ("keras", "tf_keras", "tensorflow", "waypoint_resume")
_SAVES_TO = ("filepath", "directory", "backup_dir")


class FitOrder:
    """The fits of one run in this process. `mark` is that of the running or the last one; `target` the number of the
    one in which this process goes on (those before are passed over), None until the first has looked.
    """

    def __init__(self) -> None:
        self.mark = FitMark(-1, "", 0, ())
        self.target: int | None = None
        self.is_over = True  # whether the last one ended by itself
        self.ended: Any = None  # the checkpoint that holds what the last one ended with, see ended_fits
        self.passed_at: float | None = None  # when the first was passed over: what has no state since is the script's
        self.is_unread = False  # whether data of one that was done were not read again
        self._model: Any = None  # a weak reference
        self._sites: Counter[str] = Counter()
        self._told = False
        self.epochs: int | None = None  # of the running one

    @property
    def is_later(self) -> bool:
        """Whether this process has trained before, so that nothing is to be restored: the script goes on as it says."""
        return self.target is not None and self.mark.number > self.target

    def enter(
        self,
        model: Any,  # noqa: ANN401
        savers: tuple[str, ...],
        site: str,
        *,
        epochs: int | None,
        number: int | None = None,
    ) -> None:
        """A fit() of so many epochs begins; `number` is its own, where the script tells it."""
        self.epochs = epochs
        former, is_same = self.mark, self._model is not None and self._model() is model
        # Called again after an interruption (a notebook's cell), or anew for a model that begins where the last began:
        # a script that has trained one to its end means another with the next.
        is_open = not self.is_over or _is_interactive()
        is_anew = not is_same and savers == former.savers and not step_of(optimizers_in(model))
        is_again = (is_open and is_anew) or (not self.is_over and is_same and site == former.site)
        if former.number < 0 or not is_again:
            nth = self._sites[site]
            self._sites[site] += 1
            self.mark = FitMark(former.number + 1, site, nth, savers)
        elif not is_same:
            self.target = None  # as a process of its own
        if number is not None:
            self.mark = replace(self.mark, number=number)
        self._model, self.is_over = weakref.ref(model), False

    def passes(self, saved_in: FitMark, done: FitMark | None, *, is_ended: bool) -> bool:
        """Whether this fit() was done before the one that saved what is to be restored, which is ended or not; `done`
        is what is known of the one that was at its place. Else it is that one, or `is_later`: one that has saved
        nothing yet, for nothing was saved as its callbacks save, and what was is done.
        """
        own = self.mark
        is_own = (own.site, own.nth, own.savers) == (saved_in.site, saved_in.nth, saved_in.savers)
        if own.number < saved_in.number and done is not None and done.savers != own.savers:
            is_own = is_own or own.savers == saved_in.savers
            is_unknown = not is_own
        else:
            is_unknown = is_ended and own.number <= saved_in.number and own.is_apart_from(saved_in)
            is_unknown = is_unknown and (done is None or done.savers != own.savers)
        if is_unknown:
            self.mark = replace(own, number=saved_in.number + 1)
        elif is_own:
            self.mark = replace(own, number=saved_in.number)
        self.target = saved_in.number
        if self.target > self.mark.number and not self._told:
            self._told = True
            atexit.register(self._tell_if_never_reached, os.getpid())
        return self.target > self.mark.number

    def _tell_if_never_reached(self, process: int) -> None:
        is_short = self.target is not None and self.mark.number < self.target
        if is_short and os.getpid() == process and getattr(sys, "last_value", None) is None:
            LOG.error(
                "Nothing was trained: the newest checkpoint was saved in fit() number %s of a script, and this process "
                "called fit() %s times. If this script's fit() is that one, say so: Waypoint(RUN, fit=%s).",
                (self.target or 0) + 1,
                self.mark.number + 1,
                (self.target or 0) + 1,
            )


def _is_interactive() -> bool:
    """Whether people call one thing after the other, as in a notebook; a script has a file."""
    return getattr(sys.modules.get("__main__"), "__file__", None) is None


_ORDERS: dict[str, FitOrder] = {}


def order_of(run: Path) -> FitOrder:
    """The order of a run's fits in this process."""
    return _ORDERS.setdefault(os.path.realpath(run), FitOrder())


def forget_order(run: Path | None = None) -> None:
    """Count a run's fits anew (all runs' without one), as a new process does."""
    if run is None:
        _ORDERS.clear()
    else:
        _ORDERS.pop(os.path.realpath(run), None)


def savers_of(callbacks: Sequence[Any], run: Path) -> tuple[str, ...]:
    """Where callbacks save, as they are told to, relative to the run."""
    found = set()
    for item in callbacks:
        for name in _SAVES_TO:
            value = getattr(item, name, None)
            if isinstance(value, (str, os.PathLike)):
                found.add(os.path.relpath(os.path.realpath(value), os.path.realpath(run)))
    return tuple(sorted(found))


def call_site() -> str:
    """A digest of the calls of the job's own that lead to the running fit(): file names and lines."""
    frame = sys._getframe(1)  # noqa: SLF001 - the calls above are what is looked for
    lines = []
    while frame is not None:
        kind = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if kind not in _FRAMEWORKS:
            lines.append(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
            if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
                break
        frame = frame.f_back  # type: ignore[assignment]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]

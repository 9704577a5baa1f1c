"""Keras' `fit()` with a `Waypoint` put into its callbacks, for jobs that `python -m waypoint_resume run` starts."""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import weakref
from pathlib import Path
from typing import Any

from waypoint_resume.launcher import leave_children_alone
from waypoint_resume.layout import is_inner
from waypoint_resume.log import LOG, speak
from waypoint_resume.saves_elsewhere import flat_callbacks, folders_saved_to
from waypoint_resume.watch import TrainingWatch
from waypoint_resume.waypoint import Waypoint


class _Governed:
    """The one training of this process that is resumed: the first whose run is known."""

    model: Any = None  # a weak reference
    watch: TrainingWatch | None = None
    has_fit = False


def wrap_fit(kind: Any) -> None:  # noqa: ANN401 - a class of Keras
    """Replace a class' fit() by one that adds a Waypoint to its callbacks."""
    fit = kind.fit
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def wrapped(self: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        given = signature.bind(self, *args, **named)
        watch = _watch_for(self, given.arguments.get("callbacks"))
        if watch is not None:
            given.arguments["callbacks"] = _with(given.arguments.get("callbacks"), watch)
        return fit(*given.args, **given.kwargs)

    kind.fit = wrapped
    atexit.register(_say_if_unused)


def _watch_for(model: Any, callbacks: Any) -> TrainingWatch | None:  # noqa: ANN401
    """The Waypoint for a fit(); None for one that is left alone."""
    speak()
    _Governed.has_fit = True
    known = None if _Governed.model is None else _Governed.model()
    own = [item for item in flat_callbacks(callbacks) if isinstance(item, TrainingWatch)]
    if own:
        _govern(model, own[0])
        return None
    if known is model or (_Governed.watch is not None and _saves_into_run(callbacks)):
        return _Governed.watch
    if _Governed.watch is not None:
        LOG.warning(
            "fit() of the model %s is not resumed: it saves nothing into the run of the first fit().", model.name
        )
        return None
    run = _run_for(callbacks)
    if run is None:
        LOG.warning(
            "fit() of model %s is not resumed: no --run, no WAYPOINT_RUN, and no callback that saves tells the run.",
            model.name,
        )
        return None
    _govern(model, Waypoint(run))
    return _Governed.watch


def _govern(model: Any, watch: TrainingWatch) -> None:  # noqa: ANN401
    _Governed.model, _Governed.watch = weakref.ref(model), watch
    leave_children_alone()


def _saves_into_run(callbacks: Any) -> bool:  # noqa: ANN401
    """Whether a fit() of another model than the first is of the same run: a start must not take the one's for the
    other's.
    """
    run = os.path.realpath(_Governed.watch._run) if _Governed.watch is not None else None  # noqa: SLF001 - our own
    return run is not None and any(
        Path(os.path.realpath(folder)).is_relative_to(run) for folder in folders_saved_to(callbacks)
    )


def _run_for(callbacks: Any) -> Path | None:  # noqa: ANN401
    if os.environ.get("WAYPOINT_RUN"):
        return Path(os.environ["WAYPOINT_RUN"])
    folders = list(dict.fromkeys(folders_saved_to(callbacks)))
    runs = list(dict.fromkeys(_run_above(folder) for folder in folders))
    if len(runs) > 1:  # those that save beside each other
        above = Path(os.path.commonpath(runs))
        runs = [above] if above not in (Path.cwd(), *Path.cwd().parents, Path.home()) else runs
    if runs:
        LOG.info("The run is %s, by where fit() saves.", runs[0])
    return runs[0] if runs else None


def _run_above(folder: Path) -> Path:
    """The folder that the dashboard takes for the run of a folder with checkpoints: it climbs from `checkpoints`."""
    while (is_inner(folder.name) or folder.name.startswith("backup")) and folder.parent not in (folder, Path.cwd()):
        folder = folder.parent
    return folder


def _with(callbacks: Any, watch: TrainingWatch) -> Any:  # noqa: ANN401
    """The callbacks of a fit() with one more; a CallbackList that the job made itself gets it appended."""
    if not hasattr(callbacks, "callbacks"):
        return [*flat_callbacks(callbacks), watch]
    if all(item is not watch for item in callbacks.callbacks):
        callbacks.callbacks.append(watch)
        watch.set_params(callbacks.params)
        watch.set_model(callbacks.model)
    return callbacks


def _say_if_unused() -> None:
    if not _Governed.has_fit:
        LOG.warning(
            "Keras was imported and no fit() was called: nothing was resumed. Loops of one's own need resume()."
        )

"""A loop of the script's own below `python -m waypoint_resume run`, which would not follow a manifest, does not begin.

Nothing but `fit()` resumes by itself there. The first time that a tf.train.Checkpoint, or its manager, reads or
saves in a run for which a manifest waits, and neither fit() nor resume() has taken the run, that is refused.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, Callable

from waypoint_resume import stopping
from waypoint_resume.errors import ResumeError
from waypoint_resume.handed_over import find_handed
from waypoint_resume.launcher import IGNORED

METHODS = ("save", "write", "restore", "read", "_write")  # the last one is what a CheckpointManager calls


class _Judged:
    """Whether this process was judged: a manifest that comes later is for the next one."""

    is_done = False


def refuse_unfollowed(kind: Any) -> None:  # noqa: ANN401 - a class of TensorFlow
    """Let the methods of tf.train.Checkpoint that read and write files refuse, once and before they do anything."""
    for name in [name for name in METHODS if hasattr(kind, name)]:
        setattr(kind, name, _refusing(getattr(kind, name)))


def _refusing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def judged(self: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        path = args[0] if args else next(iter(named.values()), None)
        if not _Judged.is_done and isinstance(path, (str, os.PathLike)):
            _judge(Path(os.path.realpath(path)))
        return method(self, *args, **named)

    return judged


def _judge(path: Path) -> None:
    """ResumeError for a file in the run of a manifest that nobody in this process follows."""
    run = os.environ.get("WAYPOINT_RUN")
    if not run or os.environ.get(IGNORED) or stopping.is_any_held():
        _Judged.is_done = True
        return
    folder = Path(os.path.realpath(run))
    if folder not in path.parents:
        return
    handed = find_handed(folder)
    _Judged.is_done = True
    if handed is not None:
        picked = handed.manifest["checkpoint"]["path"]
        _Judged.is_done = False  # what catches this is told again
        raise ResumeError(
            f"{picked} was handed over to {run}, and this script's own loop does not follow it: it would go on from "
            "something else, and save over what lies there. Nothing was read or written. Call resume(RUN, manager=...) "
            "in the script, withdraw the manifest, or start with `python -m waypoint_resume run --ignore-manifest`."
        )

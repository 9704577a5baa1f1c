"""What a model saves by `save()` and `save_weights()`, followed: by a callback or by the script itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waypoint_resume.places import HIDDEN

# Saves a model; gets the path relative to the run, whether what lies there may go, and what does it.
Around = Callable[[str, bool, Callable[[], Any]], Any]


def follow_saves(model: Any, run: Path, around: Around) -> None:  # noqa: ANN401 - of either Keras
    """From now on what a model saves into a run is saved within `around`, which replaces a former one."""
    for name in ("save", "save_weights"):
        own = getattr(model, name, None)
        if own is not None:
            # Past Keras' own __setattr__, which looks for variables and layers in whatever a model is given.
            object.__setattr__(model, name, _following(getattr(own, "followed", own), run, around))


def _following(own: Callable[..., Any], run: Path, around: Around) -> Callable[..., Any]:
    @functools.wraps(own)
    def save(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        path = _within(run, args[0] if args else named.get("filepath"))
        if path is None:
            return own(*args, **named)
        replaces = args[1] if len(args) > 1 else named.get("overwrite", True)
        return around(path, replaces is True, lambda: own(*args, **named))

    save.followed = own  # type: ignore[attr-defined]
    return save


def _within(run: Path, filepath: object) -> str | None:
    """A path relative to the run; None for one outside of it, among Waypoint's own, or of another kind."""
    if not isinstance(filepath, (str, os.PathLike)):
        return None
    folder, name = os.path.split(os.path.abspath(os.fspath(filepath)))
    place = Path(os.path.realpath(folder), name)
    if not place.is_relative_to(run) or HIDDEN in place.relative_to(run).parts:
        return None
    return place.relative_to(run).as_posix()

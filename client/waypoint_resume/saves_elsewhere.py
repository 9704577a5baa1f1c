"""Where the callbacks of a fit() save; what they save outside of the run is found by no later start, which is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waypoint_resume.log import LOG
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch

_SAVES_TO = {"ModelCheckpoint": "filepath", "BackupAndRestore": "backup_dir", "OrbaxCheckpoint": "directory"}


def folders_saved_to(callbacks: Any) -> Iterator[Path]:  # noqa: ANN401
    """The folders that the callbacks of a fit() save checkpoints to, without the parts that differ by epoch."""
    for item in flat_callbacks(callbacks):
        for kind in type(item).__mro__:
            place = getattr(item, _SAVES_TO.get(kind.__name__, ""), None)
            if place is None:
                continue
            path = Path(os.path.abspath(os.fspath(place)))
            is_file = kind.__name__ == "ModelCheckpoint"
            parts = (path.parent if is_file else path).parts
            cut = next((number for number, part in enumerate(parts) if "{" in part), len(parts))
            yield Path(*parts[:cut])
            break


def flat_callbacks(callbacks: Any) -> list[Any]:  # noqa: ANN401
    """Callbacks as fit() takes them, in one list: lists within lists, one alone, a CallbackList, None."""
    inner = getattr(callbacks, "callbacks", callbacks)
    if isinstance(inner, (list, tuple)):
        return [one for item in inner for one in (flat_callbacks(item) if isinstance(item, (list, tuple)) else [item])]
    return [] if inner is None else [inner]


class SavesElsewhere(WatchPart):
    """Warns, before the first epoch, of checkpoints that will lie outside of the run."""

    def after_restore(self, watch: TrainingWatch) -> None:
        """Compare where callbacks save with the run that the job named."""
        if watch.start is None:
            return
        run = watch.start._decision.run  # noqa: SLF001 - a part of the start
        savers = [item for item in watch.callbacks if not hasattr(item, "backup_dir")]  # which restores by itself there
        for folder in dict.fromkeys(folders_saved_to(savers)):
            if not Path(os.path.realpath(folder)).is_relative_to(run):
                LOG.warning(
                    "A callback saves into %s, outside of the run %s: no later start goes on from what is saved there. "
                    "Name a folder that holds both as the run.",
                    folder,
                    run,
                )


PARTS.append(SavesElsewhere)

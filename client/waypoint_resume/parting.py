"""Saving where a training stands, when it is to end before its time: the way that the job saves, else a file of ours.

1. the job's CheckpointManager;
2. a ModelCheckpoint that saves by batches, under a name that tells the batch and that no file has: one that is written
   over in place would be lost by a kill in the midst, and an epoch's name would lie;
3. else `waypoint-step-<step>`: a bundle of the job's tf.train.Checkpoint, or the model's `.weights.h5`.

Of our own files only the newest stays. A former one goes when the newer is whole and what is kept beside it is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import sync_folder
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import names_in_folder, read_file, unlink_quietly
from waypoint_resume.live import Live
from waypoint_resume.objects import value_of
from waypoint_resume.places import HIDDEN, MANIFEST, hidden_folder
from waypoint_resume.training_state import step_of

OWN_NAME = re.compile(r"(waypoint-step-\d+)(\.weights\.h5|\.index|\.data-\d{5}-of-\d{5})")
_TEMP = "parting"


def save_by_job(
    run: Path, live: Live, callbacks: Sequence[Any], epoch: int, batch: int, logs: Mapping[str, Any] | None
) -> str | None:
    """Save as the job does. The checkpoint's path relative to the run; None where the job has no way that fits.

    `epoch` counts from 0; `batch` is the index of the last one that ran.
    """
    if live.manager is not None:
        counts = getattr(live.manager, "_waypoint_counts", None)
        path = live.manager.save(**_numbering(live))
        live.manager._waypoint_counts = counts  # noqa: SLF001 - this save says nothing of the job's
        return relative_to_run(run, path)
    for callback in callbacks:
        path = _batch_path(callback, epoch, batch, logs)
        if path is not None and not os.path.lexists(path):
            callback._save_model(epoch, batch, logs)  # noqa: SLF001 - as its own hook does
            if os.path.exists(path):
                return relative_to_run(run, path)
    return None


def save_own(run: Path, live: Live, model: Any, step: int) -> str:  # noqa: ANN401
    """Save as `waypoint-step-<step>` in the run's folder; its path relative to the run. It is whole or not there."""
    name = f"waypoint-step-{step:08d}"
    for left in (run / HIDDEN).glob(f"{_TEMP}-*"):  # by a kill; nobody else saves here, for this job has the lease
        _remove_folder(left)
    folder = hidden_folder(run, f"{_TEMP}-{uuid.uuid4().hex}")
    try:
        root = _bundle_root(live, model)
        if root is None:
            name += ".weights.h5"
            model.save_weights(str(folder / name))
        else:
            root.write(str(folder / name))
        # The index last: without it the shards are no checkpoint.
        for file in sorted(folder.glob(f"{name}*"), key=lambda path: path.suffix == ".index"):
            _sync(file)
            os.replace(file, run / file.name)
        sync_folder(run)
    finally:
        _remove_folder(folder)
    return name


def save_as_other_worker(folder: Path, live: Live) -> None:
    """Take part in the chief's save: as the job does where this worker has a manager, else into a folder of ours."""
    if live.manager is not None:
        live.manager.save(**_numbering(live))
    else:
        save_own(folder, live, live.model, 0)


def _remove_folder(folder: Path) -> None:
    for name in names_in_folder(folder):
        unlink_quietly(folder / name)
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_former(run: Path, homes: Sequence[Path], current: str) -> list[str]:
    """Remove our own older files, but for those that a manifest or a pin names; the names that went."""
    stem = current.partition(".")[0]
    own = {name: match[1] for name in names_in_folder(run) if (match := OWN_NAME.fullmatch(name))}
    gone = sorted(name for name, other in own.items() if other != stem and not _is_named(homes, other))
    for name in gone:
        unlink_quietly(run / name)
    return gone


def _is_named(homes: Sequence[Path], name: str) -> bool:
    """Whether a manifest, also a former one, or a pin names a checkpoint. What cannot be read may name it."""
    for home in homes:
        former = home / HIDDEN / "manifests"
        for path in (
            home / MANIFEST,
            home / HIDDEN / "pins.json",
            *(former / item for item in names_in_folder(former)),
        ):
            try:
                if name.encode() in (read_file(path) or b""):
                    return True
            except (OSError, ResumeError):
                return True
    return False


def note_numbering(manager: Any) -> None:  # noqa: ANN401
    """Remember of this CheckpointManager whether the job numbers its saves by itself."""
    save = manager.save

    def noting(checkpoint_number: Any = None, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        manager._waypoint_counts = checkpoint_number is None  # noqa: SLF001 - our own mark on it
        return save(checkpoint_number, *args, **named)

    if not hasattr(manager, "_waypoint_counts"):
        manager._waypoint_counts = None  # noqa: SLF001 - not known yet
        manager.save = noting


def _numbering(live: Live) -> dict[str, int]:
    """What a manager's save() needs: nothing where it was seen to count by itself, else a number.

    The next save of the job must not have that number, for it would be written over in place: it is the step, and never
    one of the next two that the job or the manager may count.
    """
    manager = live.manager
    if getattr(manager, "_waypoint_counts", None):
        return {}
    latest = re.search(r"-(\d+)$", manager.latest_checkpoint or "")
    used, step = int(latest[1]) if latest else 0, step_of(live.optimizers) or 0
    if getattr(manager, "_waypoint_counts", None) is None:
        used = max(used, int(value_of(live.checkpoint.save_counter)))
    return {"checkpoint_number": step if step > used + 2 else used + 3}


def _batch_path(callback: Any, epoch: int, batch: int, logs: Mapping[str, Any] | None) -> str | None:  # noqa: ANN401
    """Where a ModelCheckpoint that saves every so many batches would save now; None for anything else."""
    kinds = [kind for kind in type(callback).__mro__ if kind.__module__.partition(".")[0] in ("keras", "tf_keras")]
    if not kinds or kinds[0].__name__ != "ModelCheckpoint" or not isinstance(callback.save_freq, int):
        return None
    ending = ".weights.h5" if callback.save_weights_only else ".keras"
    name = str(callback.filepath)
    if callback.save_best_only or "{batch" not in name or not name.endswith(ending):
        return None
    with contextlib.suppress(KeyError, ValueError, TypeError):
        return name.format(epoch=epoch + 1, batch=batch + 1, **(logs or {}))
    return None


def _bundle_root(live: Live, model: Any) -> Any:  # noqa: ANN401
    """What is written as a bundle; None where the model's own weights file holds everything."""
    if live.checkpoint is not None:
        return live.checkpoint
    others = [item for item in live.optimizers if item is not getattr(model, "optimizer", None)]
    if not others:
        return None
    return live.root


def relative_to_run(run: Path, path: str | None) -> str | None:
    """A path relative to the run, whatever links lead to it; None for one outside of the run."""
    if path is None:
        return None
    given, real = os.path.abspath(path), os.path.realpath(path)
    place = next((Path(item) for item in (given, real) if Path(item).is_relative_to(run)), None)
    return None if place is None else place.relative_to(run).as_posix()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""What each fit() of a script ended with: `.waypoint/fits/<number>`, kept while a later one may have to be restored.

A restart passes a fit() over that was done, and what the script does next must meet the model as that one left it.
So this is a copy of its last checkpoint, made when the next fit() begins, for that one may save over it; or, where
no checkpoint holds what the fit() ended with (EarlyStopping has put its best weights back), a file of ours.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waypoint_resume.atomic import TEMP_END, make_folder, sync_folder
from waypoint_resume.checkpoints import find_checkpoints
from waypoint_resume.claim import Decision
from waypoint_resume.ended_record import FITS, RECORD, EndedFit, ended_in
from waypoint_resume.files import write_record
from waypoint_resume.fit_mark import FitMark, mark_in
from waypoint_resume.fit_order import FitOrder
from waypoint_resume.identity import checkpoint_files, identity_of
from waypoint_resume.kept import FILES, copy_file
from waypoint_resume.kept_state import find_state, position_in
from waypoint_resume.log import LOG
from waypoint_resume.names import to_text
from waypoint_resume.objects import optimizers_in, sync_variables, value_of
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.temps import remove_temps
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch

_OWN = "end.weights.h5"
_WHOLE = ("keras", "weights-h5")  # formats in which a model's optimizer is saved with it


def ended_fit(decision: Decision, number: int) -> EndedFit | None:
    """What is kept of a fit(); None where nothing is, or it cannot be understood."""
    return ended_in(decision.run, decision.home, number)


def ended_mark(decision: Decision, number: int) -> FitMark | None:
    """Which fit() was at this place of the script, where that is kept."""
    found = ended_fit(decision, number)
    return None if found is None else found.mark


def ends_at(decision: Decision) -> float:
    """When the last fit() that is kept had ended, in seconds since 1970; 0 where none is."""
    places = (decision.home / HIDDEN / FITS).glob(f"*/{RECORD}")
    return max((place.stat().st_mtime for place in places), default=0.0)


@dataclass(frozen=True)
class _Last:
    """The checkpoint that holds what a fit() ended with: where it lies, and its identity."""

    path: str
    format: str
    digest: str
    mark: FitMark


class EndOfFit(WatchPart):
    """Keeps what a fit() ended with. Nothing that goes wrong here stops a training: it is told."""

    def __init__(self) -> None:
        self._values: int | None = None  # a checksum of those with which the last epoch ended
        self._epochs = 0  # that are done

    def after_restore(self, watch: TrainingWatch) -> None:
        """Keep a copy of the last checkpoint of the fit() before this one; of this one on nothing is done yet."""
        last, watch.order.ended = watch.order.ended, None
        self._values = None
        if watch.start is None or watch.start.passes:
            return
        if watch.fit is not None and watch.epoch >= watch.fit.epochs:  # restored where it had ended
            self._values, self._epochs = _checksum(watch.model), watch.start.locate(watch.fit.steps).epoch
        decision = watch.start._decision  # noqa: SLF001 - a part of the start
        if decision.lease is not None:
            _drop_from(decision, watch.order.mark.number)
        watch.order.ended = last
        keep_last(decision, watch.order)

    def epoch_end(self, watch: TrainingWatch, epoch: int, logs: Any) -> None:  # noqa: ANN401
        """Remember the values with which the last epoch ended, which callbacks have saved, or not."""
        del logs
        self._epochs = epoch + 1
        if watch.model.stop_training or (watch.fit is not None and epoch + 1 >= watch.fit.epochs):
            self._values = _checksum(watch.model)

    def train_end(self, watch: TrainingWatch) -> None:
        """Remember the checkpoint that holds what is there now, or save it."""
        start, former = watch.start, self._values
        if start is None or start.passes or former is None or watch.is_interrupted:
            return
        decision = start._decision  # noqa: SLF001 - a part of the start
        if decision.lease is None or decision.has_workers:
            return
        watch.epoch = self._epochs
        with _told("what this fit() ended with"):
            is_as_saved = _checksum(watch.model) == former
            watch.order.ended = _last_checkpoint(watch, decision) if is_as_saved else None
            if watch.order.ended is None:

                def fill(folder: Path) -> None:
                    watch.model.save_weights(str(folder / _OWN))

                place = _keep(decision, watch.order.mark, _OWN, "weights-h5", fill)
                for part in watch.parts:
                    part.saved(watch, place)
                folder, number = decision.home / HIDDEN / FITS, watch.order.mark.number
                atexit.register(_drop_if_last, watch.order, folder, number, os.getpid())


def keep_last(decision: Decision, order: FitOrder, *, saved_over: str | None = None) -> None:
    """Keep a copy of the checkpoint that holds what the last fit() ended with, if no copy of it is kept; `saved_over`:
    only if it is the one at this path, which is about to be saved over.
    """
    last = order.ended
    if last is None or saved_over not in (None, last.path):
        return
    order.ended = None
    with _told(last.path):
        names = [name for name, _ in checkpoint_files(decision.run, last.path)]

        def fill(folder: Path) -> None:
            for name in names:
                make_folder((folder / name).parent)
                copy_file(decision.run / name, folder / name, may_link=False)
            if identity_of(folder, last.path).digest != last.digest:
                raise OSError("it was saved over meanwhile")

        _keep(decision, last.mark, last.path, last.format, fill)


def _last_checkpoint(watch: TrainingWatch, decision: Decision) -> _Last | None:
    """The newest checkpoint, if it was saved at the end of the last epoch of this fit()."""
    newest = max(find_checkpoints(decision.run), key=lambda item: item.saved, default=None)
    if newest is None or newest.format not in _WHOLE:
        return None
    kept = find_state(decision, newest.path, None)
    is_end = position_in(kept.state or {}) == (watch.epoch, 0) and mark_in(kept.state) == watch.order.mark
    return (
        _Last(newest.path, newest.format, kept.identity.digest, watch.order.mark) if is_end and kept.identity else None
    )


def _drop_from(decision: Decision, number: int) -> None:
    """Remove what is kept of fits that are to be trained (again)."""
    for place in (decision.home / HIDDEN / FITS).glob("*"):
        if place.name.isdigit() and int(place.name) >= number:
            shutil.rmtree(place, ignore_errors=True)


def _keep(decision: Decision, mark: FitMark, path: str, kind: str, fill: Any) -> str:  # noqa: ANN401
    """Keep what `fill` puts into a folder, whole or not at all; its checkpoint's path, as of `ended_fit`. OSError."""
    folder = hidden_folder(decision.home, FITS)
    remove_temps(folder)  # nobody else keeps here, for this job has the lease
    temp, target = folder / f".{uuid.uuid4().hex}{TEMP_END}", folder / str(mark.number)
    make_folder(temp / FILES)
    fill(temp / FILES)
    write_record(temp / RECORD, {"version": 1, "checkpoint": to_text(path), "format": kind, "fit": mark.record()})
    if target.exists():
        os.rename(target, folder / f".{uuid.uuid4().hex}{TEMP_END}")
    os.rename(temp, target)
    sync_folder(folder)
    remove_temps(folder)
    found = ended_fit(decision, mark.number)
    return path if found is None else found.path


@contextlib.contextmanager
def _told(what: str) -> Any:  # noqa: ANN401
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a training goes on whatever a disk or a model refuses
        LOG.warning(
            "No copy of %s could be kept (%s): if a later fit() of this script is killed, no start goes on with it.",
            what,
            error,
        )


def _checksum(model: Any) -> int | None:  # noqa: ANN401
    """Of every value of a model and its optimizers; None where they cannot be read."""
    import numpy as np

    found = 0
    with contextlib.suppress(Exception):
        sync_variables(model)
        for owner in (model, *optimizers_in(model)):
            own = owner.variables
            for item in own() if callable(own) else own:
                found = zlib.crc32(np.asarray(value_of(item)).tobytes(), found)
        return found
    return None


def _drop_if_last(order: FitOrder, folder: Path, number: int, process: int) -> None:
    """At the end of a process: a file of ours for the last fit() is of no use, for its checkpoints are there."""
    is_last = order.is_over and order.mark.number == number
    if is_last and os.getpid() == process and getattr(sys, "last_value", None) is None:
        shutil.rmtree(folder / str(number), ignore_errors=True)


PARTS.append(EndOfFit)

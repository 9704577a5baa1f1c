"""Batches that a kill left half-done end by themselves, before the next action on their run.

moving: rolled back, for what was decided may have changed since; a rewind is left to its job, which completes it.
undoing: completed; what cannot come back stays in the batch. purging: completed. Each of these can itself be killed
and begun again.
"""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.acts.acting import acting, batch_places
from core.acts.deletion import delete
from core.acts.journal import PURGED_END, Journal, Stage
from core.acts.journal_files import read_journal
from core.acts.returns import bring_back
from core.acts.room import give_room, with_room
from core.base.errors import CoreError
from core.base.files import Problem
from core.runfolder.locking import log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import remove_stale
from waypoint_resume.journal import JOURNAL

HALF = frozenset({Stage.MOVING, Stage.UNDOING, Stage.PURGING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A batch that was ended: the stage in which it was found, the one it is in now, and what is not as it was."""

    batch: str
    found: Stage
    became: Stage
    problems: tuple[Problem, ...] = ()


def needs_recovery(folder: Path) -> bool:
    """Whether some batch is half-done, or being worked on at this moment. Takes no lock and writes nothing."""
    for place in batch_places(folder):
        try:
            if _ends_here(read_journal(place)):
                return True
        except FileNotFoundError:
            if not place.with_name(f"{place.name}{PURGED_END}").exists():
                return True
        except CoreError:
            continue
    return False


def recover(run_folder: RunFolder, *, actor: str, now: datetime) -> tuple[Recovered, ...]:
    """End what was left half-done in a run. BusyError, ReadOnlyError, PlaceError. Does nothing where nothing is."""
    if not needs_recovery(run_folder.folder):
        return ()
    with acting(run_folder):
        return recover_all(run_folder, actor=actor, now=now)


def recover_all(run_folder: RunFolder, *, actor: str, now: datetime) -> tuple[Recovered, ...]:
    """The same under the run's lock. What cannot be understood or written is left alone; `batches` tells of it."""
    found: list[Recovered] = []
    for place in batch_places(run_folder.folder):
        with contextlib.suppress(CoreError, OSError):
            ended = _end(run_folder, place, actor, now)
            found += [] if ended is None else [ended]
    return tuple(found)


def _end(run_folder: RunFolder, batch: Path, actor: str, now: datetime) -> Recovered | None:
    try:
        journal = read_journal(batch)
    except FileNotFoundError:
        _remove_unwritten(batch)
        return None
    if not _ends_here(journal):
        return None
    about = {"batch": journal.id, "stage": journal.stage.value}
    event = f"recover {journal.kind.value}"
    with_room(batch, lambda: log(run_folder.folder, actor=actor, event=event, now=now, about=about))
    if journal.stage is Stage.PURGING:
        problems = delete(batch, journal)
        return Recovered(batch=journal.id, found=journal.stage, became=Stage.PURGED, problems=problems)
    back = bring_back(run_folder, batch, journal)
    return Recovered(batch=journal.id, found=journal.stage, became=back.journal.stage, problems=back.problems)


def _ends_here(journal: Journal) -> bool:
    return journal.stage in HALF and not journal.is_jobs


def _remove_unwritten(batch: Path) -> None:
    """A batch that died before its journal was written, or after it was purged: there is nothing in it."""
    with contextlib.suppress(OSError):
        remove_stale(batch / JOURNAL)
        give_room(batch)
        os.rmdir(batch)

"""How a batch ends, for undo, purge and quarantine alike: it is put back, files first, then the state files, then the
journal's next stage; or it is deleted, and a small record stays. Each can be killed and begun again.

What a kill left half-done ends before the next action on its run. moving: rolled back, for what was decided may have
changed since; a rewind is left to its job, which completes it. undoing: completed; what cannot come back stays in the
batch. purging: completed.
"""

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from core.acts.acting import acting, batch_places, release, with_reserve
from core.acts.journal import (
    FILES,
    PURGED_END,
    VERSION,
    Journal,
    PurgedBatch,
    Stage,
    StateRewrite,
    read_journal,
    write_journal,
    write_purged,
)
from core.acts.moves import lies, put_back, remove_empty
from core.acts.rewrites import Restored, restore_state
from core.base.errors import CoreError
from core.base.files import Problem
from core.runfolder.places import log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import remove_stale, sync_folder
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import from_text, to_text

HALF = frozenset({Stage.MOVING, Stage.UNDOING, Stage.PURGING})
# What is told where `Returned.withdrawn` holds.
WITHDRAWN = (
    "The rewind's manifest was withdrawn: a job that is started now goes on from the newest checkpoint, not the pick."
)


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
    with holding(run_folder, actor=actor, now=now) as recovered:
        return recovered


@contextlib.contextmanager
def holding(run_folder: RunFolder, *, actor: str, now: datetime) -> Iterator[tuple[Recovered, ...]]:
    """Hold a run for an act, with what was left half-done ended. Errors as for `acting`. What cannot be understood or
    written is left alone; `batches` tells of it.
    """
    with acting(run_folder):
        found: list[Recovered] = []
        for place in batch_places(run_folder.folder):
            with contextlib.suppress(CoreError, OSError):
                ended = _end(run_folder, place, actor, now)
                found += [] if ended is None else [ended]
        yield tuple(found)


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
    with_reserve(batch, lambda: log(run_folder.folder, actor=actor, event=event, now=now, about=about))
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
        release(batch)
        os.rmdir(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came back: the journal as it stands now, how many files are back, and what is not as it was. `new_run` is
    the run, relative to the root, as which they came back; None where they are in their places. `withdrawn`: the
    rewind's manifest was withdrawn, so that no job goes back to its pick.
    """

    journal: Journal
    files: int
    problems: tuple[Problem, ...]
    new_run: str | None = None
    withdrawn: bool = False


def bring_back(run_folder: RunFolder, batch: Path, journal: Journal) -> Returned:
    """Put everything back that can be, and write how it ended: undone, or done with what stays in quarantine."""
    run = run_folder.folder
    failed = put_back(run, batch, journal)
    problems = [Problem(path=path, problem=reason) for path, reason in failed.items()]
    waiting = []
    for state in journal.states:
        ending = _restore(run_folder, batch, journal, state, failed)
        problems += [] if ending.problem is None else [ending.problem]
        waiting += [] if ending.is_final else [state]
    remove_empty(batch)
    stays = _what_stays(batch, journal, waiting)
    after = with_reserve(batch, lambda: write_journal(batch, stays))
    if after.stage is Stage.UNDONE:
        release(batch)
    return Returned(journal=after, files=len(journal.files) - len(failed), problems=tuple(problems))


def _what_stays(batch: Path, journal: Journal, waiting: list[StateRewrite]) -> Journal:
    """The batch as undone, or reduced to what still lies in it, as one that is done."""
    items = []
    for item in journal.items:
        files = tuple(file for file in item.files if lies(batch, file) is not None)
        items += [item.model_copy(update={"files": files, "elsewhere": None})] if files else []
    if not items:
        return journal.model_copy(update={"stage": Stage.UNDONE})
    return journal.model_copy(
        update={"stage": Stage.DONE, "items": tuple(items), "states": tuple(waiting), "undo": None}
    )


class _StateEnding(NamedTuple):
    """What became of a state file that is to be restored: why it was left alone, None where it was not; `is_final`
    where no later attempt is to try it again.
    """

    problem: Problem | None
    is_final: bool


def _restore(
    run_folder: RunFolder, batch: Path, journal: Journal, state: StateRewrite, failed: Collection[str]
) -> _StateEnding:
    """Restore a state file, unless something speaks against it."""
    with contextlib.suppress(CoreError, OSError):
        remove_stale(run_folder.state_file(from_text(state.path)))  # what a killed write left
    away = set(_not_in_place(journal, failed))
    if from_text(state.path).rpartition("/")[0] in away:
        return _left_alone(state, "not all that it named is back in its place")
    try:
        # What never came to be is taken back whole; a job that lives by now writes its own list in any case.
        if journal.stage is not Stage.MOVING and run_folder.is_live():
            return _left_alone(state, "the run is live, and its job never reads it again", is_final=True)
        if with_reserve(batch, lambda: restore_state(run_folder, state)) is Restored.WRITTEN_SINCE:
            return _left_alone(state, "somebody wrote it since", is_final=True)
    except (CoreError, OSError) as error:
        return _left_alone(state, str(error))
    return _StateEnding(None, is_final=True)


def _left_alone(state: StateRewrite, reason: str, *, is_final: bool = False) -> _StateEnding:
    return _StateEnding(Problem(path=state.path, problem=f"was left as it is: {reason}"), is_final)


def _not_in_place(journal: Journal, failed: Collection[str]) -> Iterator[str]:
    """The folders of items that are not back where they were."""
    for item in journal.items:
        if item.elsewhere is not None or any(file.path in failed for file in item.files):
            yield item.parent


def delete(batch: Path, journal: Journal) -> tuple[Problem, ...]:
    """Delete a batch whose journal says `purging`. What somebody put into its folder stays there, and is told."""
    assert journal.purge is not None
    for file in journal.files:
        if lies(batch, file) is not None:
            with contextlib.suppress(IsADirectoryError):  # not ours
                os.unlink(batch / FILES / file.name)
    release(batch)
    remove_empty(batch)
    write_purged(batch, _record(journal))
    remove_stale(batch / JOURNAL)
    os.unlink(batch / JOURNAL)
    try:
        os.rmdir(batch)
    except OSError:
        return (Problem(path=to_text(batch.name), problem="holds files that were not of the batch: they stay there"),)
    finally:
        sync_folder(batch.parent)
    return ()


def _record(journal: Journal) -> PurgedBatch:
    assert journal.purge is not None
    return PurgedBatch(
        version=VERSION,
        id=journal.id,
        kind=journal.kind,
        by=journal.by,
        at=journal.at,
        note=journal.note,
        items=tuple(item.summary for item in journal.items),
        purge=journal.purge,
    )

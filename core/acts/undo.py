"""Undoing a batch: its files, their names and times and the state files come back. Nothing that came since is written
over: such a place is a conflict, for which another folder is offered. A job that went on from an older checkpoint uses
the names of the newer ones again: a rewind that has conflicts is offered as a new run. Where a rewind's files come back
to their places its manifest is withdrawn first, or the job's next start would go back to its pick and write over them.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.acts.acting import StageError, find, require_writable, with_reserve
from core.acts.as_new_run import as_run_text, bring_back_as_run, offered_run
from core.acts.journal import Act, Journal, JournalItem, JournalKind, Stage, read_journal, short_id, write_journal
from core.acts.moves import is_free, lies, takes
from core.acts.recovery import Returned, bring_back, holding
from core.base.errors import CoreError
from core.base.files import Problem
from core.base.names import printable
from core.resume.history import UNFINISHED, read_manifests
from core.resume.withdrawal import withdraw_held
from core.runfolder.places import log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.names import join, to_text
from waypoint_resume.timeline import take_back_cut

_SHOWN = 3


class OnConflict(StrEnum):
    """What to do about a place that is taken: nothing at all, or put that item into the folder that is offered, and a
    rewind into the new run that is.
    """

    REFUSE = "refuse"
    RENAME = "rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """An item whose place is taken by some files, and the folder that it could go into; paths as text, in the run.
    Nothing is `taken` yet where a job lives that will take the names of what a rewind set aside.
    """

    path: str
    taken: tuple[str, ...]
    offered: str


class ConflictError(CoreError):
    """Something stands where files would come back, or a job would write there; `conflicts` says what, and what is
    offered. `new_run`: the run, relative to the root as text, as which all `files` of a rewind could come back.
    """

    def __init__(self, conflicts: tuple[Conflict, ...], new_run: str | None = None, files: int = 0) -> None:
        self.conflicts, self.new_run, self.files = conflicts, new_run, files
        offered = "" if new_run is None else f" {as_run_text(new_run, files, is_done=False)}"
        super().__init__(f"Nothing was moved, for {self.why}.{offered}")

    @property
    def why(self) -> str:
        """What is in the way, as a sentence's end."""
        if not any(one.taken for one in self.conflicts):
            return (
                "a job lives in this run, and its next saves would write over what came back. Undo it when the job has "
                "ended (for two minutes, if it was killed)"
            )
        taken = [one for one in self.conflicts if one.taken]
        apart = self.new_run is None
        shown = (f"{one.path} (could go into {one.offered}/)" if apart else one.path for one in taken[:_SHOWN])
        more = len(taken) - _SHOWN
        return f"something else stands in the place of {'; '.join(shown)}{f' and {more:,} more' if more > 0 else ''}"

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.conflicts, self.new_run, self.files))


def undo(
    run_folder: RunFolder, batch: str, *, actor: str, now: datetime, on_conflict: OnConflict = OnConflict.REFUSE
) -> Returned:
    """Undo a batch, named by its id or the last digits of it. A rewind that its job left half-done is taken back.

    Raises ConflictError, StageError (undone or purged already), StateError (half-done, and a job lives), NotFoundError,
    BusyError, ReadOnlyError, PlaceError.
    """
    run = run_folder.folder
    with holding(run_folder, actor=actor, now=now) as recovered:
        place = find(run, batch)
        journal = read_journal(place)
        for one in recovered:
            if one.batch == journal.id and one.became is Stage.UNDONE:
                return Returned(journal=journal, files=len(journal.files), problems=one.problems)
        if journal.stage is not Stage.DONE and not journal.is_jobs:
            raise StageError(f"Batch {short_id(journal.id)} is {journal.stage.value} already: nothing was moved.")
        is_rewind = journal.kind is JournalKind.REWIND
        has_job = is_rewind and not journal.is_jobs and run_folder.has_job()
        conflicts = tuple(_conflicts(run, place, journal, has_job=has_job))
        if conflicts and journal.is_jobs:
            raise StageError(
                f"Batch {short_id(journal.id)} is half-done, and something else stands in the place of "
                f"{conflicts[0].path}: move that away, or let the job complete the rewind. Nothing was moved."
            )
        as_run = is_rewind and run_folder.run != "."
        if conflicts and on_conflict is OnConflict.REFUSE:
            raise ConflictError(conflicts, offered_run(run_folder, journal) if as_run else None, len(journal.files))
        if conflicts and as_run:
            return bring_back_as_run(run_folder, place, journal, actor=actor, now=now)
        require_writable(place, journal)
        offered = {one.path: one.offered for one in conflicts}
        withdrawn = is_rewind and not has_job and _withdraw(run_folder, actor=actor, now=now)
        items = tuple(item.model_copy(update={"elsewhere": offered.get(item.path)}) for item in journal.items)
        about = {"batch": journal.id, "items": [item.path for item in items], "elsewhere": offered}
        event = f"undo {journal.kind.value}"
        with_reserve(place, lambda: log(run, actor=actor, event=event, now=now, about=about))
        begun = journal.model_copy(update={"items": items, "undo": Act(by=printable(actor), at=now)})
        if not journal.is_jobs:  # else all of it never came to be: a kill leaves it as it was, for another undo
            undoing = begun.model_copy(update={"stage": Stage.UNDOING})
            begun = with_reserve(place, lambda: write_journal(place, undoing))
        back = replace(bring_back(run_folder, place, begun), withdrawn=withdrawn)
        told = _logs_back(run_folder, journal.id) if is_rewind and back.journal.stage is Stage.UNDONE else ()
        return replace(back, problems=(*back.problems, *told))


def _logs_back(run_folder: RunFolder, batch: str) -> Iterator[Problem]:
    """Take back what the job cut off its logs when it rewound; what cannot come back to its place is told."""
    for home in run_folder.homes:
        try:
            told = take_back_cut(run_folder.folder, home, batch)
        except OSError as error:
            told = [f"the logs stay cut: {error}"]
        yield from (Problem(path=batch, problem=text) for text in told)


def _withdraw(run_folder: RunFolder, *, actor: str, now: datetime) -> bool:
    """Withdraw the run's manifest if a job would still follow it, whichever that is: it was handed over while what
    comes back was away, and its job would save over it. Whether that was needed. Under the run's lock.
    """
    entries = read_manifests(run_folder).entries
    followed = next((one.manifest.id for one in entries if one.is_current and one.state in UNFINISHED), None)
    if followed is None:
        return False
    withdraw_held(run_folder, run_folder.folder, followed, actor=actor, now=now)
    return True


def _conflicts(run: Path, batch: Path, journal: Journal, *, has_job: bool) -> Iterator[Conflict]:
    """Items whose place is taken; all of them where a job lives that would write over what came back."""
    for item in journal.items:
        held = [(file, found) for file in item.files if (found := lies(batch, file)) is not None]
        taken = tuple(file.path for file, found in held if not takes(run, file.name, found))
        if taken or (held and has_job):
            yield Conflict(path=item.path, taken=taken, offered=_offered(run, item, short_id(journal.id)))


def _offered(run: Path, item: JournalItem, short: str) -> str:
    """A folder beside the item in which all its files find their place."""
    for number in itertools.count(1):
        folder = join(item.parent, f"restored-{short}" if number == 1 else f"restored-{short}-{number}")
        moved = item.model_copy(update={"elsewhere": to_text(folder)})
        if all(is_free(run, moved.home(file)) for file in item.files):
            return to_text(folder)
    raise AssertionError

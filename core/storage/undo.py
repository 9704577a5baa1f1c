"""Undoing a batch: its files, their names and times and the state files come back. Nothing that came since is written
over: such a place is a conflict, for which another folder is offered.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.decisions.desk import log
from core.errors import CoreError
from core.fs.names import join, to_text
from core.storage.acting import StageError, acting, find, require_writable
from core.storage.journal import Act, Journal, JournalItem, Stage, printable, short_id
from core.storage.journal_files import read_journal, write_journal
from core.storage.live import Ground
from core.storage.moves import is_free, lies
from core.storage.recover import recover_all
from core.storage.returns import Returned, bring_back

_SHOWN = 3


class OnConflict(StrEnum):
    """What to do about a place that is taken: nothing at all, or put that item into the folder that is offered."""

    REFUSE = "refuse"
    RENAME = "rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """An item whose place is taken by some files, and the folder that it could go into; paths as text, in the run."""

    path: str
    taken: tuple[str, ...]
    offered: str


class ConflictError(CoreError):
    """Something stands where files would come back; `conflicts` says what, and what is offered."""

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        self.conflicts = conflicts
        told = "; ".join(f"{one.path} (could go into {one.offered}/)" for one in conflicts[:_SHOWN])
        told += f" and {len(conflicts) - _SHOWN:,} more" if len(conflicts) > _SHOWN else ""
        super().__init__(f"Nothing was moved, for something else stands in the place of {told}.")

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.conflicts,))


def undo(
    ground: Ground, batch: str, *, actor: str, now: datetime, on_conflict: OnConflict = OnConflict.REFUSE
) -> Returned:
    """Undo a batch, named by its id or the last digits of it.

    Raises ConflictError, StageError (undone or purged already), NotFoundError, BusyError, ReadOnlyError, PlaceError.
    """
    with acting(ground.site) as batches:
        recovered = recover_all(ground, batches, actor=actor, now=now)
        place = find(batches, batch)
        journal = read_journal(place)
        for one in recovered:
            if one.batch == journal.id and one.became is Stage.UNDONE:
                return Returned(journal=journal, files=len(journal.files), problems=one.problems)
        if journal.stage is not Stage.DONE:
            raise StageError(f"Batch {short_id(journal.id)} is {journal.stage.value} already: nothing was moved.")
        require_writable(place, journal)
        conflicts = tuple(_conflicts(ground.site.folder, place, journal))
        if conflicts and on_conflict is OnConflict.REFUSE:
            raise ConflictError(conflicts)
        offered = {one.path: one.offered for one in conflicts}
        items = tuple(item.model_copy(update={"elsewhere": offered.get(item.path)}) for item in journal.items)
        about = {"batch": journal.id, "items": [item.path for item in items], "elsewhere": offered}
        log(ground.site.folder, actor=actor, event=f"undo {journal.kind.value}", now=now, about=about)
        act = Act(by=printable(actor), at=now)
        update = {"stage": Stage.UNDOING, "items": items, "undo": act}
        return bring_back(ground, place, write_journal(place, journal.model_copy(update=update)))


def _conflicts(run: Path, batch: Path, journal: Journal) -> Iterator[Conflict]:
    for item in journal.items:
        held = [file for file in item.files if lies(batch, file) is not None]
        taken = tuple(file.path for file in held if not is_free(run, file.name))
        if taken:
            yield Conflict(path=item.path, taken=taken, offered=_offered(run, item, short_id(journal.id)))


def _offered(run: Path, item: JournalItem, short: str) -> str:
    """A folder beside the item in which all its files find their place."""
    for number in itertools.count(1):
        folder = join(item.parent, f"restored-{short}" if number == 1 else f"restored-{short}-{number}")
        moved = item.model_copy(update={"elsewhere": to_text(folder)})
        if all(is_free(run, moved.home(file)) for file in item.files):
            return to_text(folder)
    raise AssertionError

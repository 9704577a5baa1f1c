"""The batches of a run as they lie on disk, for pages and the shell. Nothing is changed here."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.acts.acting import batch_places
from core.acts.journal import (
    FOLDERS,
    ID,
    PURGED_END,
    Act,
    ItemSummary,
    Journal,
    JournalKind,
    PurgedBatch,
    Stage,
    read_journal,
    read_purged,
    short_id,
)
from core.acts.moves import held
from core.acts.recovery import HALF
from core.base.errors import CoreError
from core.base.files import Problem
from core.retention.planned import freed
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch: who moved it, when and why, how far it is, and who undid or purged it. `freed_bytes` is what the disk
    gains from its purge, or gained; 0 for one that was undone. `undoable`: files of it lie aside.
    """

    id: str
    kind: JournalKind
    by: str
    at: datetime
    note: str
    stage: Stage
    items: tuple[ItemSummary, ...]
    freed_bytes: int
    ended: Act | None
    problems: tuple[Problem, ...] = ()

    @property
    def short(self) -> str:
        """What people type for it."""
        return short_id(self.id)

    @property
    def bytes(self) -> int:
        """The apparent size of what went."""
        return sum(item.bytes for item in self.items)

    @property
    def undoable(self) -> bool:
        """Whether undo would put something back."""
        return self.purgeable or (self.kind is JournalKind.REWIND and self.stage is Stage.MOVING)

    @property
    def purgeable(self) -> bool:
        """Whether it could be purged: all of it lies aside, and nobody is at it."""
        return self.stage is Stage.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The batches of a run, newest first, and what cannot be understood among them."""

    batches: tuple[Batch, ...] = ()
    problems: tuple[Problem, ...] = ()


def batches(folder: Path) -> Batches:
    """Read the batches of a run. Never raises for what lies there."""
    found: dict[str, Batch] = {}
    problems: list[Problem] = []
    for place in batch_places(folder):
        try:
            found[place.name] = _batch(place, read_journal(place))
        except FileNotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(_problem(folder, place, error))
    for place in _records(folder):
        try:
            record = read_purged(place)
        except (CoreError, OSError) as error:
            problems.append(_problem(folder, place, error))
        else:
            found[place.name.removesuffix(PURGED_END)] = _purged(record)
    return Batches(batches=tuple(found[name] for name in sorted(found, reverse=True)), problems=tuple(problems))


def _batch(place: Path, journal: Journal) -> Batch:
    lying = held(place, journal) if journal.stage in {Stage.DONE, *HALF} else []
    problems = []
    if journal.is_jobs:
        reason = "was left half-done: the job completes it at its next start, or Undo takes it back"
        problems.append(Problem(path=journal.id, problem=reason))
    elif journal.stage in HALF:
        reason = "being worked on, or left half-done by a kill: the next action on the run ends it"
        problems.append(Problem(path=journal.id, problem=reason))
    elif journal.stage is Stage.DONE and len(lying) < len(journal.files):
        there = {file.path for file in lying}
        gone = (file.path for file in journal.files if file.name not in there)
        problems += (Problem(path=path, problem="is not in quarantine any more") for path in gone)
    return Batch(
        id=journal.id,
        kind=journal.kind,
        by=journal.by,
        at=journal.at,
        note=journal.note,
        stage=journal.stage,
        items=tuple(item.summary for item in journal.items),
        freed_bytes=freed((str(place), file) for file in lying),
        ended=journal.purge or journal.undo,
        problems=tuple(problems),
    )


def _purged(record: PurgedBatch) -> Batch:
    return Batch(
        id=record.id,
        kind=record.kind,
        by=record.by,
        at=record.at,
        note=record.note,
        stage=Stage.PURGED,
        items=record.items,
        freed_bytes=record.purge.freed_bytes,
        ended=record.purge,
    )


def _records(folder: Path) -> list[Path]:
    """What stays of the batches that were purged."""
    found: list[Path] = []
    for place in (folder / HIDDEN / name for name in FOLDERS):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found += (path for path in place.iterdir() if path.name.endswith(PURGED_END))
    return [path for path in found if ID.match(path.name.removesuffix(PURGED_END))]


def _problem(folder: Path, place: Path, error: Exception) -> Problem:
    return Problem(path=to_text(str(place.relative_to(folder))), problem=str(error))

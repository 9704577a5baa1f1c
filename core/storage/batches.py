"""The batches of a run as they lie on disk, for pages and the shell. Nothing is changed here."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.decisions.places import HIDDEN
from core.errors import CoreError
from core.fs.names import to_text
from core.model import Problem
from core.storage.acting import batch_names
from core.storage.journal import (
    FOLDER,
    ID,
    PURGED_END,
    Act,
    ItemSummary,
    Journal,
    JournalKind,
    PurgedBatch,
    Stage,
    short_id,
)
from core.storage.journal_files import read_journal, read_purged
from core.storage.moves import held
from core.storage.planned import freed
from core.storage.recover import HALF


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch: who moved it, when and why, how far it is, and who undid or purged it. `freed_bytes` is what the disk
    gains from its purge, or gained; 0 for one that was undone. `undoable`: its files lie in quarantine.
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
        return self.stage is Stage.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The batches of a run, newest first, and what cannot be understood among them."""

    batches: tuple[Batch, ...] = ()
    problems: tuple[Problem, ...] = ()


def batches(run_folder: Path) -> Batches:
    """Read the batches of a run. Never raises for what lies there."""
    place = run_folder / HIDDEN / FOLDER
    found: dict[str, Batch] = {}
    problems: list[Problem] = []
    for name in batch_names(place):
        try:
            found[name] = _batch(place / name, read_journal(place / name))
        except FileNotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(f"{HIDDEN}/{FOLDER}/{name}"), problem=str(error)))
    for name in _purged_names(place):
        try:
            record = read_purged(place / f"{name}{PURGED_END}")
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(f"{HIDDEN}/{FOLDER}/{name}{PURGED_END}"), problem=str(error)))
        else:
            found[name] = _purged(record)
    return Batches(batches=tuple(found[name] for name in sorted(found, reverse=True)), problems=tuple(problems))


def _batch(place: Path, journal: Journal) -> Batch:
    lying = held(place, journal) if journal.stage in {Stage.DONE, *HALF} else []
    problems = []
    if journal.stage in HALF:
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


def _purged_names(place: Path) -> list[str]:
    try:
        names = [path.name.removesuffix(PURGED_END) for path in place.iterdir() if path.name.endswith(PURGED_END)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in names if ID.match(name)]

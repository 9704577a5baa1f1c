"""The journal of a batch: `<batch>/journal.json` in `.waypoint/quarantine`, or in `.waypoint/rewound`, where a job set
aside what was newer than its pick. Version 1; docs/storage.md describes it, `waypoint_resume.journal` holds its rules.

It is written and synced before anything is moved, and again at each stage, so that a kill at any instant leaves the
list of all files that may lie in two places. Paths are text (`waypoint_resume.names`), relative to the run.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

from core.base.errors import CoreError, PlaceError
from core.base.facts import Format
from core.formats.state_file import NAME, is_one
from core.retention.planned import ItemKind
from core.runfolder.places import read_small
from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.clock import moment_of, moment_text
from waypoint_resume.files import LONG
from waypoint_resume.ids import PATTERN
from waypoint_resume.journal import JOURNAL, JOURNAL_SPEC, PURGED_SPEC, REWOUND
from waypoint_resume.names import from_text, to_text
from waypoint_resume.spec import read_document

FOLDER = "quarantine"
FOLDERS = (FOLDER, REWOUND)  # where batches lie, in `.waypoint`
FILES = "files"
PURGED_END = ".purged.json"
VERSION = 1
ID = re.compile(PATTERN)


class JournalKind(StrEnum):
    """Why checkpoints were moved: to free the disk, or so that a job goes on from an older one."""

    QUARANTINE = "quarantine"
    REWIND = "rewind"


class Stage(StrEnum):
    """How far a batch is. Those that end in -ing are found only during an action, and after a kill."""

    MOVING = "moving"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    PURGING = "purging"
    PURGED = "purged"


Moment = Annotated[datetime, BeforeValidator(moment_of), PlainSerializer(moment_text, return_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OnDisk(_Part):
    path: str

    @property
    def name(self) -> str:
        """The path on disk, relative to the run."""
        return from_text(self.path)


class JournalFile(_OnDisk):
    """One file as it was when it was moved: sizes in bytes, `mode` its permission bits."""

    size: int
    allocated: int
    mtime_ns: int
    mode: int
    inode: int
    device: int
    links: int


class JournalFolder(_OnDisk):
    """A folder on the way to some file. `goes`: it belongs to a checkpoint and is removed when it is empty."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    goes: bool


class ItemSummary(_Part):
    """A checkpoint or a leftover without its files: what pages show, and all that stays of one that was purged. `bytes`
    is the apparent size.
    """

    kind: ItemKind
    path: str
    format: Format | None
    files: int
    bytes: int


class JournalItem(_Part):
    """A checkpoint or a leftover: its files in the order in which they go, and why it went. `elsewhere` is the folder
    in which undo puts it because its own place is taken; the files keep their names.
    """

    kind: ItemKind
    path: str
    format: Format | None
    reason: str
    files: tuple[JournalFile, ...]
    elsewhere: str | None = None

    @property
    def summary(self) -> ItemSummary:
        """The item without its files."""
        size = sum(file.size for file in self.files)
        return ItemSummary(kind=self.kind, path=self.path, format=self.format, files=len(self.files), bytes=size)

    @property
    def parent(self) -> str:
        """The folder that the item lies in, relative to the run, '' for the run's own."""
        return from_text(self.path).rpartition("/")[0]

    def home(self, file: JournalFile) -> str:
        """Where undo puts a file: its own place, or the one in `elsewhere`."""
        within = file.name.removeprefix(self.parent).lstrip("/")
        return file.name if self.elsewhere is None else f"{from_text(self.elsewhere)}/{within}"


class StateRewrite(_Part):
    """A state file that named what was moved: what it said, what was written instead, and the old one's time."""

    path: str
    old: str
    new: str
    mtime_ns: int

    @model_validator(mode="after")
    def _is_state_file(self) -> Self:
        if self.path.rpartition("/")[2] != NAME and not all(is_one(text.encode()) for text in (self.old, self.new)):
            raise ValueError(f"no state file: it is not named {NAME!r}, and names no latest")
        return self


class Act(_Part):
    """Who did something, and when."""

    by: str
    at: Moment


class Purge(Act):
    """Who deletes a batch, when, and the bytes that the disk gains."""

    freed_bytes: int


class _Document(_Part):
    version: int
    id: str
    kind: JournalKind
    by: str
    at: Moment
    note: str


class Journal(_Document):
    """The whole document. `undo` and `purge` are there from the stages undoing and purging on."""

    stage: Stage
    items: tuple[JournalItem, ...]
    folders: tuple[JournalFolder, ...]
    states: tuple[StateRewrite, ...]
    undo: Act | None = None
    purge: Purge | None = None

    @property
    def files(self) -> tuple[JournalFile, ...]:
        """Every file, in the order in which they go."""
        return tuple(file for item in self.items for file in item.files)

    @property
    def is_jobs(self) -> bool:
        """Whether it is a rewind that is half-done: the job's next start completes it, or an undo takes it back."""
        return self.kind is JournalKind.REWIND and self.stage is Stage.MOVING


class PurgedBatch(_Document):
    """`<batch>.purged.json`, what stays of a batch after its purge."""

    items: tuple[ItemSummary, ...]
    purge: Purge


def short_id(batch: str) -> str:
    """What people type for a batch: the last digits of its id, which are random."""
    return batch[-8:]


Document = TypeVar("Document", Journal, PurgedBatch)


def read_journal(batch: Path) -> Journal:
    """A batch's journal. FileNotFoundError where it has none, CoreError where it cannot be understood."""
    found = _read(batch / JOURNAL, Journal, JOURNAL_SPEC)
    if found.id != batch.name:
        raise CoreError(f"{to_text(str(batch / JOURNAL))} is the journal of another batch, {found.id}.")
    return found


def read_purged(path: Path) -> PurgedBatch:
    """What stays of a purged batch; errors as for journals."""
    return _read(path, PurgedBatch, PURGED_SPEC)


def write_journal(batch: Path, journal: Journal) -> Journal:
    """Write a journal, synced, in the place of the one before. Only under the run's lock."""
    return _write(batch / JOURNAL, journal)


def write_purged(batch: Path, record: PurgedBatch) -> None:
    """Write what stays of a purged batch, beside its folder."""
    _write(batch.with_name(f"{batch.name}{PURGED_END}"), record)


def _read(path: Path, model: type[Document], spec: Mapping[str, object]) -> Document:
    try:
        document, problems = read_document(read_small(path, LONG), LONG, spec)
        if not problems:
            return model.model_validate(document)
        reason = str(problems[0])
    except FileNotFoundError:
        raise
    except (OSError, PlaceError) as error:
        reason = str(error)
    raise CoreError(f"{to_text(str(path))} cannot be understood: {reason}. Mend it, or move its batch away.")


def _write(path: Path, document: Document) -> Document:
    remove_stale(path)
    write_atomic(path, document.model_dump_json(indent=1).encode() + b"\n")
    return document

"""The journal of a batch: `<batch>/journal.json` in `.waypoint/quarantine`, or in `.waypoint/rewound`, where a job set
aside what was newer than its pick. Version 1; docs/storage.md describes it, `waypoint_resume.journal` holds its rules.

It is written and synced before anything is moved, and again at each stage, so that a kill at any instant leaves the
list of all files that may lie in two places. Paths are text (`waypoint_resume.names`), relative to the run.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    model_validator,
)

from core.base.facts import Format
from core.formats.state_file import NAME, is_one
from core.retention.planned import ItemKind, PlannedFile
from waypoint_resume.clock import moment_of, moment_text
from waypoint_resume.ids import PATTERN
from waypoint_resume.journal import REWOUND
from waypoint_resume.names import from_text, to_text

FOLDER = "quarantine"
FOLDERS = (FOLDER, REWOUND)  # where batches lie, in `.waypoint`
FILES = "files"
PURGED_END = ".purged.json"
VERSION = 1
ID = re.compile(PATTERN)
_SHORT = 8


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


class JournalFile(_Part):
    """One file as it was when it was moved: sizes in bytes, `mode` its permission bits."""

    path: str
    size: int
    allocated: int
    mtime_ns: int
    mode: int
    inode: int
    device: int
    links: int

    @property
    def name(self) -> str:
        """The path on disk, relative to the run."""
        return from_text(self.path)


class JournalFolder(_Part):
    """A folder on the way to some file. `goes`: it belongs to a checkpoint and is removed when it is empty."""

    path: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    goes: bool

    @property
    def name(self) -> str:
        """The path on disk, relative to the run."""
        return from_text(self.path)


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
        if self.elsewhere is None:
            return file.name
        return f"{from_text(self.elsewhere)}/{file.name.removeprefix(self.parent).lstrip('/')}"


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


class Journal(_Part):
    """The whole document. `undo` and `purge` are there from the stages undoing and purging on."""

    version: int
    id: str
    kind: JournalKind
    by: str
    at: Moment
    note: str
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


class PurgedBatch(_Part):
    """`<batch>.purged.json`, what stays of a batch after its purge."""

    version: int
    id: str
    kind: JournalKind
    by: str
    at: Moment
    note: str
    items: tuple[ItemSummary, ...]
    purge: Purge


def short_id(batch: str) -> str:
    """What people type for a batch: the last digits of its id, which are random."""
    return batch[-_SHORT:]


def printable(text: str) -> str:
    """Text that fits into UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def journal_file(file: PlannedFile, mode: int) -> JournalFile:
    """A planned file with its permission bits, for a journal."""
    return JournalFile(**{**file._asdict(), "path": to_text(file.path)}, mode=mode)

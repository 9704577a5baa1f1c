"""What was concluded, as records that travel between the layers: checkpoints, findings, runs, roots.

Every record is frozen. Those of which a scan makes one for each file or checkpoint are named tuples, the others frozen
dataclasses: a tuple is made, changed and handed to another process several times faster.

Paths are POSIX, relative to their root, as Python's `os.fsdecode` gives them (bytes that are not UTF-8 are surrogate
escapes); `waypoint_resume.names` turns them into text for databases and people. Sizes are bytes, times are aware UTC
datetimes, or integer nanoseconds since the epoch where the name says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.base.facts import Facts, Format
from core.base.files import FileStat, Problem


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return ("info", "warning", "error").index(self.value)


class Health(StrEnum):
    """A checkpoint's health: its worst finding above info, or that it is being written."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    WRITING = "writing"


class SavedAtSource(StrEnum):
    """Where a save time comes from."""

    STATE_FILE = "state-file"
    FORMAT = "format"
    MTIME = "mtime"


# Sources of what a word in a name tells (`epoch-03`), of a number without one, and of an epoch put right by steps.
EPOCH_IN_NAME, STEP_IN_NAME = "the epoch in the name", "the step in the name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's statement about one place. `accepted` is the note of whoever said that it is so on purpose."""

    path: str
    rule: str
    severity: Severity
    reason: str
    action: str
    accepted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Files that belong to no checkpoint: shards without an index, temp files of a save."""

    path: str
    rule: str
    files: tuple[FileStat, ...]
    reason: str
    writing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFile:
    """A parsed state file `checkpoint`. `error` is what TensorFlow would raise (a sentence), `unreadable` why it would
    answer None; paths stand as written in the file. `writing`: it was being rewritten, so that nothing follows from
    it yet.
    """

    path: str
    latest: str | None = None
    history: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    error: str | None = None
    unreadable: str | None = None
    mtime_ns: int = 0
    writing: bool = False


class Checkpoint(NamedTuple):
    """One checkpoint as the catalog keeps it; the fields of `ls --json` and what pages need beside them.

    `root` is the root's id. `files` are relative to `folder`. `number` are the numbers of the name, for natural order.
    `read_by` tells which version of its reader read it. `series_order` rises from save to save of a series; None where
    nobody has arranged its run yet.
    """

    root: str
    run: str
    path: str
    folder: str
    format: Format
    files: tuple[FileStat, ...]
    saved_at: datetime
    saved_at_source: SavedAtSource
    bytes: int
    facts: Facts
    findings: tuple[Finding, ...] = ()
    restorable: bool = False
    health: Health = Health.OK
    series: str = ""
    stem: str = ""
    attempt: int = 1
    is_latest: bool = False
    is_latest_restorable: bool = False
    metric: tuple[str, float] | None = None
    id: int | None = None
    read_by: str = ""
    series_order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's roll-up. `newest_step` is the largest step of its newest checkpoints; `status` ∈ live, idle, stale;
    `is_deleted`: MLflow marks it as deleted. `tags`, `note`, `owner`, `is_favourite` and `best_metric` (name, min or
    max) are what people said of it, `id` is the number by which the catalog names it. The defaults are those of a run
    of which only the place is known.
    """

    root: str
    path: str
    status: str = "idle"
    checkpoints: int = 0
    restorable: int = 0
    series: int = 0
    bytes: int = 0
    newest_step: int | None = None
    last_saved: datetime | None = None
    changed_at: datetime | None = None
    median_interval: float | None = None
    errors: int = 0
    warnings: int = 0
    infos: int = 0
    states: tuple[StateFile, ...] = ()
    is_deleted: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    owner: str = ""
    is_favourite: bool = False
    best_metric: tuple[str, str] | None = None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A configured root: `id` is short and stable, `path` absolute; `problem` says why it could not be looked at."""

    id: str
    path: str
    problem: str | None = None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What one pass over the roots did (`index --json`). Older code had judged `rejudged` runs and read `reread`
    checkpoints; `waiting` folders are left for the next passes. Of `metric_files` that tell metrics and parameters
    something was read; `metric_files_waiting` are left, too.
    """

    roots: tuple[Root, ...] = ()
    runs: int = 0
    checkpoints: int = 0
    parsed: int = 0
    reused: int = 0
    rejudged: int = 0
    reread: int = 0
    waiting: int = 0
    metric_files: int = 0
    metric_files_waiting: int = 0
    problems: tuple[tuple[str, Problem], ...] = field(default_factory=tuple)
    seconds: float = 0.0

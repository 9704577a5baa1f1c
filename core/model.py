"""The records that travel between the layers: what lies on disk, what was read, what was concluded.

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


class Format(StrEnum):
    """How a checkpoint is stored (contracts: `format`)."""

    TF_BUNDLE = "tf-bundle"
    TF_V1 = "tf-v1"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    HDF5 = "hdf5"
    WEIGHTS_H5 = "weights-h5"
    WEIGHTS_H5_SHARDED = "weights-h5-sharded"
    ORBAX = "orbax"
    KERAS_FOLDER = "keras-folder"
    SAFETENSORS = "safetensors"
    FLAX_MSGPACK = "flax-msgpack"


class Contents(StrEnum):
    """What a checkpoint holds, judged by its content and never by its name."""

    WEIGHTS_ONLY = "weights_only"
    WEIGHTS_AND_OPTIMIZER = "weights_and_optimizer"
    FULL_MODEL = "full_model"
    EXPORT = "export"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What a variable is for."""

    WEIGHT = "weight"
    OPTIMIZER = "optimizer"
    OTHER = "other"


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


class FileStat(NamedTuple):
    """One regular file: `name` relative to its listing's folder ('/' inside it for absorbed subfolders)."""

    name: str
    size: int
    mtime_ns: int
    inode: int = 0
    device: int = 0
    links: int = 1
    allocated: int = 0


class OutwardLink(NamedTuple):
    """A link that leads out of its root: its name (relative to a listing's folder, or to the root) and the absolute
    path that it leads to. What lies there is not looked at.
    """

    name: str
    target: str


class Held(NamedTuple):
    """What a folder without a checkpoint holds instead: how many files of each kind that is known and not read, and of
    each ending among all others (`.png`; '' for names without one).
    """

    kinds: tuple[tuple[str, int], ...] = ()
    endings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be looked at: a place and a sentence; the scan went on."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One folder as seen at one moment.

    `files` also holds those of absorbed subfolders (a SavedModel's variables, an Orbax step, TensorFlow's temp
    folders), named 'sub/name'. `confirmed` are formats of which the folder itself is a checkpoint, as far as only its
    content tells that. `folder_times` are (relative folder, mtime in ns) of this folder ('') and the absorbed ones:
    while they stay, no file came, went or was renamed. `outside` are its links, and those of absorbed folders, that
    lead out of the root, `inner_links` the names of all its other ones, sound or not; `is_deleted_run`: MLflow marks
    the run as deleted. `listed_at` is of the monotonic clock, seconds.
    """

    folder: str
    files: tuple[FileStat, ...]
    subfolders: tuple[str, ...]
    folder_times: tuple[tuple[str, int], ...]
    is_run_marker: bool = False
    is_named_run: bool = False
    problems: tuple[Problem, ...] = ()
    outside: tuple[OutwardLink, ...] = ()
    inner_links: tuple[str, ...] = ()
    is_deleted_run: bool = False
    confirmed: frozenset[Format] = frozenset()
    listed_at: float = field(default=0.0, compare=False)

    @property
    def outside_names(self) -> frozenset[str]:
        """The names of the links that lead out of the root."""
        return frozenset(link.name for link in self.outside)


# Sources of what a word in a name tells (`epoch-03`), of a number without one, and of an epoch put right by steps.
EPOCH_IN_NAME, STEP_IN_NAME = "the epoch in the name", "the step in the name"
NUMBER_IN_NAME = "the number in the name"
EPOCH_BY_STEPS = "its step ÷ the steps of an epoch of its series"


class Sourced(NamedTuple):
    """A number and where it was read, e.g. (1100, 'optimizer/_iterations')."""

    value: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One stored tensor. `shape` is None for unknown rank; `bytes` is its stored length; the place is
    (shard number, byte offset) where the format tells.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    bytes: int
    role: Role
    shard: int | None = None
    offset: int | None = None
    parameters: int = 0


class RoleBytes(NamedTuple):
    """Stored bytes by what they are for."""

    weights: int = 0
    optimizer: int = 0
    other: int = 0


class Shard(NamedTuple):
    """A bundle's data shard: the length that the index implies (None: the index says nothing) and the one on disk
    (None: no such file).
    """

    number: int
    name: str
    expected: int | None
    actual: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadProblem:
    """Why a file could not be read to the end: kind ∈ truncated, corrupt, unsupported, too-large, crashed, empty,
    lfs-pointer, unreadable; permission: the right to read it is missing; hung, unexpected: its reader did not end, or
    failed; linked: a part lies behind a link out of the root. Or what is in the way although it could: pattern,
    unrenamed, packed (docs/health.md).
    """

    kind: str
    file: str
    detail: str


class Facts(NamedTuple):
    """What one checkpoint's files say, by content. A format's reader returns this and judges nothing.

    `mismatch` names a stored value whose bytes do not match the checksum that the index keeps for it; `committed` is
    False where the format has a mark of completion and it is absent. `packed` are shards that are missing, each with
    the compressed file in which it lies.
    """

    contents: Contents = Contents.UNKNOWN
    contents_reason: str | None = None
    has_optimizer: bool = False
    has_architecture: bool = False
    step: Sourced | None = None
    step_reason: str | None = None
    epoch: Sourced | None = None
    save_counter: Sourced | None = None
    saved_at: datetime | None = None
    variables: int | None = None
    parameters: int | None = None
    role_bytes: RoleBytes = RoleBytes()
    fingerprint: str | None = None
    shards: tuple[Shard, ...] = ()
    committed: bool = True
    problem: ReadProblem | None = None
    mismatch: str | None = None
    writer: str | None = None
    packed: tuple[tuple[str, str], ...] = ()


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
    """One checkpoint as the catalog keeps it; the fields of contracts.md's `ls` and what pages need beside them.

    `root` is the root's id. `files` are relative to `folder`. `number` are the numbers of the name, for natural order.
    `read_by` tells which version of its reader read it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's roll-up. `newest_step` is the largest step of its newest checkpoints; `status` ∈ live, idle, stale;
    `is_deleted`: MLflow marks it as deleted.
    """

    root: str
    path: str
    status: str
    checkpoints: int
    restorable: int
    series: int
    bytes: int
    newest_step: int | None
    last_saved: datetime | None
    changed_at: datetime | None
    median_interval: float | None
    errors: int
    warnings: int
    infos: int
    states: tuple[StateFile, ...] = ()
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A configured root: `id` is short and stable, `path` absolute; `problem` says why it could not be looked at."""

    id: str
    path: str
    problem: str | None = None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What one pass over the roots did (contracts: `index`). Older code had judged `rejudged` runs and read `reread`
    checkpoints; `waiting` folders are left for the next passes.
    """

    roots: tuple[Root, ...] = ()
    runs: int = 0
    checkpoints: int = 0
    parsed: int = 0
    reused: int = 0
    rejudged: int = 0
    reread: int = 0
    waiting: int = 0
    problems: tuple[tuple[str, Problem], ...] = field(default_factory=tuple)
    seconds: float = 0.0

"""What was read from a checkpoint's files: its format, its variables, its numbers with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Format(StrEnum):
    """How a checkpoint is stored (`format` in every document).

    In this order they take their files out of a folder: the first that knows a file has it. The rest of a row is `SPEC`
    in the module of `core.formats` that is named as the format is, or in the `ROWS` of its family in
    `core.formats.specs`.
    """

    ORBAX = "orbax"
    SAVED_MODEL = "saved-model"
    KERAS_FOLDER = "keras-folder"
    TF_BUNDLE = "tf-bundle"
    WEIGHTS_H5_SHARDED = "weights-h5-sharded"
    KERAS = "keras"
    WEIGHTS_H5 = "weights-h5"
    HDF5 = "hdf5"
    SAFETENSORS = "safetensors"
    TF_V1 = "tf-v1"
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


NUMBER_IN_NAME = "the number in the name"
_FROM_0 = "counted from 0"
NUMBER_FROM_0 = f"{NUMBER_IN_NAME}, {_FROM_0}"
FOLDER_FROM_0 = f"folder name, {_FROM_0}"


EPOCH_BY_STEPS = "its step ÷ the steps of an epoch of its series"


class Sourced(NamedTuple):
    """A number and where it was read, e.g. (1100, 'optimizer/_iterations')."""

    value: int
    source: str

    @property
    def is_from_0(self) -> bool:
        """Whether it is an epoch that is known to be counted from 0."""
        return self.source.endswith(_FROM_0)


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
    unrenamed, packed, unopenable (docs/health.md).
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

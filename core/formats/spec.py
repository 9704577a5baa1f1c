"""What a checkpoint format is to Waypoint: one row of facts and functions, which everything else asks.

`core.formats.registry` has the rows; `core.base.facts.Format` says where they stand. Nothing outside of `core.formats`
knows a format by its name.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from re import Pattern
from types import MappingProxyType
from typing import NamedTuple

from core.base.errors import FormatError
from core.base.facts import Facts, Format, Role, Variable
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.formats.bundle import BundleCache as BundleCache  # noqa: PLC0414 - readers of other formats name it from here
from core.formats.told import Listed, Told
from core.stores.store import Store

ALL_ROLES = frozenset(Role)
OPTIMIZER_NEEDS_BUILD = "optimizer-needs-build"  # the caution where an optimizer is restored only after it was built


class RestoreApi(StrEnum):
    """The call that restores a checkpoint of some format; docs/resume.md says which for what."""

    TF_CHECKPOINT_RESTORE = "tf.train.Checkpoint.restore"
    TF_CHECKPOINT_READ = "tf.train.Checkpoint.read"
    TF_V1_SAVER = "tf.compat.v1.train.Saver.restore"
    KERAS_LOAD_MODEL = "keras.saving.load_model"
    KERAS_LOAD_WEIGHTS = "keras.Model.load_weights"
    TF_KERAS_LOAD_MODEL = "tf_keras.models.load_model"
    TF_KERAS_LOAD_WEIGHTS = "tf_keras.Model.load_weights"
    ORBAX_RESTORE = "orbax.checkpoint.PyTreeCheckpointer.restore"


class Framework(StrEnum):
    """What goes on from a checkpoint: the Keras that wrote it, or a loop around a tf.train.Checkpoint."""

    KERAS = "Keras"
    TF_KERAS = "tf-keras"
    TENSORFLOW = "TensorFlow"


class Unit(NamedTuple):
    """What is to be read: a checkpoint's folder, its name there ('' for the folder itself), its path (both together),
    and its files by name.
    """

    folder: str
    name: str
    path: str
    format: Format
    files: Mapping[str, FileStat]


class Reading(NamedTuple):
    """What was read. `format` may differ from the one that the name suggested; `metrics` are those that the format
    keeps beside the values.
    """

    format: Format
    facts: Facts
    variables: tuple[Variable, ...] = ()
    metrics: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The files of one checkpoint; `name` is its path relative to the folder ('' where the folder itself is it)."""

    name: str
    format: Format
    files: tuple[FileStat, ...]


@dataclass(slots=True, kw_only=True)
class FolderFiles:
    """A folder's files by name, from which each format takes its own; `units` are the formats of which the folder
    itself is a checkpoint (`confirmed` those that only a look around tells), `outside` names behind links that lead out
    of the root.

    What a format's saves leave behind goes to `shards_only` (shards without an index, by prefix) and `temps` (by name).
    """

    files: dict[str, FileStat]
    units: Collection[Format] = ()
    confirmed: Collection[Format] = ()
    outside: Collection[str] = ()
    shards_only: dict[str, list[FileStat]] = field(default_factory=dict)
    temps: dict[str, list[FileStat]] = field(default_factory=dict)

    def take(self, name: str) -> FileStat:
        """One file, which is then no other format's."""
        return self.files.pop(name)


def none_absorbed(_store: Store, _folder: str, _names: Collection[str], _subfolders: Sequence[str]) -> Collection[str]:
    """Subfolders are folders of their own."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderShape:
    """How a checkpoint that is a folder is known. `is_one` judges by the names of all files (absorbed ones among them)
    and the folder's path; `absorbed` gives, of its files' and its subfolders' names, the subfolders that belong to it;
    `confirm` looks at content where names prove nothing; `is_remnant` tells, of its files' and its subfolders' names,
    that nothing is left of it but its place among others.
    """

    is_one: Callable[[Collection[str], str], bool]
    absorbed: Callable[[Store, str, Collection[str], Sequence[str]], Collection[str]] = none_absorbed
    confirm: Callable[[Store, str], bool] | None = None
    is_remnant: Callable[[Store, str, Collection[str], Sequence[str]], bool] | None = None


class Trial(NamedTuple):
    """Who reads all values in a trial restore: library, distribution, "module:function" of `core.verify`; `loads_model`
    where a model's config may lie beside the values, which Keras then loads.
    """

    library: str
    package: str
    function: str
    loads_model: bool = False


def newest_file(files: Sequence[FileStat]) -> int:
    """A checkpoint is as old as the newest of its files."""
    return max((file.mtime_ns for file in files), default=0)


def never(_name: str) -> bool:
    """No file."""
    return False


def not_shown(_store: Store, _folder: str, _group: Group) -> bool:
    """Only reading tells."""
    return False


def nothing(_unit: Unit, _error: FormatError) -> bool:
    """No checkpoint."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """How training goes on from a format. `call` restores a checkpoint exactly, as far as one does; `framework` says
    whose job goes on, by the checkpoint's files, its variables' names (only those formats that say `by_variables` get
    any) and the call; `refused` why the client does not restore it, None where it does; `inner` what inside the
    checkpoint, by its files relative to it, the call is given ('' for all of it); `items` the folders in it that are
    restored each by itself: a manifest names them.

    After the call `exact` the optimizer goes on as it was saved; `caution` is the warning where it may not.
    """

    call: Callable[[Checkpoint], RestoreApi]
    framework: Callable[[Collection[str], Collection[str], RestoreApi], Framework]
    refused: Callable[[RestoreApi, Framework], str | None]
    inner: Callable[[Collection[str]], str] = lambda _files: ""
    items: Callable[[Collection[str]], Sequence[str]] = lambda _files: ()
    by_variables: bool = False
    exact: RestoreApi | None = None
    caution: str = "optimizer-not-tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSpec:
    """One format. Every field without a default must be thought about; docs/architecture.md goes through them."""

    format: Format
    label: str  # as people call it
    told: Told  # for docs/formats.md
    roles: frozenset[Role]  # what its reader can tell of variables

    # Files: which of a folder's are one checkpoint. Formats take in the registry's order.
    group: Callable[[FolderFiles], Iterator[Group]]
    as_folder: FolderShape | None = None
    first_to_go: Callable[[str], bool] = never  # without these no reader takes the rest for whole: `moving_order`
    may_link: Callable[[str], bool] = never  # files that nobody writes in place, so that a copy may be a link
    architecture: Pattern[str] | None = None  # files that hold no values

    # Reading: facts from bytes, in `core.formats` alone.
    read: Callable[[Store, Unit, BundleCache], Reading]
    is_foreign: Callable[[Unit, FormatError], bool] = nothing  # no checkpoint at all, though its name looks like one
    lookalike_files: int = 0  # how many files another tool's checkpoint look-alike has at most; 0: there is none
    shows_itself: Callable[[Store, str, Group], bool] = not_shown  # in a folder: a short look tells that it is no such
    in_workers: bool = False  # read by worker processes, several at once
    has_metrics: bool = False  # it keeps metrics beside the values
    one_file_tells: bool = True  # where it is one file alone, that being empty or a Git LFS pointer tells all
    shown_file: Callable[[str], str] = str  # the file that a problem is about, by the checkpoint's name
    in_parts: bool = False  # several files that are needed together: a pointer in the place of one tells, too
    has_shards: bool = False  # variables lie in numbered files
    unreadable_rule: str = "unreadable-file"

    # What names, state files and TensorFlow make of it.
    in_state_files: bool = False  # a state file `checkpoint` can name it
    found_by_pattern: bool = False  # TensorFlow takes its path for a glob pattern
    names_epochs: bool = False  # the number in its name is Keras' epoch, where it is not the step
    names_version: bool = False  # the number in its name is the version that serving uses
    dated_by: Callable[[Sequence[FileStat]], int] = newest_file  # when it was saved, by its files: nanoseconds

    # Verifying: "module:function" of `core.verify`, in whose process it runs. None: as its bundle, or not at all.
    verifier: str | None
    bundle: Callable[[str], str] | None = None  # the prefix of its bundle, by the checkpoint's name
    trial: Trial | None
    # What a verification does not look at, or cannot tell, by the folder and the file names.
    unread: Callable[[Store, str, Collection[str]], str | None] | None = None
    values: str | None = None  # the same of `core.distance`, that opens its values; None: as its bundle, or not at all
    limits_memory: bool = True  # its verifier needs no more than a checkpoint may cost

    # None: it is listed, and no training goes on from it here.
    restoring: Restoring | None
    # Where none does: how the job's side knows its files, to say that they are passed over.
    listed: Listed | None = None

    @property
    def is_resumable(self) -> bool:
        """Whether training can go on from it here."""
        return self.restoring is not None

    @property
    def is_verified(self) -> bool:
        """Whether its bytes can be verified: by a verifier of its own, or as those of its bundle."""
        return self.verifier is not None or self.bundle is not None

    @property
    def has_values(self) -> bool:
        """Whether its values can be held against those of another checkpoint."""
        return self.values is not None or self.bundle is not None

    def moving_order(self, name: str) -> tuple[bool, str]:
        """A sort key of a checkpoint's files in the order in which they go: first those without which no reader takes
        the rest for whole, so that a half-moved checkpoint is never taken for one.
        """
        return not self.first_to_go(name), name

    @property
    def not_resumable(self) -> str:
        """Why no training goes on from it, as a sentence."""
        return f"{self.label} is listed, not resumable here."

    @property
    def not_verified(self) -> str:
        """Why its bytes are not verified, as a clause."""
        return f"no verifier for {self.label}"

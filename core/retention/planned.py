"""A plan as a value: its files exactly, so that what changed since is seen, and what the disk gains when they go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.base.facts import Format
from core.base.records import Checkpoint, Leftover
from core.resume.history import Manifests
from core.runfolder.pins import Pins
from core.sweeps.places import TrialPlace
from waypoint_resume.names import join


class PlannedFile(NamedTuple):
    """One file: its path relative to the run, and what the last look at it told; sizes are bytes."""

    path: str
    size: int
    mtime_ns: int
    allocated: int
    links: int
    inode: int
    device: int


class ItemKind(StrEnum):
    """What would go."""

    CHECKPOINT = "checkpoint"
    LEFTOVER = "leftover"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What is known of one run now: by the catalog, and by the decisions on disk, read for this. `run` is relative to
    the root, `now_ns` the time of the disk's clock, `is_live` also for a fresh lease. `named_by` tells of checkpoints
    (relative to the root) which state file in another folder names them, or which one of another name than `checkpoint`
    names them as its latest; `links` is of `Links.into_run`; `accepted` gives the notes of those who said that a
    thing is so on purpose. `trial` is the trial of a sweep that the run is. `may_have_ended`: it counts as live for its
    times alone, nobody holds its lease, and its disk has no room for another save, so that what would go is told, and
    waits for somebody's word. `values` are those of metrics that jobs logged, by checkpoint (relative to the root) and
    the metric's name in small letters; `best` tells of the best checkpoint of a series by a metric that somebody named
    why it is that.
    """

    root: str
    root_path: str
    run: str
    is_live: bool
    now_ns: int
    checkpoints: tuple[Checkpoint, ...]
    leftovers: tuple[Leftover, ...]
    pins: Pins
    manifests: Manifests
    named_by: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    trial: TrialPlace | None = None
    may_have_ended: bool = False
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    best: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that would go, its path relative to the run, its files in the order in which they go."""

    kind: ItemKind
    path: str
    format: Format | None
    reason: str
    files: tuple[PlannedFile, ...]

    @property
    def bytes(self) -> int:
        """The apparent size."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Something that stays, and every reason; `is_protected`: under any policy."""

    kind: ItemKind
    path: str
    format: Format | None
    bytes: int
    is_protected: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run's part of a plan. `emptied` says why all checkpoints of a sweep's trial go: nothing of the run could be
    restored any more, so that this wants a confirmation of its own. `needs_word`: what goes of it beside leftovers goes
    only if somebody says that its job has ended, by typing the run's name.
    """

    root: str
    root_path: str
    run: str
    is_live: bool
    items: tuple[Item, ...]
    stays: tuple[Stay, ...]
    emptied: str | None = None
    needs_word: bool = False

    @property
    def folder(self) -> str:
        """The run's absolute path."""
        return self.root_path if self.run == "." else f"{self.root_path.rstrip('/')}/{self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would go from some runs. Sizes are bytes: apparent ones, and those that the disk would gain."""

    made_at: datetime
    runs: tuple[RunPlan, ...]

    @property
    def bytes(self) -> int:
        """The apparent size of all that would go."""
        return sum(item.bytes for run in self.runs for item in run.items)

    @property
    def freed_bytes(self) -> int:
        """The allocated bytes of the files whose last link would go."""
        return freed((run.folder, file) for run in self.runs for item in run.items for file in item.files)

    @property
    def emptied(self) -> int:
        """How many trials of sweeps would be left without a checkpoint."""
        return sum(run.emptied is not None for run in self.runs)


def freed(files: Iterable[tuple[str, PlannedFile]]) -> int:
    """Bytes that the disk gains when files (each with the absolute path of its run) go: the allocated ones of those
    whose every name is among them.
    """
    names: dict[tuple[int, int], set[str]] = {}
    facts: dict[tuple[int, int], PlannedFile] = {}
    for folder, file in files:
        names.setdefault((file.device, file.inode), set()).add(join(folder, file.path))
        facts[file.device, file.inode] = file
    return sum(file.allocated for key, file in facts.items() if len(names[key]) >= file.links)

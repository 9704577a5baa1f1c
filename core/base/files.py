"""What lies on disk, as a listing tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from core.base.facts import Format


class FileStat(NamedTuple):
    """One regular file: `name` relative to its listing's folder ('/' inside it for absorbed subfolders)."""

    name: str
    size: int
    mtime_ns: int
    inode: int = 0
    device: int = 0
    links: int = 1
    allocated: int = 0

    @property
    def identity(self) -> tuple[str, int, int, int]:
        """What tells it from others, and from itself written anew or replaced: name, size, time, inode."""
        return self[:4]


class SizeAndTime(Protocol):
    """What a record holds of a file; the time is cut where it is far off, as in a FileStat."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def mtime_ns(self) -> int:
        """Nanoseconds since 1970."""


def change_of(known: SizeAndTime, found: FileStat | None) -> str | None:
    """How a file differs from what is known of it, as a sentence's end; None if it is unchanged: a plain file of the
    same size and time. Whoever also knows the inode asks for that too, but nobody does across a copy or a move.
    """
    if found is None:
        return "is no longer there as a plain file"
    if found.size != known.size:
        return f"has {found.size:,} bytes instead of {known.size:,}"
    return "was written since" if found.mtime_ns != known.mtime_ns else None


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
    the run as deleted. `closed` says whose right is missing where the folder may not be looked into. `listed_at` is of
    the monotonic clock, seconds.
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
    closed: str | None = None
    listed_at: float = field(default=0.0, compare=False)

    @property
    def outside_names(self) -> frozenset[str]:
        """The names of the links that lead out of the root."""
        return frozenset(link.name for link in self.outside)

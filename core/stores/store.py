"""The protocol of stores: all that the core asks of where a root lies. `core.stores.local` is the local disk."""

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, Protocol

from core.base.files import FileStat, OutwardLink, Problem


class Members(NamedTuple):
    """What a folder holds: regular files, real subfolders (never links to folders), what could not be looked at, links
    that lead out of the root, which are not followed, and the names of all other links, whatever they lead to.
    """

    files: list[FileStat]
    subfolders: list[str]
    problems: list[Problem]
    outside: Sequence[OutwardLink] = ()
    inner_links: Sequence[str] = ()


class Entries(NamedTuple):
    """Everything that stands in a folder under its own name: `stats[n]` is that of `names[n]`, of a link the link's."""

    names: list[str]
    stats: list[os.stat_result]
    problems: list[Problem]


class Store(Protocol):
    """A root's content. Paths are POSIX, relative to the root; '' is the root. Errors are OSError."""

    def __hash__(self) -> int:
        """What is known of a store may be kept by it."""

    def members(self, folder: str) -> Members:
        """The members of a folder, in no order. Sockets, broken links and links out of the root are no members."""

    def folder_time(self, folder: str) -> int:
        """The folder's mtime, ns: changes when a member comes, goes or is renamed."""

    def stat(self, path: str) -> FileStat:
        """One regular file's facts, its name as in `path`."""

    def open(self, path: str) -> BinaryIO:
        """A file for reading."""

    def read(self, path: str, limit: int) -> bytes:
        """A file's first `limit` bytes, fewer where it is shorter."""

    def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes at some (offset, length), each shorter where the file ends before; the file is opened once."""

    def absolute(self, path: str) -> str:
        """The path that another process on this machine opens."""

    def now_ns(self) -> int:
        """The time by the clock that stamps this store's files, ns since the epoch."""


class Everything(Protocol):
    """What the audit and the look before an action ask of a store: all that stands there, under its own name."""

    def entries(self, folder: str) -> Entries:
        """Everything in a folder, also links, sockets and what `members` leaves out. A link in the folder's own place
        is an OSError, except for the root.
        """

    def root_stat(self) -> os.stat_result:
        """The root's own facts."""

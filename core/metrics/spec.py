"""What a source of metrics is: one row of a name and two functions. `core.metrics.registry` holds the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

from core.metrics.records import Position, Reading
from core.stores.store import Store

Names = Callable[[str], Collection[str]]


class Place:
    """A file and what lies around it: `path` relative to the root, `names_in` gives the names of the files in a folder.

    A source is told by names alone; what a file holds is seen when it is read.
    """

    def __init__(self, path: str, names_in: Names) -> None:
        self.path = path
        self.folder, _, self.name = path.rpartition("/")
        self._names_in = names_in

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names of the folders above the file, from the root on."""
        return tuple(self.folder.split("/")) if self.folder else ()

    def has_beside(self, name: str) -> bool:
        """Whether a file of that name stands in the same folder."""
        return name in self._names_in(self.folder)

    def has(self, folder: str, name: str) -> bool:
        """Whether a file of that name stands in a folder (relative to the root)."""
        return name in self._names_in(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSource:
    """A tool whose files are read: `name` is stable, `label` is for people, as are `files` (which) and `tells` (what is
    read of them) in docs/metrics.md.

    `read(store, path, position)` gives what stands in the file since `position`, or all of it for None. What is wrong
    with the bytes is in the reading; OSError where the file cannot be read. `grows`: the file is appended to.
    """

    name: str
    label: str
    files: str
    tells: str
    recognises: Callable[[Place], bool]
    read: Callable[[Store, str, Position | None], Reading]
    grows: bool = False

"""A run as its rules see it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.base.records import Checkpoint, Leftover, StateFile
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Each series has its newest last; `existing` holds at least those prefixes that the state files name and that
    exist. `changed` is the run's last change, None where nothing in it has a time; `is_deleted`: MLflow marks it so.

    `pinned` has (path relative to the run as text, format), None where everything counts as pinned. Within `grace` a
    save may still be going on; after `stale_after` without a change something is old.
    """

    run: str
    root_path: str
    series: Sequence[Sequence[Checkpoint]]
    states: Sequence[StateFile]
    leftovers: Sequence[Leftover]
    existing: Collection[str]
    changed: datetime | None
    now: datetime
    stale_after: timedelta
    is_deleted: bool = False
    pinned: frozenset[tuple[str, str]] | None = frozenset()
    grace: timedelta = timedelta()

    @property
    def members(self) -> Sequence[Checkpoint]:
        """The checkpoints of all series."""
        return [item for one in self.series for item in one]

    def name_of(self, path: str) -> str:
        """How decisions name a path of the run: relative to it, as text; '.' for its folder."""
        return to_text(path[0 if self.run == "." else len(self.run) + 1 :]) or "."

"""Reading again what an older reader read, as long as a pass has time for it; and names, which need no reading."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.base.facts import Format
from core.base.records import EPOCH_IN_NAME, STEP_IN_NAME, Checkpoint
from core.formats.reading import with_name
from core.formats.registry import spec_of
from core.runs.name_numbers import without_guesses
from waypoint_resume.file_names import read_name

_OLDER = "-"  # stands for a reader that is not told: none of the present


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBefore:
    """Which readers there are (`present`), and which read a folder before (`known`: those of its last look where it
    stayed as it was, else none). `is_renamed`: names may be read differently now.

    What older ones read is read again until `until` (the monotonic clock's seconds), and at least `least` of it.
    """

    present: Mapping[Format, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    is_renamed: bool = False
    until: float = 0.0
    least: int = 0


class Reread:
    """One look at a folder: what is kept, and which readers that leaves."""

    def __init__(self, before: ReadBefore) -> None:
        self._before = before
        self._readers: set[str] = set()
        self.count = 0

    @property
    def readers(self) -> str:
        """All readers of the folder's files, divided by blanks."""
        return " ".join(sorted(self._readers))

    def reads(self, form: Format) -> None:
        """Files of a format are read now."""
        self._readers.add(self._before.present.get(form, ""))

    def keeps(self, form: Format, old: Checkpoint) -> bool:
        """Whether a reading is kept: it is of the present reader, or there is no more time."""
        if old.read_by != self._before.present.get(form, "") and self._has_time():
            self.count += 1
            return False
        self._readers.add(old.read_by or _OLDER)
        return True

    def stays_foreign(self, form: Format) -> bool:
        """Whether files of which there is no reading are known to be no checkpoint; they are read where not."""
        present = self._before.present.get(form, "")
        if present in self._before.known:
            self._readers.add(present)
            return True
        if self._before.known and not self._has_time():
            self._readers.add(_OLDER)
            return True
        return False

    def _has_time(self) -> bool:
        return self.count < self._before.least or time.monotonic() < self._before.until


def named_anew(item: Checkpoint) -> Checkpoint:
    """A known checkpoint with what its name tells now; what its files tell stays."""
    facts = without_guesses(item).facts
    if facts.epoch is not None and facts.epoch.source == EPOCH_IN_NAME:
        facts = facts._replace(epoch=None)
    if facts.step is not None and facts.step.source == STEP_IN_NAME:
        facts = facts._replace(step=None)
    name = read_name(item.path.rpartition("/")[2])
    metric = item.metric if item.metric is not None and spec_of(item.format).has_metrics else name.metric
    return item._replace(facts=with_name(item.path, facts), stem=name.stem, metric=metric)

"""What may still be in the making: young by the grace, or judged broken while its folder is changing.

For moments a save and a rotation show what a kill in them would leave: a temporary folder, shards without an index, an
index older than its shards, a state file that lists what was just deleted. Time tells them apart, even with a grace of
0: what a kill left stays exactly as it is.
"""

import posixpath
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.base.ages import is_young
from core.base.files import FileStat, Listing
from core.base.records import Checkpoint, Leftover, StateFile
from core.runs.state_files import NAMEABLE

_SETTLED_S = 0.5  # what stays the same so long after it was listed is as it will be
_RESTLESS_NS = 5_000_000_000  # a folder that changed within this time may be in the middle of a save
_PAUSES_S = (0.02, 0.04, 0.08, 0.16, 0.32)


class Evidence(NamedTuple):
    """All that has to stay the same for a judgement to be true."""

    files: tuple[FileStat, ...]
    said: object = None


Suspects = Mapping[tuple[str, str], Evidence]  # what is judged broken, by kind and path


def suspects(checkpoints: Sequence[Checkpoint], leftovers: Sequence[Leftover], states: Sequence[StateFile]) -> Suspects:
    """What is judged broken in a folder, and the state files that list what is not in it."""
    found = {("checkpoint", item.path): Evidence(item.files, item.findings) for item in checkpoints if item.findings}
    found |= {(item.rule, item.path): Evidence(item.files) for item in leftovers if not item.writing}
    for state in states:
        if gone := _gone(state, checkpoints):
            found["state", state.path] = Evidence((), (state, gone))
    return found


def _gone(state: StateFile, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
    """The names in a state file that its folder lacks (not those that lead into other folders), or why it has none."""
    if state.unreadable is not None or state.error is not None:
        return frozenset({state.unreadable or state.error or ""})
    folder = posixpath.dirname(state.path)
    named = {path for path in (state.latest or "", *state.history) if posixpath.isabs(path) or "/" not in path}
    here = {item.path for item in checkpoints if item.format in NAMEABLE}
    return frozenset(path for path in named if posixpath.join(folder, posixpath.basename(path)) not in here)


def looks(listing: Listing, broken: Suspects, now_ns: int, *, vanished: bool) -> Iterator[None]:
    """A step for each further look at a folder: one, and more after pauses while the folder is restless.

    They end half a second after the folder was first listed: a pass that listed it longer ago never waits.
    """
    yield
    times = [time_ns for _, time_ns in listing.folder_times]
    times += [file.mtime_ns for evidence in broken.values() for file in evidence.files]
    if not vanished and not any(is_young(time_ns, now_ns, _RESTLESS_NS) for time_ns in times):
        return
    for pause in _PAUSES_S:
        left = listing.listed_at + _SETTLED_S - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        yield

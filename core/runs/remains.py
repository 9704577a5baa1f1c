"""What saves left that were never done, as the saves that they were to be: their names are evidence too. Pure.

Their names tell of which training they are, and that a number starts again with them, as those of checkpoints do: a
fold of which only shards are left is no part of the fold beside it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from core.base.facts import Facts
from core.base.records import Checkpoint, Leftover, SavedAtSource
from core.formats.file_groups import LEFT_BY

INTERRUPTED, UNRENAMED = "interrupted-save", "unrenamed-save"
RENAMED = "renamed-copy"  # a whole checkpoint under another name, which is no save that was never done
DAMAGED_COPY = "damaged-copy"  # one that is not whole
CLOSED = "closed-folder"  # one that may not be looked into, whatever it holds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What TensorFlow and Orbax append to a save's name while it is being written.
_UNFINISHED = re.compile(
    r"(_temp(_[0-9a-f]{32})?|\.orbax-checkpoint-tmp(-\d+)?|(\.data-\d{5,}-of-\d{5,})?\.tempstate\d+)$"
)
_STATE_TEMP = re.compile(r"(.*/)?checkpoint\.tmp[0-9a-f]+", re.DOTALL)  # a state file: no value of a training


def remains(checkpoints: Iterable[Checkpoint], leftovers: Iterable[Leftover]) -> dict[str, Checkpoint]:
    """The remains of saves, by their path, under the names that these were to have; `id` is negative."""
    checkpoints = list(checkpoints)
    found: dict[str, Checkpoint] = {}
    run = next((item.run for item in checkpoints), "")
    for item in checkpoints:
        if any(finding.rule in (INTERRUPTED, UNRENAMED) for finding in item.findings) and not item.restorable:
            found[item.path] = item._replace(path=_UNFINISHED.sub("", item.path), series="", id=-1 - len(found))
    for left in leftovers:
        if _STATE_TEMP.fullmatch(left.path) is None and left.rule not in (RENAMED, DAMAGED_COPY, CLOSED):
            found[left.path] = _as_checkpoint(left, run, -1 - len(found))
    return found


def is_remains(item: Checkpoint) -> bool:
    """Whether it is one of those, and no checkpoint."""
    return item.id is not None and item.id < 0


def _as_checkpoint(item: Leftover, run: str, number: int) -> Checkpoint:
    path = _UNFINISHED.sub("", item.path)
    newest_us = max((file.mtime_ns for file in item.files), default=0) // 1000
    return Checkpoint(
        root="",
        run=run,
        path=path,
        folder=path.rpartition("/")[0],
        format=LEFT_BY,
        files=item.files,
        saved_at=_EPOCH + timedelta(microseconds=newest_us),
        saved_at_source=SavedAtSource.MTIME,
        bytes=0,
        facts=Facts(),
        id=number,
    )

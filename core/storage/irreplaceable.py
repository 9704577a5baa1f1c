"""Which leftovers may be all that there is: nothing of their run, or of the training they belong to, can be restored.

What a save left is put into the series as if it had been done: its name tells which training it is of by the same
evidence as all others. A fold of which only shards are left is no part of the fold beside it. Pure.
"""

import re
from collections.abc import Mapping, Sequence

from core.formats.file_groups import LEFT_BY
from core.index.save_times import from_ns
from core.model import Checkpoint, Facts, Leftover, SavedAtSource
from core.scan.series import arrange
from core.storage.known import is_leftover, leftover_folder
from waypoint_resume.names import to_text

INTERRUPTED = "interrupted-save"
# What TensorFlow and Orbax append to a save's name while it is being written.
_UNFINISHED = re.compile(
    r"(_temp(_[0-9a-f]{32})?|\.orbax-checkpoint-tmp(-\d+)?|(\.data-\d{5,}-of-\d{5,})?\.tempstate\d+)$"
)
_STATE_TEMP = re.compile(r"(.*/)?checkpoint\.tmp[0-9a-f]+", re.DOTALL)  # a state file: no value of a training


def irreplaceable(checkpoints: Sequence[Checkpoint], leftovers: Sequence[Leftover]) -> Mapping[str, str]:
    """Why what is left of saves must stay, by path: its values may be all that there is of a training."""
    remains = [item for item in checkpoints if is_leftover(item)]
    if not any(item.restorable for item in checkpoints):
        why = "nothing in this run can be restored: its values may be brought back"
        return dict.fromkeys([*(item.path for item in remains), *(item.path for item in leftovers)], why)
    others = [item for item in checkpoints if not is_leftover(item)]
    parts = [_as_if_done(item) for item in remains]
    parts += [_as_checkpoint(item) for item in leftovers if _STATE_TEMP.fullmatch(item.path) is None]
    # A save and what an earlier attempt at it left have one path: they are known by a number that no row has.
    paths = [item.path for item in remains]
    paths += [item.path for item in leftovers if _STATE_TEMP.fullmatch(item.path) is None]
    marked = [item._replace(id=-1 - place) for place, item in enumerate(parts)]
    found: dict[str, str] = {}
    for series in arrange([*others, *marked]):
        if not any(item.restorable for item in series):
            name = to_text(series[0].stem).replace("#", "N")
            why = f"nothing of {name} can be restored: its values may be brought back"
            found |= {paths[-1 - item.id]: why for item in series if item.id is not None and item.id < 0}
    return found


def is_interrupted(item: Checkpoint) -> bool:
    """Whether a checkpoint is what a save left that was never committed."""
    return is_leftover(item) and all(finding.rule == INTERRUPTED for finding in item.findings)


def _as_if_done(item: Checkpoint) -> Checkpoint:
    return item._replace(path=_UNFINISHED.sub("", item.path), series="")


def _as_checkpoint(item: Leftover) -> Checkpoint:
    path = _UNFINISHED.sub("", item.path)
    return Checkpoint(
        root="",
        run="",
        path=path,
        folder=leftover_folder(item),
        format=LEFT_BY,
        files=item.files,
        saved_at=from_ns(max((file.mtime_ns for file in item.files), default=0)),
        saved_at_source=SavedAtSource.MTIME,
        bytes=0,
        facts=Facts(),
    )

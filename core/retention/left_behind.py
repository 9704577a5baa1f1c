"""Which remains of saves may be all that is left of a run or of a training: nothing of it can be restored. Pure."""

from collections.abc import Mapping, Sequence

from core.base.records import Checkpoint, Leftover
from core.disk_usage.known_files import is_leftover
from core.runs.remains import INTERRUPTED, is_remains, remains
from core.runs.series import trainings_of
from waypoint_resume.names import to_text

_BACK = "can be restored: its values may be brought back"


def irreplaceable(checkpoints: Sequence[Checkpoint], leftovers: Sequence[Leftover]) -> Mapping[str, str]:
    """Why what is left of saves must stay, by path."""
    left_behind = [item for item in checkpoints if is_leftover(item)]
    if not left_behind and not leftovers:
        return {}
    if not any(item.restorable for item in checkpoints):
        paths = [*(item.path for item in left_behind), *(item.path for item in leftovers)]
        return dict.fromkeys(paths, f"nothing in this run {_BACK}")
    left = remains(checkpoints, leftovers)
    paths_of = {item.id: path for path, item in left.items()}
    needed: dict[str, str] = {}
    saved = [item for item in checkpoints if not is_interrupted(item)]
    for training in trainings_of([*saved, *left.values()]):
        if not any(item.restorable for item in training.members):
            why = f"nothing of {to_text(training.stem).replace('#', 'N')} {_BACK}"
            needed |= {paths_of[item.id]: why for item in training.members if is_remains(item)}
            needed |= {item.path: why for item in training.members if not is_remains(item) and is_leftover(item)}
    return needed


def is_interrupted(item: Checkpoint) -> bool:
    """Whether a checkpoint is what a save left that was never committed."""
    return is_leftover(item) and all(finding.rule == INTERRUPTED for finding in item.findings)

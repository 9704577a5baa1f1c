"""What saves left behind: which checkpoints are no more than that, where the files of leftovers lie, and which of all
this may be the last of a run or of a training, for nothing of it can be restored. Pure.
"""

from collections.abc import Mapping, Sequence

from core.base.records import Checkpoint, Leftover
from core.formats.registry import spec_of
from core.runs.remains import INTERRUPTED, is_remains, remains
from core.runs.series import trainings_of
from waypoint_resume.names import to_text

# Checkpoints that are none: nothing can be restored from them, and no restore will miss them.
LEFTOVER_RULES = frozenset({"orphan-index", "interrupted-save"})
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


def is_leftover(item: Checkpoint) -> bool:
    """Whether a checkpoint is only what a save or a deletion left behind."""
    may_be = not item.restorable and spec_of(item.format).is_resumable  # what is only listed is not ours to judge
    return may_be and any(finding.rule in LEFTOVER_RULES for finding in item.findings)


def leftover_folder(item: Leftover) -> str:
    """The folder that the names of a leftover's files are relative to."""
    name = item.files[0].name if item.files else ""
    for tail in (name, name.rpartition("/")[0]):
        if tail and (item.path == tail or item.path.endswith(f"/{tail}")):
            return item.path.removesuffix(tail).rstrip("/")
    return item.path.rpartition("/")[0]

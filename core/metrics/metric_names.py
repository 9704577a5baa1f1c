"""Under which name a run's metric is known: a tag of a file, and what its place tells.

Two files of one run may bear one tag: `train` and `validation` of TensorBoard both have `epoch_loss`. What tells them
apart comes before the tag; folders that only hold logs tell nothing. Keras' TensorBoard callback writes what its
CSVLogger calls `loss` and `val_loss`: both are known by that name.
"""

from __future__ import annotations

import re

from core.runs.discover import is_inner

_EPOCH_TAG = "epoch_"
_TRAIN, _VALIDATION = "train", "validation"
_WHOLE_LOG = "training"  # Keras' own examples call the table of all metrics training.csv
_HOLDERS = frozenset(
    """log logs tb tensorboard summary summaries event events metric metrics plot plots dvclive lightning_logs csv fit
    csv_logs history result results output outputs files wandb mlruns .guild""".split()  # noqa: SIM905 - as one reads them
)
_NUMBERED = re.compile(r"(?:version_|run-|run_)?[\d][\dTt_.:-]*(?:-\w+)?")
_PARTS_OF_DATA = frozenset(("train", "training", "valid", "validation", "val", "dev", "test", "eval", "evaluation"))


def metric_name(run: str, path: str, tag: str) -> str:
    """The name of a tag of the file at `path`, of a run (both relative to the root)."""
    inside = path if run == "." else path.removeprefix(f"{run}/")
    *folders, file = inside.split("/")
    stem = file.partition(".")[0].lower()
    parts = [one for one in folders if not _only_holds(one)]
    if stem in _PARTS_OF_DATA and stem not in parts and stem not in (_WHOLE_LOG, tag.lower()):
        parts.append(stem)
    if tag.startswith(_EPOCH_TAG) and ".tfevents." in file:
        plain = tag.removeprefix(_EPOCH_TAG)
        if parts and parts[-1] in (_TRAIN, _VALIDATION):
            is_validation = parts.pop() == _VALIDATION
            plain = f"val_{plain}" if is_validation else plain
        tag = plain
    before = "/".join(parts)
    return tag if not before or tag.startswith(f"{before}/") else f"{before}/{tag}"


def _only_holds(folder: str) -> bool:
    """Whether a folder's name tells nothing of what its logs count."""
    name = folder.lower()
    if name in _PARTS_OF_DATA or name.startswith("eval_"):
        return False
    return name in _HOLDERS or is_inner(name) or _NUMBERED.fullmatch(name) is not None

"""Which call restores a checkpoint, and what becomes of its optimizer: what was tried, as one table of pure functions.

docs/resume.md holds the outcomes. None means that it depends on the job, and a warning says on what.
"""

import re

from core.base.errors import NotRestorableError
from core.base.facts import EPOCH_BY_STEPS, NUMBER_IN_NAME, Contents
from core.base.records import EPOCH_IN_NAME, Checkpoint
from core.formats.registry import spec_of
from core.formats.spec import RestoreApi
from core.formats.state_file import NAME as STATE_NAME
from core.resume.manifest import OptimizerOutcome
from core.runfolder.places import relative_to_run
from waypoint_resume.names import join, to_text

# Sources of an epoch that say how it counts: the word epoch in a name, and BackupAndRestore's metadata. A bare number
# in a name is shown as the epoch, but no job is told to go on from a guess.
_TELLS_ITS_EPOCH = re.compile(rf"{EPOCH_IN_NAME}\b|training_metadata\.json|{re.escape(EPOCH_BY_STEPS)}")
_BACKUP_METADATA = ("training_metadata.json", "training_metadata.json.bkp")
_BACKUP_WEIGHTS = ("latest.weights.h5", "latest.weights.h5.bkp", "latest.weights.json")


def api(checkpoint: Checkpoint) -> RestoreApi:
    """The call that restores this checkpoint exactly, as far as one does. NotRestorableError for a format that none
    restores here.
    """
    spec = spec_of(checkpoint.format)
    if spec.restoring is None:
        raise NotRestorableError(spec.not_resumable)
    return spec.restoring.call(checkpoint)


def items(checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """The paths in the run, as text, of what in a checkpoint is restored by itself; None where all of it is."""
    restored = spec_of(checkpoint.format).restoring
    names = restored.items([file.name for file in checkpoint.files]) if restored is not None else ()
    paths = (relative_to_run(join(checkpoint.path, name), checkpoint.run) for name in names)
    return tuple(map(to_text, paths)) or None


def optimizer(checkpoint: Checkpoint) -> OptimizerOutcome | None:
    """What that call does with the optimizer's state; None where it depends on what the job does before."""
    facts = checkpoint.facts
    if not facts.has_optimizer:
        return None if facts.contents is Contents.UNKNOWN else OptimizerOutcome.NOT_IN_FILE
    restored = spec_of(checkpoint.format).restoring
    if restored is not None and api(checkpoint) is restored.exact:
        return OptimizerOutcome.RESTORED
    return None


def refused_by_client(checkpoint: Checkpoint) -> str | None:
    """Why waypoint_resume does not restore this checkpoint, nor its weights alone; None where it does."""
    spec = spec_of(checkpoint.format)
    if spec.restoring is None:
        return spec.not_resumable
    call = api(checkpoint)
    return spec.restoring.refused(call, spec.restoring.framework([file.name for file in checkpoint.files], (), call))


def initial_epoch(checkpoint: Checkpoint) -> int | None:
    """The epoch to go on with, counted from 0 as `fit(initial_epoch=…)` does; None where the files do not tell.

    Keras counts from 1 in file names, and BackupAndRestore writes the next epoch counted from 0: both equal the number
    of epochs that are done. An epoch stored by the job itself may count from 0 or 1, so it tells nothing.
    """
    epoch = checkpoint.facts.epoch
    if epoch is None or epoch.value < 0 or not _TELLS_ITS_EPOCH.search(epoch.source):
        return None
    return epoch.value


def initial_step(checkpoint: Checkpoint) -> int | None:
    """The step to go on with; None where the files do not tell, for no job goes on from a guess by a bare number."""
    step = checkpoint.facts.step
    return None if step is None or step.source == NUMBER_IN_NAME else step.value


def is_backup(checkpoint: Checkpoint) -> bool:
    """Whether this is the BackupAndRestore callback's own data, of Keras 3 or of Keras 2 (`chief/ckpt-N`)."""
    names = {file.name.rpartition("/")[2] for file in checkpoint.files}
    name = checkpoint.path.rpartition("/")[2]
    epoch = checkpoint.facts.epoch
    return (
        not names.isdisjoint(_BACKUP_METADATA)
        or (epoch is not None and "training_metadata.json" in epoch.source)
        or name in _BACKUP_WEIGHTS
        or _is_backup_folder(checkpoint.folder)
    )


def backup_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of all that BackupAndRestore may have written beside a checkpoint of its own, as `is_backup` tells it."""
    return (STATE_NAME,) if _is_backup_folder(checkpoint.folder) else (*_BACKUP_WEIGHTS, *_BACKUP_METADATA)


def _is_backup_folder(folder: str) -> bool:
    return re.search(r"(^|/)(chief|workertemp_\d+)$", folder) is not None

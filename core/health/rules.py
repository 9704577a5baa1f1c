"""The table of rules: what each means, why it happens, what to do. Pages, the shell and the docs are made from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.base.records import Finding, Severity


class Family(StrEnum):
    """What a rule looks at; the headings of docs/health.md."""

    FILES = "Index, shards and files"
    STATE = "State files"
    RUN = "Whole runs"
    VERIFICATION = "After verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `meaning` and `action` are single sentences for people; `why` names the usual causes."""

    id: str
    family: Family
    severity: Severity
    meaning: str
    why: str
    action: str


_ROWS = (
    (
        "orphan-index",
        Family.FILES,
        Severity.ERROR,
        "The index is there, none of its data shards is.",
        "The shards were deleted, not copied, or excluded by a size limit.",
        "Bring the shards back from where they were copied; without them nothing can be restored.",
    ),
    (
        "missing-shard",
        Family.FILES,
        Severity.ERROR,
        "Some of the data shards that the index names are missing.",
        "A copy stopped early, or a worker's shard never reached this folder.",
        "Bring the missing shards back, or resume from an older checkpoint.",
    ),
    (
        "truncated-shard",
        Family.FILES,
        Severity.ERROR,
        "A data shard is shorter than the index says.",
        "A full disk, a copy that stopped early, or a save cut off.",
        "Copy the shard again, or resume from an older checkpoint.",
    ),
    (
        "stale-index",
        Family.FILES,
        Severity.ERROR,
        "The data shards are no longer those that the index describes.",
        "The same prefix was written again and the save stopped between shards and index.",
        "TensorFlow refuses values whose checksum does not hold: resume from another one and let the job save again.",
    ),
    (
        "unreadable-index",
        Family.FILES,
        Severity.ERROR,
        "The index cannot be read.",
        "A full disk, a copy that stopped early, or a damaged disk.",
        "Copy the index again, or resume from an older checkpoint.",
    ),
    (
        "unreadable-file",
        Family.FILES,
        Severity.ERROR,
        "The checkpoint's file cannot be read to its end.",
        "A full disk, a copy or a save that stopped early, or a damaged disk.",
        "Copy the file again, or resume from an older checkpoint.",
    ),
    (
        "empty-file",
        Family.FILES,
        Severity.ERROR,
        "A file of the checkpoint has no bytes.",
        "A full disk, or a save that was killed.",
        "Copy the file again, or resume from an older checkpoint.",
    ),
    (
        "lfs-pointer",
        Family.FILES,
        Severity.ERROR,
        "A Git LFS pointer stands in the place of a file.",
        "The repository was cloned without Git LFS.",
        "Run `git lfs pull` in that repository.",
    ),
    (
        "pattern-path",
        Family.FILES,
        Severity.ERROR,
        "TensorFlow takes its path for a pattern, which matches other names, and restores nothing from it.",
        "A folder's name holds brackets or a backslash, as Hydra's do. TensorFlow saves there and cannot read it.",
        "Rename the folder, or restore through a link whose path has no such characters: the files are complete.",
    ),
    (
        "no-permission",
        Family.FILES,
        Severity.WARNING,
        "A file of the checkpoint may not be read by the user that Waypoint runs as.",
        "Its owner gave the right to read it to nobody else.",
        "Ask its owner for the right to read it. Nothing is known to be wrong with it.",
    ),
    (
        "not-told",
        Family.FILES,
        Severity.WARNING,
        "Whether it can be restored is not told: it is larger than what is read, or stored in another way.",
        "Files are not trusted, so that one may cost only so much (docs/formats.md, Limits).",
        "Let its library read it: `python -m core verify --restore`. It is no damage, and no plan takes it.",
    ),
    (
        "unrenamed-save",
        Family.FILES,
        Severity.WARNING,
        "A whole save under its temporary name: only the last rename is missing.",
        "The job was killed right before it, or the file system does not rename folders.",
        "Rename the folder, or TensorFlow's files in it, to the final name and it can be restored. No plan takes it.",
    ),
    (
        "packed-file",
        Family.FILES,
        Severity.WARNING,
        "A file of the checkpoint is there, but compressed.",
        "Somebody compressed it to save space, or the archive was not unpacked to its end.",
        "Unpack it beside the others: the reason names the file. No plan takes what is there.",
    ),
    (
        "renamed-copy",
        Family.FILES,
        Severity.INFO,
        "A whole checkpoint under a name by which nothing knows it.",
        "Somebody put it aside (`model.keras.bak`), or a download was never renamed.",
        "Give it its ending back, under a free name, to list it and to resume from it. No plan takes it.",
    ),
    (
        "no-saved-model",
        Family.FILES,
        Severity.WARNING,
        "A SavedModel's variables without its saved_model.pb.",
        "The export was killed before it wrote the file, or the file was not copied.",
        "TensorFlow loads no model from it. Bring the .pb back, or read the variables into a model built by code.",
    ),
    (
        "orphan-shard",
        Family.FILES,
        Severity.WARNING,
        "Data shards without an index: nothing can be restored from them.",
        "TensorFlow's rotation deletes the index first, its save names the shards first: a kill leaves them.",
        "Fetch the index, if it exists elsewhere. They can go once another checkpoint of their series can be restored.",
    ),
    (
        "interrupted-save",
        Family.FILES,
        Severity.WARNING,
        "What a save left behind that never finished.",
        "The job was killed, or the disk was full, in the middle of a save.",
        "No framework reads it: it can go once another checkpoint of its series can be restored.",
    ),
    (
        "untracked",
        Family.FILES,
        Severity.INFO,
        "It is complete, but the state file of its folder does not list it.",
        "It was kept on purpose (`keep_checkpoint_every_n_hours`, a copy), or its manager forgot it.",
        "Nothing, if it is kept on purpose. TensorFlow will never rotate it: a retention policy can.",
    ),
    (
        "dangling-latest",
        Family.STATE,
        Severity.ERROR,
        "The state file names a latest checkpoint that is not there.",
        "Its files were deleted or moved without the state file.",
        "Let the state file name a checkpoint that is there, or the job will start from nothing.",
    ),
    (
        "dangling-history",
        Family.STATE,
        Severity.WARNING,
        "The state file lists checkpoints that are not there.",
        "Their files were deleted or moved without the state file.",
        "Harmless for resuming; the next rotation will try to delete them.",
    ),
    (
        "moved-run",
        Family.STATE,
        Severity.WARNING,
        "The state file holds paths of another place, or of Windows; the same names lie here.",
        "The run was moved or copied after training.",
        "tf.train.latest_checkpoint will not find these checkpoints: resume by a manifest, or mend the state file.",
    ),
    (
        "latest-not-newest",
        Family.STATE,
        Severity.INFO,
        "The state file names a latest checkpoint although a newer one can be restored.",
        "Perhaps set by hand, to go on from an older one; or the job was killed before it wrote the state file.",
        "Nothing, if it is meant so. Else let the state file name the newest, or resume by a manifest.",
    ),
    (
        "shared-state",
        Family.STATE,
        Severity.WARNING,
        "The state file lists checkpoints of two series.",
        "Two CheckpointManagers save into one folder: each takes what the other has listed for its own.",
        "The next save of one deletes checkpoints of the other: give each a folder of its own.",
    ),
    (
        "unreadable-state",
        Family.STATE,
        Severity.ERROR,
        "The state file cannot be read.",
        "A full disk, a save that was killed, or an edit by hand.",
        "tf.train.latest_checkpoint fails or finds nothing: resume by a manifest, or mend the state file.",
    ),
    (
        "no-state",
        Family.STATE,
        Severity.INFO,
        "There are checkpoints, but no state file beside them.",
        "They were saved with `Checkpoint.write` or copied without it.",
        "tf.train.latest_checkpoint will find nothing here: resume by a manifest, or let a state file be written.",
    ),
    (
        "nothing-restorable",
        Family.RUN,
        Severity.ERROR,
        "No checkpoint of this run can be restored.",
        "See the findings of its checkpoints.",
        "Bring missing files back, or start the job anew.",
    ),
    (
        "newest-not-restorable",
        Family.RUN,
        Severity.ERROR,
        "The newest checkpoint of a series cannot be restored; an older one can.",
        "See the findings of the newest one.",
        "Resume from the recommended checkpoint; the work since then would be lost.",
    ),
    (
        "optimizer-lost",
        Family.RUN,
        Severity.WARNING,
        "The newest that can be restored has weights only; earlier ones had the optimizer's state too.",
        "The job was changed to save weights only, or the model was saved before it was compiled.",
        "Training would go on with a fresh optimizer: resume from an earlier one if that matters.",
    ),
    (
        "deleted-run",
        Family.RUN,
        Severity.INFO,
        "MLflow marks this run, or its experiment, as deleted.",
        "Somebody deleted it there; MLflow keeps the files until `mlflow gc`, which then deletes them for good.",
        "Restore it in MLflow if it is still wanted: `mlflow runs restore --run-id`, `mlflow experiments restore`.",
    ),
    (
        "stale-run",
        Family.RUN,
        Severity.INFO,
        "Nothing in the run has changed for a long time.",
        "It is finished, or it was given up.",
        "Nothing. If it is not needed any more, it is a place to free disk.",
    ),
    (
        "stale-checkpoint",
        Family.RUN,
        Severity.INFO,
        "Old and superseded: neither the latest, nor the best, nor pinned.",
        "Nothing deletes it: TensorFlow rotates only what its state file lists.",
        "Nothing. A retention policy can let it go.",
    ),
    (
        "checksum-mismatch",
        Family.VERIFICATION,
        Severity.ERROR,
        "Stored values do not match the checksums that were saved with them.",
        "A damaged disk or copy, or files of two saves mixed.",
        "Do not restore it. Copy it again, or resume from another checkpoint.",
    ),
    (
        "non-finite",
        Family.VERIFICATION,
        Severity.ERROR,
        "Weights or optimizer state hold NaN or infinite values.",
        "Training diverged before it was saved.",
        "Do not resume from it: take an earlier checkpoint, with a lower learning rate or clipped gradients.",
    ),
    (
        "infinite",
        Family.VERIFICATION,
        Severity.WARNING,
        "A weight that nothing shows to be trained holds infinite values among others.",
        "A mask, where that is meant; else training diverged before it was saved.",
        "Nothing for a mask: accept it. Else resume from an earlier checkpoint.",
    ),
)
RULES = {
    row[0]: Rule(id=row[0], family=row[1], severity=row[2], meaning=row[3], why=row[4], action=row[5]) for row in _ROWS
}


# After these a checkpoint may well be whole: it is passed over with the reason, but never taken for damaged.
UNJUDGED = frozenset({"pattern-path", "no-permission", "not-told", "unrenamed-save", "packed-file", "renamed-copy"})


def is_unjudged(found: Iterable[Finding]) -> bool:
    """Whether what stands against a checkpoint is not damage."""
    rules = {one.rule for one in found}
    return not rules.isdisjoint(UNJUDGED)


def finding(rule: str, path: str, reason: str) -> Finding:
    """A finding of a rule at a place. The reason may quote a damaged file, so that it is made printable here."""
    known = RULES[rule]
    shown = reason.encode("utf-8", "backslashreplace").decode()
    return Finding(path=path, rule=rule, severity=known.severity, reason=shown, action=known.action)

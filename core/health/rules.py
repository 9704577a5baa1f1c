"""The table of rules: what each means, why it happens, what to do. Pages, the shell and the docs are made from it."""

from dataclasses import dataclass

from core.model import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `meaning` and `action` are single sentences for people; `why` names the usual causes."""

    id: str
    severity: Severity
    meaning: str
    why: str
    action: str


_ROWS = (
    (
        "orphan-index",
        Severity.ERROR,
        "The index is there, none of its data shards is.",
        "The shards were deleted, not copied, or excluded by a size limit.",
        "Bring the shards back from where they were copied; without them nothing can be restored.",
    ),
    (
        "missing-shard",
        Severity.ERROR,
        "Some of the data shards that the index names are missing.",
        "A copy stopped early, or a worker's shard never reached this folder.",
        "Bring the missing shards back, or resume from an older checkpoint.",
    ),
    (
        "truncated-shard",
        Severity.ERROR,
        "A data shard is shorter than the index says.",
        "A full disk, a copy that stopped early, or a save cut off.",
        "Copy the shard again, or resume from an older checkpoint.",
    ),
    (
        "stale-index",
        Severity.ERROR,
        "The data shards are no longer those that the index describes.",
        "The same prefix was written again and the save stopped between shards and index.",
        "Do not restore it: values would be garbage. Resume from another checkpoint and let the job save again.",
    ),
    (
        "unreadable-index",
        Severity.ERROR,
        "The index cannot be read.",
        "A full disk, a copy that stopped early, or a damaged disk.",
        "Copy the index again, or resume from an older checkpoint.",
    ),
    (
        "unreadable-file",
        Severity.ERROR,
        "The checkpoint's file cannot be read to its end.",
        "A full disk, a copy or a save that stopped early, or a damaged disk.",
        "Copy the file again, or resume from an older checkpoint.",
    ),
    (
        "empty-file",
        Severity.ERROR,
        "A file of the checkpoint has no bytes.",
        "A full disk, or a save that was killed.",
        "Copy the file again, or resume from an older checkpoint.",
    ),
    (
        "lfs-pointer",
        Severity.ERROR,
        "A Git LFS pointer stands in the place of a file.",
        "The repository was cloned without Git LFS.",
        "Run `git lfs pull` in that repository.",
    ),
    (
        "orphan-shard",
        Severity.WARNING,
        "Data shards without an index: nothing can be restored from them.",
        "TensorFlow's rotation deletes the index first, its save names the shards first: a kill leaves them.",
        "They can go, unless the index can be brought back.",
    ),
    (
        "interrupted-save",
        Severity.WARNING,
        "What a save left behind that never finished.",
        "The job was killed, or the disk was full, in the middle of a save.",
        "It can go: no framework reads it.",
    ),
    (
        "dangling-latest",
        Severity.ERROR,
        "The state file names a latest checkpoint that is not there.",
        "Its files were deleted or moved without the state file.",
        "Let the state file name a checkpoint that is there, or the job will start from nothing.",
    ),
    (
        "dangling-history",
        Severity.WARNING,
        "The state file lists checkpoints that are not there.",
        "Their files were deleted or moved without the state file.",
        "Harmless for resuming; the next rotation will try to delete them.",
    ),
    (
        "moved-run",
        Severity.WARNING,
        "The state file holds absolute paths of another place; the same names lie here.",
        "The run was moved or copied after training.",
        "tf.train.latest_checkpoint will not find these checkpoints: resume by a manifest, or mend the state file.",
    ),
    (
        "unreadable-state",
        Severity.ERROR,
        "The state file cannot be read.",
        "A full disk, a save that was killed, or an edit by hand.",
        "tf.train.latest_checkpoint fails or finds nothing: resume by a manifest, or mend the state file.",
    ),
    (
        "newest-not-restorable",
        Severity.ERROR,
        "The newest checkpoint of a series cannot be restored; an older one can.",
        "See the findings of the newest one.",
        "Resume from the recommended checkpoint; the work since then would be lost.",
    ),
    (
        "nothing-restorable",
        Severity.ERROR,
        "No checkpoint of this run can be restored.",
        "See the findings of its checkpoints.",
        "Bring missing files back, or start the job anew.",
    ),
)
RULES = {row[0]: Rule(id=row[0], severity=row[1], meaning=row[2], why=row[3], action=row[4]) for row in _ROWS}


def finding(rule: str, path: str, reason: str) -> Finding:
    """A finding of a rule at a place. The reason may quote a damaged file, so that it is made printable here."""
    known = RULES[rule]
    shown = reason.encode("utf-8", "backslashreplace").decode()
    return Finding(path=path, rule=rule, severity=known.severity, reason=shown, action=known.action)

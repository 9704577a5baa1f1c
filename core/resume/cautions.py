"""What silently goes wrong when training goes on from a checkpoint: each a warning that a person accepts, or not.

Pure functions of what the catalog knows. A warning's id stays the same for ever: it is written into manifests.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from core.base.facts import Contents
from core.base.names import natural_key
from core.base.records import Checkpoint, Run, Severity
from core.formats.registry import spec_of
from core.formats.restore_calls import by_keras_2
from core.resume import restoring
from core.resume.manifest import Mode, OptimizerOutcome
from waypoint_resume.names import to_text

_LISTED = 5  # how many checkpoints a text names

# Every warning: its id and its text. docs/resume.md holds this table, and a test compares them.
TEXTS = {
    "newer-not-restorable": "Newer checkpoints are passed over, for they cannot be restored: {names}.",
    "closed-folders": "A newer checkpoint may lie where nobody may look: {names}.",
    "contents-unknown": "What this checkpoint holds is not known{why}.",
    "findings": "It can be restored, but: {reasons}.",
    "written-by-keras-2": (
        "{writer} wrote it. Keras 3 loads nothing or only some variables of it: go on with tf-keras or the Keras that"
        " wrote it. A .keras file with a legacy optimizer loses the optimizer's state even there."
    ),
    "optimizer-restarts": (
        "It holds no optimizer state: the optimizer starts anew, its moments and its count of steps at zero, and so "
        "does a learning rate schedule."
    ),
    "weights-alone": (
        "The weights alone are taken: the optimizer is the job's own and starts anew, epochs and steps count from 0, "
        "and neither random state nor what callbacks remember is put back."
    ),
    "optimizer-needs-build": (
        "The optimizer's state is in the file, but is dropped without a word unless the job calls "
        "optimizer.build(model.trainable_variables) before it restores, as waypoint_resume does."
    ),
    "legacy-hdf5": (
        "Keras 3 refuses this .h5 file if the model was compiled with a loss given by name; with compile=False it "
        "loads, and the optimizer's state is gone."
    ),
    "optimizer-not-tried": (
        "The optimizer's state is in the file. waypoint_resume restores it, if it restores this format at all; whether "
        "{api} by itself does was not tried."
    ),
    "step-unknown": "The step is not known{why}: the job counts, logs and schedules from where it says itself.",
    "epoch-unknown": (
        "The epoch is {told}: waypoint_resume takes it from the step and steps_per_epoch. Without those fit() starts "
        "at epoch 0 unless the job passes initial_epoch, and then trains all its epochs again."
    ),
    "other-series": (
        "The run has other series ({names}), which this manifest does not hand over: a job that restores several files "
        "restores those by itself."
    ),
    "best-metric": (
        "The name says {name} {value}. A new ModelCheckpoint(save_best_only=True) does not know it and overwrites a "
        "better file with its first save: pass initial_value_threshold={value}."
    ),
    "run-is-live": (
        "The run is live, it changed {changed}: make sure that its job has ended. A second one that writes into the "
        "same folder overwrites what the first one saves."
    ),
    "backup-pairs": (
        "This is BackupAndRestore's own data. Weights and epoch are written one after the other, so a kill can pair "
        "them wrongly; saved within an epoch, training starts that epoch again at batch 0."
    ),
    "backup-overrides": (
        "BackupAndRestore left {names}. If that callback is among the job's, it overrides at the start of fit() "
        "whatever was loaded before."
    ),
    "not-in-the-file": (
        "No checkpoint holds the state of random generators (so Dropout and shuffling go another way), how far the "
        "data were read (unless the job saved its iterator), or what callbacks remember, such as the best value so "
        "far or the patience of EarlyStopping. waypoint_resume keeps all of that beside each save; this one was saved "
        "without it."
    ),
}

Found = Iterator[tuple[str, dict[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """A warning that must be accepted: a stable id, and a text for people."""

    id: str
    text: str


def cautions(
    checkpoint: Checkpoint,
    members: Sequence[Checkpoint],
    run: Run,
    mode: Mode,
    going: Collection[str] = (),
    *,
    has_state: bool = False,
    weights_only: bool = False,
    closed: Sequence[str] = (),
) -> tuple[Caution, ...]:
    """Every warning of a mode; `members` are the checkpoints of the run, those of other series among them, and `going`
    the paths of those that a rewind sets aside. `has_state`: what no checkpoint holds was kept beside it. `closed`
    are folders of the run that may not be looked into, as text. What does not matter where the weights alone are taken
    (`weights_only`) is left out.
    """
    found = [
        *(_passed_over(checkpoint, members) if mode is Mode.CONTINUE else ()),
        *([("closed-folders", {"names": _listed(closed)})] if closed and mode is Mode.CONTINUE else []),
        *_contents(checkpoint),
        *([("weights-alone", {})] if weights_only else [*_optimizer(checkpoint), *_counters(checkpoint, has_state)]),
    ]
    staying = [item for item in members if mode is not Mode.REWIND or item.path not in going]
    found += _surroundings(checkpoint, staying, run, mode)
    found += [] if has_state or weights_only else [("not-in-the-file", {})]
    return tuple(Caution(id=key, text=TEXTS[key].format(**values)) for key, values in found)


def newer(checkpoint: Checkpoint, members: Sequence[Checkpoint]) -> tuple[Checkpoint, ...]:
    """The members of the same series that come after a checkpoint, oldest first."""
    series = [member for member in members if member.series == checkpoint.series and member.path != checkpoint.path]
    by_step = all(member.facts.step for member in (*series, checkpoint))

    def order(item: Checkpoint) -> tuple[object, ...]:
        step = item.facts.step.value if by_step and item.facts.step else 0
        return (item.attempt, step, item.saved_at, natural_key(item.path))

    return tuple(sorted((member for member in series if order(member) > order(checkpoint)), key=order))


def reasons(checkpoint: Checkpoint) -> str:
    """Why a checkpoint cannot be restored, in one line."""
    errors = _reasons(checkpoint, Severity.ERROR) or _reasons(checkpoint, Severity.WARNING)
    spec = spec_of(checkpoint.format)
    if not spec.is_resumable:
        errors.append(spec.not_resumable.removesuffix("."))
    if not errors and checkpoint.facts.problem is not None:
        errors = [checkpoint.facts.problem.detail]
    return "; ".join(errors) or "not everything that the restore reads is there"


def _reasons(checkpoint: Checkpoint, severity: Severity) -> list[str]:
    """The reasons of a severity about the files themselves, to be put into a sentence."""
    own = (finding for finding in checkpoint.findings if finding.rule != "newest-not-restorable")
    return [finding.reason.removesuffix(".") for finding in own if finding.severity is severity]


def _passed_over(checkpoint: Checkpoint, members: Sequence[Checkpoint]) -> Found:
    """Those that can be restored stand in the way of `continue` itself."""
    if broken := [f"{name(item)} ({reasons(item)})" for item in newer(checkpoint, members) if not item.restorable]:
        yield "newer-not-restorable", {"names": _listed(broken)}


def _contents(checkpoint: Checkpoint) -> Found:
    facts = checkpoint.facts
    if facts.contents is Contents.UNKNOWN:
        yield "contents-unknown", {"why": _because(facts.contents_reason)}
    if checkpoint.restorable:
        doubts = _reasons(checkpoint, Severity.ERROR) + _reasons(checkpoint, Severity.WARNING)
        if doubts:
            yield "findings", {"reasons": "; ".join(doubts)}
    if by_keras_2(checkpoint.facts):
        yield "written-by-keras-2", {"writer": facts.writer or "Keras 2"}


def _optimizer(checkpoint: Checkpoint) -> Found:
    outcome = restoring.optimizer(checkpoint)
    if outcome is OptimizerOutcome.NOT_IN_FILE:
        yield "optimizer-restarts", {}
    elif not checkpoint.facts.has_optimizer or outcome is OptimizerOutcome.RESTORED:
        return
    elif (restored := spec_of(checkpoint.format).restoring) is not None:
        yield restored.caution, {"api": restoring.api(checkpoint).value}


def _counters(checkpoint: Checkpoint, has_state: bool) -> Found:
    """What a job must be told of its place in training; the epoch and the best value so far stand in a kept state."""
    facts = checkpoint.facts
    if facts.step is None:
        yield "step-unknown", {"why": _because(facts.step_reason)}
    if has_state:
        return
    is_of_loop = facts.save_counter is not None and facts.step is not None and facts.epoch is None  # it counts steps
    if restoring.initial_epoch(checkpoint) is None and not is_of_loop:
        told = "not known"
        if facts.epoch is not None:
            told = f"said to be {facts.epoch.value:,} ({to_text(facts.epoch.source)})"
            told += "" if facts.epoch.is_from_0 else ", counted from 0 or from 1"
        yield "epoch-unknown", {"told": told}
    if checkpoint.metric is not None:
        metric, value = checkpoint.metric
        yield "best-metric", {"name": to_text(metric), "value": f"{value:g}"}


def _surroundings(checkpoint: Checkpoint, members: Sequence[Checkpoint], run: Run, mode: Mode) -> Found:
    if run.status == "live" and mode is not Mode.FORK:
        at = run.changed_at
        yield "run-is-live", {"changed": "just now" if at is None else f"at {at:%Y-%m-%d %H:%M:%S} UTC"}
    members = [item for item in members if spec_of(item.format).is_resumable]
    by_time = sorted(members, key=lambda item: (item.is_latest, item.saved_at))
    if others := {item.series: item for item in by_time if item.series != checkpoint.series}:
        yield "other-series", {"names": named(tuple(others.values()))}
    if restoring.is_backup(checkpoint):
        yield "backup-pairs", {}
    elif mode is Mode.CONTINUE and (backups := [item for item in members if restoring.is_backup(item)]):
        yield "backup-overrides", {"names": named(backups)}


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def name(item: Checkpoint) -> str:
    """The last name of a checkpoint's path, as text."""
    return to_text(item.path.rpartition("/")[2] or item.path)


def named(items: Sequence[Checkpoint]) -> str:
    """Checkpoints by name; of many the last ones, and how many more."""
    return _listed([name(item) for item in items])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[-_LISTED:]) + more

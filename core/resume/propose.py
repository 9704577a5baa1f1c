"""A proposal: how a checkpoint would be restored, what was checked, and what a person must accept. Pure, no disk."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.base.facts import Sourced
from core.base.records import Checkpoint, Run, Severity
from core.resume import restoring
from core.resume.cautions import Caution, cautions, newer, reasons
from core.resume.manifest import BestMetric, Check, Mode, OptimizerOutcome, Restore
from core.resume.modes import Aside, Outlook, fork_name, outlooks, proposed, set_aside
from waypoint_resume.clock import moment_text
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What `write_manifest` or `fork` would hand over about the checkpoint at `path`, made at `made_at`.

    `outlooks` are all modes, `mode` the one that this is about; `asides` is what a rewind sets aside of the files that
    were known, the newest of which bears the time `known_ns`, and `stays` are the other checkpoints that were known.
    `fork_name` is a name for a fork, as text.
    """

    root: str
    path: str
    made_at: datetime
    mode: Mode
    restore: Restore
    checks: tuple[Check, ...]
    warnings: tuple[Caution, ...]
    outlooks: tuple[Outlook, Outlook, Outlook]
    asides: tuple[Aside, ...]
    stays: tuple[Checkpoint, ...]
    known_ns: int
    fork_name: str
    is_live: bool

    def outlook(self, mode: Mode) -> Outlook:
        """What a mode does."""
        return next(look for look in self.outlooks if look.mode is mode)


def propose(  # noqa: PLR0913 - what is known of the surroundings, each with a name
    checkpoint: Checkpoint,
    members: Sequence[Checkpoint],
    run: Run,
    now: datetime,
    mode: Mode | None = None,
    *,
    taken: Collection[str] = (),
    is_writable: bool = True,
    has_state: bool = False,
    weights_only: bool = False,
    best: BestMetric | None = None,
    closed: Sequence[str] = (),
) -> Proposal:
    """How training would go on from a checkpoint; `members` are all checkpoints of the run, of every series. Without a
    mode it is the one that is right for most. `taken` are the names beside the run, which no fork can have;
    `is_writable` tells whether the run's folder can be written here, `has_state` whether the job's side kept something
    beside the checkpoint. `weights_only`: the weights alone are handed over, for a training that begins anew. `best`
    is the best value of a metric up to this checkpoint, `closed` names folders of the run that may not be looked into,
    with the reason, as text.

    Also for a checkpoint that cannot be restored, and a mode that is not possible: nothing writes those.
    """
    looks = outlooks(checkpoint, members, run, taken, is_writable=is_writable, weights_only=weights_only)
    asides = set_aside(checkpoint, members, weights_only=weights_only)
    going = frozenset(aside.checkpoint.path for aside in asides)
    mode = mode or proposed(looks, asides, run, weights_only=weights_only)
    restore = _restore(checkpoint, None if weights_only else best, weights_only=weights_only)
    return Proposal(
        root=checkpoint.root,
        path=checkpoint.path,
        made_at=now,
        mode=mode,
        restore=restore,
        checks=tuple(
            Check(name=name, ok=ok, detail=detail) for name, ok, detail in _checks(checkpoint, members, restore)
        ),
        warnings=cautions(
            checkpoint, members, run, mode, going, has_state=has_state, weights_only=weights_only, closed=closed
        ),
        outlooks=looks,
        asides=asides,
        stays=tuple(item for item in members if item.path not in going),
        known_ns=max((file.mtime_ns for item in (*members, checkpoint) for file in item.files), default=0),
        fork_name=fork_name(checkpoint, taken),
        is_live=run.status == "live",
    )


def _restore(checkpoint: Checkpoint, best: BestMetric | None, *, weights_only: bool) -> Restore:
    """How it is restored; with weights alone steps count from 0, and epochs from the initial_epoch of the job's own."""
    return Restore(
        api=restoring.api(checkpoint),
        initial_step=0 if weights_only else restoring.initial_step(checkpoint),
        initial_epoch=None if weights_only else restoring.initial_epoch(checkpoint),
        optimizer=OptimizerOutcome.LEFT_OUT if weights_only else restoring.optimizer(checkpoint),
        items=restoring.items(checkpoint),
        best_metric=best,
        weights_only=weights_only or None,
    )


def _checks(checkpoint: Checkpoint, members: Sequence[Checkpoint], restore: Restore) -> Iterator[tuple[str, bool, str]]:
    facts = checkpoint.facts
    if checkpoint.restorable:
        count = f"{len(checkpoint.files):,} file{'s' * (len(checkpoint.files) != 1)}"
        detail = f"{count}, {checkpoint.bytes:,} bytes: whole as far as their structure tells"
    else:
        detail = reasons(checkpoint)
    yield "restorable", checkpoint.restorable, detail
    later = sum(member.restorable for member in newer(checkpoint, members))
    yield (
        "latest restorable",
        checkpoint.restorable and not later,
        f"newer ones that can be restored in its series: {later:,}",
    )
    yield "saved", True, f"{moment_text(checkpoint.saved_at)}, from {checkpoint.saved_at_source.value}"
    yield "step", facts.step is not None, _sourced(facts.step, facts.step_reason)
    if restore.weights_only:
        yield "weights alone", True, "the optimizer's state, if it has any, is left out; epochs and steps count anew"
    else:
        yield "epoch", restore.initial_epoch is not None, _sourced(facts.epoch, None)
        outcome = restore.optimizer.value if restore.optimizer else "depends on the job"
        yield "optimizer", restore.optimizer is OptimizerOutcome.RESTORED, outcome
    doubts = [finding.rule for finding in checkpoint.findings if finding.severity is not Severity.INFO]
    yield "findings", not doubts, ", ".join(doubts) or "none"


def _sourced(number: Sourced | None, reason: str | None) -> str:
    if number is None:
        return f"not known: {reason}" if reason else "not known"
    return f"{number.value:,}, from {to_text(number.source)}"

"""A proposal: how a checkpoint would be restored, what was checked, and what a person must accept. Pure, no disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.decisions.values import moment_text
from core.fs.names import to_text
from core.model import Checkpoint, Run, Severity, Sourced
from core.resume import restoring
from core.resume.cautions import Caution, cautions, newer, reasons
from core.resume.manifest import Check, Mode, OptimizerOutcome, Restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What `write_manifest` would hand over about the checkpoint at `path`, made at `made_at`."""

    root: str
    path: str
    made_at: datetime
    mode: Mode
    restore: Restore
    checks: tuple[Check, ...]
    warnings: tuple[Caution, ...]


def propose(checkpoint: Checkpoint, members: Sequence[Checkpoint], run: Run, now: datetime) -> Proposal:
    """How training would go on from a checkpoint; `members` are all checkpoints of the run, of every series.

    Also for a checkpoint that cannot be restored: the check `restorable` then says why, and nothing writes it.
    """
    step = checkpoint.facts.step
    restore = Restore(
        api=restoring.api(checkpoint),
        initial_step=None if step is None else step.value,
        initial_epoch=restoring.initial_epoch(checkpoint),
        optimizer=restoring.optimizer(checkpoint),
        best_metric=None,  # a name tells a value, but never whether less is better
    )
    return Proposal(
        root=checkpoint.root,
        path=checkpoint.path,
        made_at=now,
        mode=Mode.CONTINUE,
        restore=restore,
        checks=tuple(
            Check(name=name, ok=ok, detail=detail) for name, ok, detail in _checks(checkpoint, members, restore)
        ),
        warnings=cautions(checkpoint, members, run),
    )


def _checks(checkpoint: Checkpoint, members: Sequence[Checkpoint], restore: Restore) -> Iterator[tuple[str, bool, str]]:
    facts = checkpoint.facts
    if checkpoint.restorable:
        detail = f"{len(checkpoint.files):,} files, {checkpoint.bytes:,} bytes: whole as far as their structure tells"
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
    yield "epoch", restore.initial_epoch is not None, _sourced(facts.epoch, None)
    outcome = restore.optimizer.value if restore.optimizer else "depends on the job"
    yield "optimizer", restore.optimizer is OptimizerOutcome.RESTORED, outcome
    doubts = [finding.rule for finding in checkpoint.findings if finding.severity is not Severity.INFO]
    yield "findings", not doubts, ", ".join(doubts) or "none"


def _sourced(number: Sourced | None, reason: str | None) -> str:
    if number is None:
        return f"not known: {reason}" if reason else "not known"
    return f"{number.value:,}, from {to_text(number.source)}"

"""One run's part of a plan carried out, and told: into quarantine, or for good where the disk is full."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.acts.journal import short_id
from core.acts.room import DiskFullError
from core.base.errors import CoreError
from core.base.records import Run
from core.base.sizes import size_text
from core.cli.session import say
from core.retention.planned import RunPlan
from core.retention.policies import Policy
from core.retention.recheck import LeftOut
from core.retention.tables import policy_for
from core.services import housekeeping
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What was asked for: the note, the names of runs that were typed, and whether to delete for good."""

    note: str
    words: tuple[str, ...]
    is_delete: bool

    def word(self, run: Run) -> str:
        """The run's name, if it was typed."""
        name = to_text(run.path)
        return name if name in self.words else ""


def carry_out(workspace: Workspace, run: Run, planned: RunPlan, policy: Policy | None, how: How) -> dict[str, object]:
    """One run's part, as JSON says it; what goes wrong in it does not keep the others from theirs."""
    governing = policy or policy_for(workspace.retention, planned.root_path, run.path)
    document: dict[str, object] = {"root": to_text(planned.root_path), "run": to_text(run.path), "batch": None}
    try:
        told = (_delete if how.is_delete else _quarantine)(workspace, run, planned, governing, how)
    except (CoreError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        say(f"{to_text(run.path)}: {reason}")
        if isinstance(error, DiskFullError):
            _tell_way_out(planned)
        return {**document, "moved": [], "left_out": [], "problem": reason}
    return {**document, **told, "problem": None}


def _quarantine(workspace: Workspace, run: Run, planned: RunPlan, policy: Policy, how: How) -> dict[str, object]:
    done = housekeeping.execute(workspace, run, planned, policy=policy, note=how.note, empties=True, word=how.word(run))
    _tell_left_out(run, done.left_out)
    moved = [] if done.journal is None else [item.path for item in done.journal.items]
    if done.journal is not None:
        short = short_id(done.journal.id)
        say(f"{to_text(run.path)}: {len(moved):,} moved; `undo {to_text(run.path)} {short}` brings it back")
    batch = None if done.journal is None else done.journal.id
    return {"batch": batch, "moved": moved, "left_out": _left_out(done.left_out)}


def _delete(workspace: Workspace, run: Run, planned: RunPlan, policy: Policy, how: How) -> dict[str, object]:
    done = housekeeping.delete(
        workspace, run, planned, policy=policy, note=how.note, empties=True, confirm=how.word(run)
    )
    _tell_left_out(run, done.left_out)
    say(f"{to_text(run.path)}: {len(done.paths):,} deleted for good, {size_text(done.freed_bytes)} freed")
    told = {"moved": [], "deleted": done.paths, "freed_bytes": done.freed_bytes}
    return {**told, "left_out": _left_out(done.left_out)}


def _left_out(left_out: Sequence[LeftOut]) -> list[dict[str, object]]:
    return [{"path": to_text(left.path), "reasons": list(left.reasons)} for left in left_out]


def _tell_left_out(run: Run, left_out: Sequence[LeftOut]) -> None:
    for left in left_out:
        say(f"{to_text(run.path)}: {to_text(left.path)} stays: {'; '.join(left.reasons)}")


def _tell_way_out(planned: RunPlan) -> None:
    """What a person can do about a full disk: the option that deletes, and the files."""
    say(f"To delete it for good: the same command with --delete --confirm {to_text(planned.run)}. It deletes:")
    files = [file.path for item in planned.items for file in item.files]
    for path in files[:_LISTED]:
        say(f"  {to_text(planned.folder)}/{to_text(path)}")
    if len(files) > _LISTED:
        say(f"  and {len(files) - _LISTED:,} more files, which `plan --json` lists")

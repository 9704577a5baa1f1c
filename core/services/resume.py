"""Handing a checkpoint over to the job of a run: what is proposed, and writing that; and whether a job lives in it."""

import contextlib
import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.base.errors import PlaceError
from core.base.records import Checkpoint
from core.resume import propose as proposing
from core.resume.cautions import Caution
from core.resume.copies import require_name
from core.resume.errors import ConfirmError, ModeError, RunNameError
from core.resume.fork import fork
from core.resume.manifest import BestMetric, Manifest, Mode, Scalar
from core.resume.modes import Outlook
from core.resume.overrides import parse_overrides
from core.resume.propose import Proposal
from core.resume.receipts import has_state_beside
from core.resume.restoring import is_backup, refused_by_client
from core.resume.write import write_manifest
from core.runs.remains import CLOSED
from core.services.best_values import best_until
from core.services.workspace import Workspace
from waypoint_resume.heartbeat import Heartbeat
from waypoint_resume.names import from_text, join, to_text
from waypoint_resume.places import can_write

__all__ = [
    "Caution",
    "ConfirmError",
    "Heartbeat",
    "Mode",
    "ModeError",
    "Outlook",
    "Proposal",
    "Scalar",
    "is_backup",
    "parse_overrides",
    "propose",
    "refused_by_client",
    "resume_from",
    "run_heartbeat",
    "why_no_fork",
]


def propose(
    workspace: Workspace, checkpoint: Checkpoint, mode: Mode | None = None, *, weights_only: bool = False
) -> Proposal:
    """How training would go on from a checkpoint, with every warning; without a mode in the one that suits most.
    With `weights_only` a new training begins with its weights.
    """
    run = workspace.reader.run(checkpoint.root, checkpoint.run, workspace.now())
    members = workspace.members(checkpoint.root, checkpoint.run)
    folder, taken, has_state = Path(workspace.absolute(checkpoint.root, checkpoint.run)), list[str](), False
    with contextlib.suppress(OSError):
        taken = os.listdir(folder.parent)
    with contextlib.suppress(PlaceError):
        if (beat := run_heartbeat(workspace, checkpoint.root, checkpoint.run)) is not None and beat.is_fresh:
            run = replace(run, status="live", changed_at=None)  # however long ago it saved; None is just now
        has_state = has_state_beside(workspace.run_folder(checkpoint.root, checkpoint.run), checkpoint)
    left = workspace.reader.leftovers(checkpoint.root, checkpoint.run)
    return proposing.propose(
        checkpoint,
        members,
        run,
        workspace.now(),
        mode,
        taken=taken,
        is_writable=can_write(folder),
        has_state=has_state,
        weights_only=weights_only,
        best=best_so_far(workspace, checkpoint),
        closed=[f"{to_text(item.path)} ({item.reason.removesuffix('.')})" for item in left if item.rule == CLOSED],
    )


def best_so_far(workspace: Workspace, checkpoint: Checkpoint) -> BestMetric | None:
    """The best value of the run's best metric up to a checkpoint, for a ModelCheckpoint that goes on; None where
    nothing tells it.
    """
    found = best_until(workspace, checkpoint)
    if found is None:
        return None
    metric, value = found
    return BestMetric(name=metric.tag, value=value, mode=metric.mode)


def resume_from(  # noqa: PLR0913 - all that is handed over has a name
    workspace: Workspace,
    checkpoint: Checkpoint,
    proposal: Proposal,
    *,
    note: str,
    accepted: Sequence[str],
    overrides: Mapping[str, Scalar] | None = None,
    confirm: str = "",
    fork_name: str | None = None,
    watch: Callable[[int], None] = lambda _done: None,
) -> tuple[Manifest, Path]:
    """Hand a checkpoint over in the proposal's mode; gives the manifest and where it lies, a fork's in the new run.

    `confirm` is the run's name, which the rewind of a live run needs; `fork_name` the new run's, as text; `watch`
    is told the bytes that are copied. A CoreError says why nothing was written.
    """
    handed: dict[str, Any] = {
        "actor": workspace.actor,
        "note": note,
        "accepted": accepted,
        "overrides": overrides,
        "now": workspace.now(),
    }
    place = workspace.run_folder(checkpoint.root, checkpoint.run)
    if proposal.mode is Mode.FORK:
        name = from_text(proposal.fork_name if fork_name is None else fork_name)
        return fork(place, checkpoint, proposal, name=name, watch=watch, **handed)
    inner = workspace.reader.runs_inside(checkpoint.root, checkpoint.run)
    return write_manifest(place, checkpoint, proposal, confirm=confirm, inner=inner, **handed)


def why_no_fork(workspace: Workspace, checkpoint: Checkpoint, text: str) -> str | None:
    """Why no new run beside the checkpoint's can have this name; None where one can."""
    try:
        name = from_text(text)
        require_name(name)
    except (RunNameError, ValueError) as error:
        return str(error)
    beside = join(posixpath.dirname(checkpoint.run), name)
    if os.path.lexists(workspace.absolute(checkpoint.root, beside)):
        return f"{text} is there already: choose another name."
    return None


def run_heartbeat(workspace: Workspace, root_id: str, run: str) -> Heartbeat | None:
    """Whether a job lives in a run, by its lease and the disk's clock; read from disk now."""
    return workspace.run_folder(root_id, run).heartbeat()

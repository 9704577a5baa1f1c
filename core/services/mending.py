"""State files put right: what is proposed, writing it, and taking that back."""

from core.base.records import Run
from core.mend.effects import effects
from core.mend.errors import LiveRunError
from core.mend.of_run import MendDesk, Refusal
from core.mend.propose import Proposal
from core.mend.records import Mend, MendState
from core.runs.state_files import NAMEABLE
from core.services.workspace import Workspace

__all__ = [
    "NAMEABLE",
    "LiveRunError",
    "Mend",
    "MendDesk",
    "MendState",
    "Proposal",
    "Refusal",
    "apply",
    "effects",
    "mend_desk",
    "undo",
]


def mend_desk(workspace: Workspace, run: Run) -> MendDesk:
    """Where a run's state files are put right, from what the catalog knows of it."""
    return MendDesk(
        root=workspace.root(run.root),
        run=run,
        members=workspace.members(run.root, run.path),
        states=workspace.reader.states(run.root, run.path),
        live_window=workspace.settings.live_window,
        decisions_dir=workspace.settings.decisions_dir,
    )


def apply(workspace: Workspace, run: Run, proposal: Proposal, confirm: str = "") -> Mend:
    """Write a proposal; `confirm` is the run's name, which a live run needs."""
    return mend_desk(workspace, run).apply(proposal, actor=workspace.actor, now=workspace.now(), confirm=confirm)


def undo(workspace: Workspace, run: Run, mend_id: str, confirm: str = "") -> Mend:
    """Take a mend back; `confirm` as above."""
    return mend_desk(workspace, run).undo(mend_id, actor=workspace.actor, now=workspace.now(), confirm=confirm)

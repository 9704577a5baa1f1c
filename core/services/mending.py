"""State files put right: what is proposed, writing it, and taking that back."""

from core.base.records import Run
from core.mend.effects import effects
from core.mend.errors import LiveRunError
from core.mend.of_run import Mender, Refusal
from core.mend.propose import MendProposal
from core.mend.records import Mend, MendState
from core.runs.state_files import NAMEABLE
from core.services.workspace import Workspace

__all__ = [
    "NAMEABLE",
    "LiveRunError",
    "Mend",
    "MendProposal",
    "MendState",
    "Mender",
    "Refusal",
    "apply",
    "effects",
    "mender_of",
    "undo",
]


def mender_of(workspace: Workspace, run: Run) -> Mender:
    """What mends the state files of a run, from what the catalog knows of it."""
    return Mender(
        run_folder=workspace.acted_on(run),
        run=run,
        members=workspace.members(run.root, run.path),
        states=workspace.reader.states(run.root, run.path),
    )


def apply(workspace: Workspace, run: Run, proposal: MendProposal, confirm: str = "") -> Mend:
    """Write a proposal; `confirm` is the run's name, which a live run needs."""
    return mender_of(workspace, run).apply(proposal, actor=workspace.actor, now=workspace.now(), confirm=confirm)


def undo(workspace: Workspace, run: Run, mend_id: str, confirm: str = "") -> Mend:
    """Take a mend back; `confirm` as above."""
    return mender_of(workspace, run).undo(mend_id, actor=workspace.actor, now=workspace.now(), confirm=confirm)

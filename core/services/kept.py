"""What jobs kept of what was handed over to them, and bringing it back."""

from core.resume.kept import bring_back, is_back, kept_checkpoints, take_away
from core.services.workspace import Workspace
from waypoint_resume.kept import KEPT, Kept
from waypoint_resume.places import HIDDEN

__all__ = ["PLACE", "Kept", "bring_kept_back", "is_back", "kept", "take_kept_away"]

PLACE = f"{HIDDEN}/{KEPT}"  # where copies lie in a run, each under its manifest's id


def kept(workspace: Workspace, root: str, run: str) -> tuple[Kept, ...]:
    """What jobs kept of what was handed over to them in a run, the newest manifest first."""
    return kept_checkpoints(workspace.run_folder(root, run))


def bring_kept_back(workspace: Workspace, root: str, run: str, manifest: str) -> str:
    """Bring what is kept for a manifest back under a free name, relative to the run as text."""
    return bring_back(workspace.run_folder(root, run), manifest, actor=workspace.actor, now=workspace.now())


def take_kept_away(workspace: Workspace, root: str, run: str, manifest: str) -> None:
    """Undo `bring_kept_back`."""
    take_away(workspace.run_folder(root, run), manifest, actor=workspace.actor, now=workspace.now())

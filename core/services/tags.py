"""What people say of runs: tags, a note, the owner, favourites, the best metric; read from disk now, and changed."""

from core.base.direction import Direction
from core.base.records import Run
from core.runfolder import tags
from core.runfolder.tags import ChosenMetric, RunTags, TagChange, undoing
from core.services.workspace import Workspace

__all__ = ["ChosenMetric", "Direction", "RunTags", "TagChange", "change_tags", "read_tags", "undoing"]


def read_tags(workspace: Workspace, run: Run) -> RunTags:
    """What is said of a run, read from disk now. CoreError where that cannot be understood."""
    return tags.read_tags(workspace.run_folder(run.root, run.path))


def change_tags(workspace: Workspace, run: Run, change: TagChange) -> tuple[RunTags, RunTags]:
    """Say something of a run otherwise; returns what was said before and is said now (`undoing` takes it back).

    It is searched and listed after the next look at the disk.
    """
    run_folder = workspace.run_folder(run.root, run.path)
    return tags.change_tags(run_folder, change, actor=workspace.actor, now=workspace.now())

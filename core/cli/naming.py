"""Checkpoints as people name them on a command line."""

import posixpath

from core.errors import NotFoundError
from core.fs.names import from_text, to_text
from core.model import Checkpoint, Run
from core.workspace import Workspace


def checkpoint_named(workspace: Workspace, run: Run, text: str) -> Checkpoint:
    """A checkpoint of a run, named relative to its root or to the run, or by an absolute path."""
    name = posixpath.normpath(from_text(text))
    root = posixpath.normpath(workspace.root(run.root).path)
    inside = name[len(root) + 1 :] if name.startswith(f"{root}/") else name
    wanted = {inside, inside if run.path == "." else f"{run.path}/{inside}"}
    for item in workspace.members(run.root, run.path):
        if item.path in wanted:
            return item
    raise NotFoundError(f"Run {to_text(run.path)} has no checkpoint {to_text(text)!r}; `ls` lists what it has.")

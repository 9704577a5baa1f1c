"""Checkpoints as people name them on a command line."""

import posixpath

from core.base.errors import AmbiguousError, NotFoundError
from core.base.records import Checkpoint, Run
from core.services.workspace import Workspace
from waypoint_resume.names import from_text, to_text


def checkpoint_named(workspace: Workspace, run: Run, text: str) -> Checkpoint:
    """A checkpoint of a run, named relative to its root or to the run, by an absolute path, or, where only one has it,
    by its last name. NotFoundError, AmbiguousError.
    """
    name = posixpath.normpath(from_text(text))
    root = posixpath.normpath(workspace.root(run.root).path)
    inside = name[len(root) + 1 :] if name.startswith(f"{root}/") else name
    wanted = {inside, inside if run.path == "." else f"{run.path}/{inside}"}
    members = workspace.members(run.root, run.path)
    for item in members:
        if item.path in wanted:
            return item
    named = [item for item in members if posixpath.basename(item.path) == name]
    if len(named) == 1:
        return named[0]
    if named:
        names = ", ".join(to_text(item.path) for item in named)
        raise AmbiguousError(f"{to_text(text)!r} is several checkpoints of {to_text(run.path)}: {names}.")
    raise NotFoundError(f"Run {to_text(run.path)} has no checkpoint {to_text(text)!r}; `ls` lists what it has.")

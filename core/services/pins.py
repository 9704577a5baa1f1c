"""Pins: checkpoints that stay under every policy; read from disk now."""

from collections.abc import Sequence

from core.base.facts import Format
from core.base.files import Problem
from core.base.records import Checkpoint
from core.runfolder import pins
from core.runfolder.pins import Pin, read_pins
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

__all__ = ["Pin", "pin", "pin_of", "pinned", "unpin"]


def pin_of(workspace: Workspace, checkpoint: Checkpoint) -> Pin | Problem | None:
    """The pin of a checkpoint, read from disk now; a problem where the pins cannot be understood."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    found, path = read_pins(run_folder), to_text(run_folder.within(checkpoint.path))
    here = (one for one in found.pins if (one.path, one.format) == (path, checkpoint.format))
    return next(iter(found.problems), None) or next(here, None)


def pinned(workspace: Workspace, members: Sequence[Checkpoint]) -> frozenset[tuple[str, Format]]:
    """The pinned ones of a run's checkpoints, as (path, format); all of them where the pins cannot be understood.
    PlaceError where the run's folder went away.
    """
    if not members:
        return frozenset()
    run_folder = workspace.run_folder(members[0].root, members[0].run)
    found = read_pins(run_folder)
    why = {(one.path, one.format): found.why(to_text(run_folder.within(one.path)), one.format) for one in members}
    return frozenset(key for key, reason in why.items() if reason is not None)


def pin(workspace: Workspace, checkpoint: Checkpoint, note: str = "") -> Pin:
    """Keep a checkpoint under every policy."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    path = to_text(run_folder.within(checkpoint.path))
    return pins.pin(run_folder, path, checkpoint.format, actor=workspace.actor, now=workspace.now(), note=note)


def unpin(workspace: Workspace, checkpoint: Checkpoint) -> Pin:
    """Undo a pin."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    path = to_text(run_folder.within(checkpoint.path))
    return pins.unpin(run_folder, path, checkpoint.format, actor=workspace.actor, now=workspace.now())

"""Checkpoints: how they are listed, found by the names that people give them, and read."""

import posixpath

from core.base.errors import AmbiguousError, NotFoundError, NotRestorableError
from core.base.facts import Facts, Variable
from core.base.records import Checkpoint, Run
from core.catalog.filters import CheckpointFilter
from core.catalog.queries import CHECKPOINT_SORTS
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.registry import SPECS, spec_of
from core.formats.spec import RestoreApi, Unit
from core.services.workspace import Workspace
from core.stores.local import LocalStore
from waypoint_resume.names import from_text, to_text

__all__ = [
    "CHECKPOINT_SORTS",
    "SPECS",
    "CheckpointFilter",
    "RestoreApi",
    "checkpoint_named",
    "inspect",
    "restorable_named",
    "spec_of",
]


def inspect(workspace: Workspace, checkpoint: Checkpoint) -> tuple[Facts, tuple[Variable, ...]]:
    """Read a checkpoint's files now: its facts and its variables. FileNotFoundError when they went away; what is
    wrong with them stands in the facts.
    """
    store = LocalStore(workspace.root(checkpoint.root).path)
    name = checkpoint.path[len(checkpoint.folder) :].lstrip("/") if checkpoint.folder else checkpoint.path
    files = {file.name: file for file in checkpoint.files}
    unit = Unit(folder=checkpoint.folder, name=name, path=checkpoint.path, format=checkpoint.format, files=files)
    reading = read_unit(store, unit, BundleCache(), is_named=True)
    if reading is None:
        return checkpoint.facts, ()
    return reading.facts, reading.variables


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


def restorable_named(workspace: Workspace, text: str) -> tuple[Checkpoint, ...]:
    """The checkpoint of that name, else the restorable ones of the run of that name, or, of a run of what is listed
    only, all that is whole. NotRestorableError where it has neither.

    NotFoundError where there is neither, AmbiguousError where roots share the run's name.
    """
    name = posixpath.normpath(from_text(text))
    found: dict[str, Checkpoint] = {}
    for root in workspace.reader.roots():
        top = posixpath.normpath(root.path).rstrip("/")
        inside = name.removeprefix(f"{top}/") if posixpath.isabs(name) else name
        try:
            checkpoint = workspace.reader.checkpoint(root.id, inside)
        except NotFoundError:
            continue
        found.setdefault(workspace.absolute(root.id, checkpoint.path), checkpoint)
    if found:
        return tuple(found.values())
    try:
        run = workspace.find_run(text)
    except NotFoundError as error:
        raise NotFoundError(f"There is no checkpoint of that name either. {error}") from error
    held = workspace.members(run.root, run.path)
    listed = (item for item in held if not spec_of(item.format).is_resumable and not item.findings)
    members = tuple(item for item in held if item.restorable) or tuple(listed)
    if not members:
        raise NotRestorableError(f"Nothing in {to_text(run.path)} can be restored, so there is nothing to verify.")
    return members

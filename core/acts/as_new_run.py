"""A rewind whose names were used again comes back as a new run beside its own: what was set aside, in the same places,
with state files that list what the old ones listed of it. The batch stays as it is, until it is purged.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from core.acts.journal import FILES, Journal, JournalItem, short_id
from core.acts.moves import is_same, lies
from core.acts.recovery import Returned
from core.base.errors import CoreError, ReadOnlyError
from core.base.files import Problem
from core.formats.registry import spec_of
from core.formats.state_file import NAME as STATE_NAME
from core.mend.on_disk import LIMIT, read_content
from core.mend.propose import in_order, state_text
from core.resume.copies import copy_files, free_name, new_run
from core.runfolder.places import log, read_small
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import NAMEABLE
from waypoint_resume.atomic import make_folder, write_atomic
from waypoint_resume.names import from_text, join, to_text
from waypoint_resume.places import can_write
from waypoint_resume.state_copy import copy_state


class _State(NamedTuple):
    """A state file of the old run: its path in the run, what it said, and its time."""

    path: str
    data: bytes
    mtime_ns: int


def offered_run(run_folder: RunFolder, journal: Journal) -> str:
    """The run, relative to the root as text, as which a rewind could come back: a name beside its own that is free."""
    parent, _, name = run_folder.run.rpartition("/")
    place = os.path.join(run_folder.root_path, parent)
    free = free_name(
        to_text(name), f"-rewound-{short_id(journal.id)}", lambda found: os.path.lexists(os.path.join(place, found))
    )
    return to_text(join(parent, from_text(free)))


def as_run_text(run: str, files: int, *, is_done: bool) -> str:
    """What coming back as a new run means, in a sentence; `run` as text."""
    what = f"{files:,} {'file' if files == 1 else 'files'} {'came' if is_done else 'can come'} back"
    return f"{what} as the new run {run}; what was set aside stays until it is purged."


def bring_back_as_run(run_folder: RunFolder, batch: Path, journal: Journal, *, actor: str, now: datetime) -> Returned:
    """Make the new run, with links to the shards of bundles and copies of all else. It appears whole or not at all.

    Only under the run's lock. CoreError where nothing of the batch is whole, ReadOnlyError, NameTakenError, OSError.
    """
    run = from_text(offered_run(run_folder, journal))
    parent, name = run_folder.folder.parent, run.rpartition("/")[2]
    if not can_write(parent):
        raise ReadOnlyError(f"{to_text(str(parent))} cannot be written, so no new run can be made in it.")
    problems = {item.path: why for item in journal.items if (why := _why_not_whole(batch, item)) is not None}
    items = [item for item in journal.items if item.path not in problems]
    if not items:
        raise CoreError(f"Nothing of batch {short_id(journal.id)} can come back: {next(iter(problems.values()), '')}.")
    states = dict(_states(run_folder, batch, journal, items))
    names = [file.name for item in items for file in item.files if file.name not in states]
    linked = {file.name for item in items for file in item.files if _may_link(item, file.name)}
    about = {"batch": journal.id, "items": [item.path for item in items]}
    event = f"undo {journal.kind.value}"
    log(run_folder.folder, actor=actor, event=event, now=now, about={**about, "as": to_text(run)})
    with new_run(parent, name) as folder:
        copy_files(batch / FILES, folder, names, links=lambda one: one in linked)
        for path, state in states.items():
            make_folder((folder / path).parent)
            write_atomic(folder / path, state.data, mtime_ns=state.mtime_ns)
        for item in items:
            any(copy_state(home, folder, from_text(item.path)) for home in run_folder.homes)
        log(folder, actor=actor, event=event, now=now, about={**about, "from": to_text(run_folder.run)})
    told = tuple(Problem(path=path, problem=why) for path, why in problems.items())
    return Returned(journal=journal, files=sum(len(item.files) for item in items), problems=told, new_run=to_text(run))


def _may_link(item: JournalItem, path: str) -> bool:
    return item.format is not None and spec_of(item.format).may_link(path)


def _why_not_whole(batch: Path, item: JournalItem) -> str | None:
    for file in item.files:
        found = lies(batch, file)
        if found is None:
            return f"{file.path} is not in the batch any more"
        if not is_same(file, found):
            return f"{file.path} was written since"
    return None


def _states(
    run_folder: RunFolder, batch: Path, journal: Journal, items: list[JournalItem]
) -> Iterator[tuple[str, _State]]:
    """By their paths, the state files of the new run: those that were rewritten, and those that went as a whole. What
    cannot be read comes along as it is.
    """
    prefixes = {join(run_folder.run, from_text(item.path)) for item in items if item.format in NAMEABLE}
    files = (file for item in items if item.format in NAMEABLE for file in item.files)
    went = (file for file in files if file.name.rpartition("/")[2] == STATE_NAME and file.size <= LIMIT)
    old = [_State(file.name, read_small(batch / FILES / file.name, LIMIT), file.mtime_ns) for file in went]
    old += [_State(from_text(state.path), state.old.encode(), state.mtime_ns) for state in journal.states]
    for state in old:
        data = _of_batch(run_folder, state, prefixes)
        if data is not None:
            yield state.path, state._replace(data=data)


def _of_batch(run_folder: RunFolder, state: _State, prefixes: set[str]) -> bytes | None:
    """What a state file said of some checkpoints (prefixes relative to the root), in paths relative to its own folder,
    which hold wherever the run lies. None where it named none of them.
    """
    path = join(run_folder.run, state.path)
    content = read_content(path, state.data, run_folder.root_path, prefixes)
    there = [entry.prefix for entry in (*content.listed, content.latest) if entry is not None and entry.prefix]
    if not there:
        return None
    latest = content.latest.prefix if content.latest is not None and content.latest.prefix else there[-1]
    return state_text(path.rpartition("/")[0], latest, in_order(content.listed, latest), content.preserved)

"""State files that name what goes: rewritten under the safety rules before it goes, put back after it is back.

What is written is what mending would write (`core.mend.propose`): nothing is listed that the old file did not list.
Where all checkpoints of a sweep's trial go, a state file that would name nothing goes too: TensorFlow raises at an
empty one, and one that names what is gone is a fault that somebody would have to look into.
"""

import os
import posixpath
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.acts.journal import StateRewrite
from core.base.errors import CoreError
from core.base.records import Checkpoint
from core.formats.state_file import NAME
from core.mend.on_disk import on_disk, parse, read, read_content, state_files_in
from core.mend.propose import propose
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import NAMEABLE, prefixes, wanted_prefixes
from waypoint_resume.atomic import remove_stale, sync_folder, write_atomic
from waypoint_resume.names import from_text, to_text

_GONE = ""  # what a state file says that went too: nothing that TensorFlow takes for one
_LATER_NS = 1000  # so that a look at the folder sees the change, and the run does not look live


class Restored(StrEnum):
    """What became of a state file: it says what it said before, or somebody wrote it since and it was left alone."""

    DONE = "done"
    WRITTEN_SINCE = "written since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrites:
    """New contents of state files; and, by prefix relative to the root, why something they name cannot go."""

    states: tuple[StateRewrite, ...]
    refused: dict[str, str]


def rewrites(
    run_folder: RunFolder, members: Sequence[Checkpoint], gone: Collection[str], *, may_empty: bool = False
) -> Rewrites:
    """What the state files of a run must say when some prefixes are gone; `members` are all of its checkpoints.
    `may_empty`: a file of which nothing stays goes too.
    """
    states: list[StateRewrite] = []
    refused: dict[str, str] = {}
    for folder in sorted({item.folder for item in members if item.format in NAMEABLE}):
        for path in state_files_in(run_folder.root_path, folder):
            try:
                found = _rewrite(run_folder, path, members, gone, may_empty=may_empty)
            except (CoreError, OSError) as error:
                reason = f"the state file that names it cannot be rewritten: {error}"
                refused |= dict.fromkeys((prefix for prefix in gone if prefix.rpartition("/")[0] == folder), reason)
            else:
                states += found
    return Rewrites(states=tuple(states), refused=refused)


def _rewrite(
    run_folder: RunFolder, path: str, members: Sequence[Checkpoint], gone: Collection[str], *, may_empty: bool
) -> list[StateRewrite]:
    target = run_folder.state_file(run_folder.within(path))
    data = read(target)
    if data is None:
        return []
    wanted = wanted_prefixes((parse(path, data),), run_folder.root_path) | prefixes(members)
    existing = on_disk(run_folder.root_path, wanted)
    content = read_content(path, data, run_folder.root_path, existing)
    entries = content.listed if content.latest is None else (content.latest, *content.listed)
    if not any(entry.prefix in gone for entry in entries):
        return []
    staying = [item for item in members if item.path not in gone]
    is_last = existing <= frozenset(gone) and not any(item.format in NAMEABLE for item in staying)
    if may_empty and is_last and posixpath.basename(path) == NAME:
        new = _GONE
    else:
        proposal = propose(path, data, run_folder.root_path, staying, existing - frozenset(gone))
        assert proposal is not None  # the file names what is gone then
        new = proposal.new.decode()
    rewrite = StateRewrite(
        path=to_text(run_folder.within(path)),
        old=data.decode(),
        new=new,
        mtime_ns=os.lstat(target).st_mtime_ns,
    )
    return [rewrite]


def write_states(run_folder: RunFolder, states: Iterable[StateRewrite]) -> None:
    """Write the new contents. CoreError where one is not what it was; OSError."""
    for state in states:
        target = run_folder.state_file(from_text(state.path))
        found = read(target)
        if (found or b"") == state.new.encode():
            continue  # begun again
        if found != state.old.encode():
            raise CoreError(f"{state.path} was written since: nothing was moved. Look at the plan again.")
        remove_stale(target)
        if state.new == _GONE:
            target.unlink()
            sync_folder(target.parent)
        else:
            write_atomic(target, state.new.encode(), mtime_ns=state.mtime_ns + _LATER_NS)


def restore_state(run_folder: RunFolder, state: StateRewrite) -> Restored:
    """Put an old content and its time back, if the file says what we wrote, or the old content already."""
    target = run_folder.state_file(from_text(state.path))
    now = read(target)
    if now == state.old.encode():
        return Restored.DONE
    if (now or b"") != state.new.encode():
        return Restored.WRITTEN_SINCE
    write_atomic(target, state.old.encode(), mtime_ns=state.mtime_ns)
    return Restored.DONE

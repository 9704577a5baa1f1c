"""The way back, as undo and recovery share it: files, then the state files, then the journal's next stage."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.acts.folders import remove_empty
from core.acts.journal import Journal, Stage, StateRewrite
from core.acts.journal_files import write_journal
from core.acts.moves import lies, put_back
from core.acts.rewrites import Restored, restore_state
from core.acts.room import give_room, with_room
from core.base.errors import CoreError
from core.base.files import Problem
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import remove_stale
from waypoint_resume.names import from_text

# What is told where `Returned.withdrawn` holds.
WITHDRAWN = (
    "The rewind's manifest was withdrawn: a job that is started now goes on from the newest checkpoint, not the pick."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came back: the journal as it stands now, how many files are back, and what is not as it was. `new_run` is
    the run, relative to the root, as which they came back; None where they are in their places. `withdrawn`: the
    rewind's manifest was withdrawn, so that no job goes back to its pick.
    """

    journal: Journal
    files: int
    problems: tuple[Problem, ...]
    new_run: str | None = None
    withdrawn: bool = False


def bring_back(run_folder: RunFolder, batch: Path, journal: Journal) -> Returned:
    """Put everything back that can be, and write how it ended: undone, or done with what stays in quarantine."""
    run = run_folder.folder
    failed = put_back(run, batch, journal)
    problems = [Problem(path=path, problem=reason) for path, reason in failed.items()]
    waiting = []
    for state in journal.states:
        problem, is_final = _restore(run_folder, batch, journal, state, failed)
        problems += [] if problem is None else [problem]
        waiting += [] if is_final else [state]
    remove_empty(batch)
    stays = _what_stays(batch, journal, waiting)
    after = with_room(batch, lambda: write_journal(batch, stays))
    if after.stage is Stage.UNDONE:
        give_room(batch)
    return Returned(journal=after, files=len(journal.files) - len(failed), problems=tuple(problems))


def _what_stays(batch: Path, journal: Journal, waiting: list[StateRewrite]) -> Journal:
    """The batch as undone, or reduced to what still lies in it, as one that is done."""
    items = []
    for item in journal.items:
        files = tuple(file for file in item.files if lies(batch, file) is not None)
        items += [item.model_copy(update={"files": files, "elsewhere": None})] if files else []
    if not items:
        return journal.model_copy(update={"stage": Stage.UNDONE})
    return journal.model_copy(
        update={"stage": Stage.DONE, "items": tuple(items), "states": tuple(waiting), "undo": None}
    )


def _restore(
    run_folder: RunFolder, batch: Path, journal: Journal, state: StateRewrite, failed: Collection[str]
) -> tuple[Problem | None, bool]:
    """Restore a state file, or say why not; and whether that is the last word."""
    with contextlib.suppress(CoreError, OSError):
        remove_stale(run_folder.state_file(from_text(state.path)))  # what a killed write left
    away = set(_not_in_place(journal, failed))
    if from_text(state.path).rpartition("/")[0] in away:
        return _left_alone(state, "not all that it named is back in its place"), False
    try:
        # What never came to be is taken back whole; a job that lives by now writes its own list in any case.
        if journal.stage is not Stage.MOVING and run_folder.is_live():
            return _left_alone(state, "the run is live, and its job never reads it again"), True
        if with_room(batch, lambda: restore_state(run_folder, state)) is Restored.WRITTEN_SINCE:
            return _left_alone(state, "somebody wrote it since"), True
    except (CoreError, OSError) as error:
        return _left_alone(state, str(error)), False
    return None, True


def _left_alone(state: StateRewrite, reason: str) -> Problem:
    return Problem(path=state.path, problem=f"was left as it is: {reason}")


def _not_in_place(journal: Journal, failed: Collection[str]) -> Iterator[str]:
    """The folders of items that are not back where they were."""
    for item in journal.items:
        if item.elsewhere is not None or any(file.path in failed for file in item.files):
            yield item.parent

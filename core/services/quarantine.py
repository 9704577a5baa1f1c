"""A plan carried out, and what became of it: quarantine, undo, purge, the way out of a full disk, what a kill left."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.acts.acting import DiskFullError, find
from core.acts.as_new_run import as_run_text
from core.acts.batches import Batch, Batches, batches
from core.acts.delete_now import Deleted, delete_now
from core.acts.journal import FOLDERS, JournalFile, JournalKind, Stage, read_journal, short_id
from core.acts.purge import Purged, purge, purge_older
from core.acts.quarantine import Act, Quarantined, holding_plan, quarantine
from core.acts.recovery import WITHDRAWN, Recovered, Returned, needs_recovery, recover
from core.acts.undo import ConflictError, OnConflict, undo
from core.base.errors import CoreError, NotFoundError
from core.base.records import Run
from core.retention.planned import RunPlan
from core.retention.policies import Policy
from core.retention.recheck import Replan
from core.runfolder.run_folder import RunFolder
from core.services.retention import governing, links_now, run_state, trials_asked
from core.services.workspace import Workspace, relative
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN

__all__ = [
    "WITHDRAWN",
    "Batch",
    "CarriedOut",
    "ConflictError",
    "Deleted",
    "JournalFile",
    "JournalKind",
    "Place",
    "Quarantined",
    "Returned",
    "Stage",
    "as_run_text",
    "batch_files",
    "carry_out",
    "delete",
    "execute",
    "find_quarantined_run",
    "purge_batch",
    "purge_old",
    "quarantined_run",
    "recover_run",
    "run_batches",
    "short_id",
    "undo_batch",
    "undo_batches",
]

Place = tuple[str, str, str]  # where a batch lies: the root's id, the run, the batch's id


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOut:
    """What became of one run's part of a plan: `done`, or the `problem` that kept it from being done; `is_full`: its
    disk has no room for quarantine.
    """

    planned: RunPlan
    done: Quarantined | Deleted | None = None
    problem: str | None = None
    is_full: bool = False


def carry_out(
    workspace: Workspace,
    parts: Iterable[RunPlan],
    *,
    policy: Policy | None = None,
    note: str = "",
    words: Collection[str] = (),
    is_delete: bool = False,
) -> Iterator[CarriedOut]:
    """Carry out a plan that was confirmed, run by run as the answers are taken: into quarantine, or deleted for good.

    What goes wrong in one run does not keep the others from theirs; parts without items are passed over. `policy` is
    the one that was tried, `words` are the names of runs that were typed.
    """
    for planned in parts:
        if not planned.items:
            continue
        name = to_text(planned.run)
        word = name if name in words else ""
        try:
            run = workspace.reader.run(planned.root, planned.run, workspace.now())
            if is_delete:
                done: Quarantined | Deleted = delete(
                    workspace, run, planned, policy=policy, note=note, empties=True, confirm=word
                )
            else:
                done = execute(workspace, run, planned, policy=policy, note=note, empties=True, word=word)
        except (CoreError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            yield CarriedOut(planned=planned, problem=reason, is_full=isinstance(error, DiskFullError))
        else:
            yield CarriedOut(planned=planned, done=done)


def execute(
    workspace: Workspace,
    run: Run,
    planned: RunPlan,
    *,
    policy: Policy | None = None,
    note: str = "",
    empties: bool = False,
    word: str = "",
) -> Quarantined:
    """Move one run's part of a plan into quarantine. The catalog must be fresh: `Workspace.refresh` first. `empties`:
    somebody typed `confirmation_of` the plan; `word` is the run's name from whoever says that its job has ended.
    """
    act = Act(actor=workspace.actor, now=workspace.now(), note=note, empties=empties)
    with holding_plan(_by_word(workspace.acted_on(run), planned, word), planned, act) as held:
        return quarantine(held, _replan(workspace, run, planned, policy))


def delete(
    workspace: Workspace,
    run: Run,
    planned: RunPlan,
    *,
    policy: Policy | None = None,
    confirm: str,
    note: str = "",
    empties: bool = False,
) -> Deleted:
    """Delete one run's part of a plan for good, at once: the way out of a full disk. `confirm` is the run's name. The
    catalog must be fresh.
    """
    act = Act(actor=workspace.actor, now=workspace.now(), note=note, empties=empties)
    with holding_plan(_by_word(workspace.acted_on(run), planned, confirm), planned, act) as held:
        return delete_now(held, _replan(workspace, run, planned, policy), confirm=confirm)


def _replan(workspace: Workspace, run: Run, planned: RunPlan, policy: Policy | None) -> Replan:
    by = governing(workspace, planned, policy)
    links, trials = links_now(workspace, run), trials_asked(workspace, [by])
    return Replan(
        state=run_state(workspace, run, links, trials=trials, metrics=by.metrics),
        policy=by,
        grace=workspace.settings.write_grace,
    )


def _by_word(run_folder: RunFolder, planned: RunPlan, word: str) -> RunFolder:
    has_word = planned.needs_word and word == to_text(run_folder.run)
    return replace(run_folder, liveness=replace(run_folder.liveness, has_word=has_word))


def undo_batch(workspace: Workspace, run: Run, batch: str, *, rename: bool = False) -> Returned:
    """Put a batch back; with `rename` what would write over newer files goes into a folder of its own, and a rewind as
    a whole comes back as a new run.
    """
    conflict = OnConflict.RENAME if rename else OnConflict.REFUSE
    return undo(workspace.acted_on(run), batch, actor=workspace.actor, now=workspace.now(), on_conflict=conflict)


def undo_batches(workspace: Workspace, places: Iterable[Place], *, rename: bool = False) -> Iterator[Returned]:
    """`undo_batch` of batches of several runs, one by one as the answers are taken; the first that fails ends it."""
    for root, run, batch in places:
        yield undo_batch(workspace, quarantined_run(workspace, root, run), batch, rename=rename)


def purge_batch(workspace: Workspace, run: Run, batch: str, *, confirm: str) -> Purged:
    """Delete a batch for good."""
    where, links = workspace.acted_on(run), links_now(workspace, run)
    return purge(where, batch, confirm=confirm, actor=workspace.actor, now=workspace.now(), links=links)


def purge_old(workspace: Workspace, run: Run, days: float) -> tuple[Purged, ...]:
    """Delete a run's batches that are so old."""
    where, links = workspace.acted_on(run), links_now(workspace, run)
    return purge_older(where, days, actor=workspace.actor, now=workspace.now(), links=links)


def run_batches(workspace: Workspace, run: Run) -> Batches:
    """A run's batches, newest first; read from disk now."""
    return batches(workspace.run_folder(run.root, run.path).folder)


def batch_files(workspace: Workspace, run: Run, batch: str) -> tuple[JournalFile, ...]:
    """The files of a batch that was not purged, by its whole id; read from disk now. OSError, CoreError."""
    return read_journal(find(workspace.run_folder(run.root, run.path).folder, batch)).files


def recover_run(workspace: Workspace, run: Run) -> tuple[Recovered, ...]:
    """End what a kill left half-done in a run."""
    if not needs_recovery(workspace.run_folder(run.root, run.path).folder):
        return ()
    return recover(workspace.acted_on(run), actor=workspace.actor, now=workspace.now())


def quarantined_run(workspace: Workspace, root: str, path: str) -> Run:
    """The run that batches lie in, also where all of it went into quarantine, so that the catalog knows no such run.

    NotFoundError where there are neither.
    """
    try:
        return workspace.reader.run(root, path, workspace.now())
    except NotFoundError:
        hidden = Path(workspace.absolute(root, path)) / HIDDEN
        if not any((hidden / name).is_dir() for name in FOLDERS):
            raise
    return Run(root=root, path=path)


def find_quarantined_run(workspace: Workspace, text: str) -> Run:
    """`quarantined_run`, named as people name a run. NotFoundError as of `Workspace.find_run`."""
    try:
        return workspace.find_run(text)
    except NotFoundError:
        for root in workspace.reader.roots():
            path = relative(text, root.path)
            if path is not None:
                with contextlib.suppress(NotFoundError):
                    return quarantined_run(workspace, root.id, path)
        raise

"""Disk space as pages and the shell ask for it: audit, growth, plan, quarantine, undo, purge, pins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.acts.acting import ConfirmError, find
from core.acts.batches import Batches, batches
from core.acts.delete_now import Deleted, delete_now
from core.acts.journal import FOLDERS, JournalFile
from core.acts.journal_files import read_journal
from core.acts.purge import Purged, purge, purge_older
from core.acts.quarantine import Act, Quarantined, quarantine
from core.acts.recover import Recovered, needs_recovery, recover
from core.acts.returns import Returned
from core.acts.room import has_room_for
from core.acts.undo import OnConflict, undo
from core.base.errors import NotFoundError
from core.base.files import Problem
from core.base.records import Checkpoint, Run
from core.catalog.filters import FindingFilter
from core.resume.history import read_manifests
from core.resume.kept import bring_back, kept_checkpoints, take_away
from core.retention.again import Replan
from core.retention.links import Links
from core.retention.plan import make_plan
from core.retention.planned import Plan, RunPlan, RunState
from core.retention.policies import Policy
from core.retention.tables import policy_for
from core.runfolder import pins
from core.runfolder.pins import Pin, read_pins
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import needed_prefixes
from core.services.links import known_links, links_now
from core.services.sweeps import TrialPlaces
from core.services.workspace import Workspace
from waypoint_resume.kept import Kept
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN

Elsewhere = Mapping[str, str]  # checkpoints that stay for a state file that names them, and those files


def plan(
    workspace: Workspace,
    runs: Sequence[Run],
    policy: Policy | None = None,
    elsewhere: Mapping[str, Elsewhere] | None = None,
    trials: TrialPlaces | None = None,
    links: Links | None = None,
) -> Plan:
    """What would go from some runs, by the retention of the settings or by a policy that is tried. Moves nothing.

    `elsewhere` is `named_elsewhere` of each root, `trials` and `links` (`known_links`) are places read before, for
    whoever plans many runs one by one.
    """
    trials = trials or TrialPlaces(workspace)
    known = links or known_links(workspace)
    named = dict(elsewhere or {root: named_elsewhere(workspace, root) for root in {run.root for run in runs}})

    def policy_of(root_path: str, run: str) -> Policy:
        return policy_for(workspace.retention, root_path, run) if policy is None else policy

    states = (run_state(workspace, run, known, named[run.root], trials) for run in runs)
    return make_plan(states, policy_of, grace=workspace.settings.write_grace, made_at=workspace.now())


def run_state(
    workspace: Workspace,
    run: Run,
    links: Links | None = None,
    elsewhere: Elsewhere | None = None,
    trials: TrialPlaces | None = None,
) -> RunState:
    """A run as the catalog and the decisions on disk have it now."""
    run_folder = workspace.run_folder(run.root, run.path)
    now_ns = run_folder.now_ns()
    accepted = workspace.reader.findings(FindingFilter(root=run.root, run=run.path, accepted=True), limit=None)
    checkpoints = workspace.members(run.root, run.path)
    is_leased_now = run_folder.has_job(now_ns)
    is_recent = workspace.reader.run(run.root, run.path, workspace.now()).status == "live"
    largest = max((item.bytes for item in checkpoints), default=0)
    return RunState(
        root=run.root,
        root_path=run_folder.root_path,
        run=run.path,
        is_live=is_recent or is_leased_now,
        may_have_ended=is_recent and not is_leased_now and not has_room_for(run_folder.folder, largest),
        now_ns=now_ns,
        checkpoints=checkpoints,
        leftovers=workspace.reader.leftovers(run.root, run.path),
        pins=read_pins(run_folder),
        manifests=read_manifests(run_folder),
        named_by=named_elsewhere(workspace, run.root) if elsewhere is None else elsewhere,
        links=(links or known_links(workspace)).into_run(run_folder.root_path, run.path),
        accepted={one.finding.path: one.finding.accepted or "" for one in accepted},
        trial=(trials or TrialPlaces(workspace)).of(run),
    )


def named_elsewhere(workspace: Workspace, root: str) -> dict[str, str]:
    """What state files of a root name that does not lie beside them, and what those of other names than `checkpoint`
    name as their latest, which somebody chose (a best one): with the state file, which is not rewritten about it.
    """
    root_path = workspace.root(root).path
    return {
        prefix: state.path
        for state in workspace.reader.all_states(root)
        for prefix in needed_prefixes(state, root_path)
    }


def confirmation_of(plan: Plan) -> str | None:
    """What must be typed before a plan is carried out that leaves trials without a checkpoint: `7 trials`."""
    count = plan.emptied
    return None if not count else "1 trial" if count == 1 else f"{count} trials"


def require_confirmation(plan: Plan, *typed: str) -> None:
    """ConfirmError where `confirmation_of` a plan is not among what was typed."""
    wanted = confirmation_of(plan)
    if wanted is not None and wanted not in [text.strip() for text in typed]:
        raise ConfirmError(
            f"All checkpoints of {wanted} would go: to confirm that, give {wanted!r}. Nothing was moved."
        )


def execute(
    workspace: Workspace,
    run: Run,
    planned: RunPlan,
    *,
    policy: Policy,
    note: str = "",
    actor: str | None = None,
    empties: bool = False,
    word: str = "",
) -> Quarantined:
    """Move one run's part of a plan into quarantine. The catalog must be fresh: `Workspace.refresh` first. `empties`:
    somebody typed `confirmation_of` the plan; `word` is the run's name from whoever says that its job has ended.
    """
    replan = _replan(workspace, run, policy)
    act = Act(actor=actor or workspace.settings.actor, now=workspace.now(), note=note, empties=empties)
    return quarantine(_by_word(workspace.acted_on(run), planned, word), planned, replan, act)


def delete(
    workspace: Workspace,
    run: Run,
    planned: RunPlan,
    *,
    policy: Policy,
    confirm: str,
    note: str = "",
    empties: bool = False,
    actor: str | None = None,
) -> Deleted:
    """Delete one run's part of a plan for good, at once: the way out of a full disk. `confirm` is the run's name. The
    catalog must be fresh.
    """
    replan = _replan(workspace, run, policy)
    act = Act(actor=actor or workspace.settings.actor, now=workspace.now(), note=note, empties=empties)
    return delete_now(_by_word(workspace.acted_on(run), planned, confirm), planned, replan, act, confirm=confirm)


def _replan(workspace: Workspace, run: Run, policy: Policy) -> Replan:
    return Replan(
        state=lambda: run_state(workspace, run, links_now(workspace, run)),
        policy=policy,
        grace=workspace.settings.write_grace,
    )


def _by_word(run_folder: RunFolder, planned: RunPlan, word: str) -> RunFolder:
    has_word = planned.needs_word and word == to_text(run_folder.run)
    return replace(run_folder, liveness=replace(run_folder.liveness, has_word=has_word))


def undo_batch(
    workspace: Workspace, run: Run, batch: str, *, rename: bool = False, actor: str | None = None
) -> Returned:
    """Put a batch back; with `rename` what would write over newer files goes into a folder of its own, and a rewind as
    a whole comes back as a new run.
    """
    who = actor or workspace.settings.actor
    conflict = OnConflict.RENAME if rename else OnConflict.REFUSE
    return undo(workspace.acted_on(run), batch, actor=who, now=workspace.now(), on_conflict=conflict)


def purge_batch(workspace: Workspace, run: Run, batch: str, *, confirm: str, actor: str | None = None) -> Purged:
    """Delete a batch for good."""
    who = actor or workspace.settings.actor
    where, links = workspace.acted_on(run), links_now(workspace, run)
    return purge(where, batch, confirm=confirm, actor=who, now=workspace.now(), links=links)


def purge_old(workspace: Workspace, run: Run, days: float, actor: str | None = None) -> tuple[Purged, ...]:
    """Delete a run's batches that are so old."""
    who = actor or workspace.settings.actor
    where, links = workspace.acted_on(run), links_now(workspace, run)
    return purge_older(where, days, actor=who, now=workspace.now(), links=links)


def run_batches(workspace: Workspace, run: Run) -> Batches:
    """A run's batches, newest first; read from disk now."""
    return batches(workspace.run_folder(run.root, run.path).folder)


def batch_files(workspace: Workspace, run: Run, batch: str) -> tuple[JournalFile, ...]:
    """The files of a batch that was not purged, by its whole id; read from disk now. OSError, CoreError."""
    return read_journal(find(workspace.run_folder(run.root, run.path).folder, batch)).files


def recover_run(workspace: Workspace, run: Run, actor: str | None = None) -> tuple[Recovered, ...]:
    """End what a kill left half-done in a run."""
    if not needs_recovery(workspace.run_folder(run.root, run.path).folder):
        return ()
    return recover(workspace.acted_on(run), actor=actor or workspace.settings.actor, now=workspace.now())


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


def pin_of(workspace: Workspace, checkpoint: Checkpoint) -> Pin | Problem | None:
    """The pin of a checkpoint, read from disk now; a problem where the pins cannot be understood."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    found, path = read_pins(run_folder), to_text(run_folder.within(checkpoint.path))
    here = (one for one in found.pins if (one.path, one.format) == (path, checkpoint.format))
    return next(iter(found.problems), None) or next(here, None)


def pin(workspace: Workspace, checkpoint: Checkpoint, note: str = "", actor: str | None = None) -> Pin:
    """Keep a checkpoint under every policy."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    who, path = actor or workspace.settings.actor, to_text(run_folder.within(checkpoint.path))
    return pins.pin(run_folder, path, checkpoint.format, actor=who, now=workspace.now(), note=note)


def unpin(workspace: Workspace, checkpoint: Checkpoint, actor: str | None = None) -> Pin:
    """Undo a pin."""
    run_folder = workspace.run_folder(checkpoint.root, checkpoint.run)
    who, path = actor or workspace.settings.actor, to_text(run_folder.within(checkpoint.path))
    return pins.unpin(run_folder, path, checkpoint.format, actor=who, now=workspace.now())


def kept(workspace: Workspace, root: str, run: str) -> tuple[Kept, ...]:
    """What jobs kept of what was handed over to them in a run, the newest manifest first."""
    return kept_checkpoints(workspace.run_folder(root, run))


def bring_kept_back(workspace: Workspace, root: str, run: str, manifest: str, actor: str | None = None) -> str:
    """Bring what is kept for a manifest back under a free name, relative to the run as text."""
    who = actor or workspace.settings.actor
    return bring_back(workspace.run_folder(root, run), manifest, actor=who, now=workspace.now())


def take_kept_away(workspace: Workspace, root: str, run: str, manifest: str, actor: str | None = None) -> None:
    """Undo `bring_kept_back`."""
    who = actor or workspace.settings.actor
    take_away(workspace.run_folder(root, run), manifest, actor=who, now=workspace.now())

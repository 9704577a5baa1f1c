"""What is done about findings: verified, accepted with a note, put right. The pages and the shell share this."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core.base.records import Checkpoint, Finding, Run
from core.catalog import verified
from core.catalog.answers import PlacedFinding
from core.catalog.rows import from_us, to_us
from core.catalog.verified import VerifiedRow
from core.health.subject import Subjects, identity
from core.mend.of_run import MendDesk
from core.runfolder import accepted
from core.services.workspace import Workspace
from core.verify.results import Outcome, Verification, from_document, to_document
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The last verification of a checkpoint; `holds` is False when one of its files changed since."""

    verification: Verification
    finished_at: datetime
    holds: bool


def keep_verification(workspace: Workspace, checkpoint: Checkpoint, result: Verification) -> None:
    """Keep a verification; the next pass judges the run anew. One that was cancelled or failed says nothing and is not
    kept.
    """
    if result.outcome not in (Outcome.VERIFIED, Outcome.DAMAGED):
        return
    row = VerifiedRow(identity(result.files), to_us(result.finished_at), json.dumps(to_document(result)))
    with workspace.engine.begin() as connection:
        verified.store_verification(connection, checkpoint, row)


def verification(workspace: Workspace, checkpoint: Checkpoint) -> Kept | None:
    """The last verification of a checkpoint."""
    with workspace.engine.connect() as connection:
        row = verified.load_verification(connection, checkpoint)
    if row is None:
        return None
    holds = row.identity == identity(checkpoint.files)
    found = from_document(json.loads(row.detail))
    return Kept(verification=found, finished_at=from_us(row.finished_us), holds=holds)


def accept(workspace: Workspace, placed: Iterable[PlacedFinding], note: str, actor: str | None = None) -> None:
    """Accept findings: they are so on purpose. Each counts no more until what it is about changes."""
    who, now = actor or workspace.settings.actor, workspace.now()
    for (root, run), found in _by_run(placed).items():
        subjects = _subjects(workspace, root, run)
        items = [
            accepted.new(one.rule, one.path, run, subjects.identity(one), note=note, actor=who, now=now)
            for one in found
        ]
        accepted.accept(workspace.run_folder(root, run), items, now=now, actor=who)


def withdraw_acceptance(workspace: Workspace, placed: Iterable[PlacedFinding], actor: str | None = None) -> None:
    """Undo `accept`."""
    who, now = actor or workspace.settings.actor, workspace.now()
    for (root, run), found in _by_run(placed).items():
        run_folder = workspace.run_folder(root, run)
        keys = [(one.rule, to_text(run_folder.within(one.path))) for one in found]
        accepted.withdraw(run_folder, keys, now=now, actor=who)


def _by_run(placed: Iterable[PlacedFinding]) -> dict[tuple[str, str], list[Finding]]:
    found: dict[tuple[str, str], list[Finding]] = {}
    for one in placed:
        found.setdefault((one.root, one.run), []).append(one.finding)
    return found


def mend_desk(workspace: Workspace, run: Run) -> MendDesk:
    """Where a run's state files are put right, from what the catalog knows of it."""
    return MendDesk(
        root=workspace.root(run.root),
        run=run,
        members=workspace.members(run.root, run.path),
        states=workspace.reader.states(run.root, run.path),
        live_window=workspace.settings.live_window,
        decisions_dir=workspace.settings.decisions_dir,
    )


def _subjects(workspace: Workspace, root: str, run: str) -> Subjects:
    members, leftovers = workspace.members(root, run), workspace.reader.leftovers(root, run)
    return Subjects(members, leftovers, workspace.reader.states(root, run))

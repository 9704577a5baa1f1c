"""What was found to be wrong, by rule and by run; and accepting it with a note, or taking that back."""

from collections.abc import Iterable

from core.base.records import Finding
from core.catalog.answers import PlacedFinding
from core.catalog.filters import FindingFilter
from core.catalog.finding_groups import FindingGroup, grouped
from core.catalog.rows import folder_of
from core.health.rule import Rule
from core.health.rules import RULES
from core.health.subject import Subjects
from core.runfolder import accepted
from core.runfolder.places import relative_to_run
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

__all__ = [
    "RULES",
    "FindingFilter",
    "FindingGroup",
    "PlacedFinding",
    "Rule",
    "accept",
    "folder_of",
    "grouped",
    "relative_to_run",
    "withdraw_acceptance",
]


def accept(workspace: Workspace, placed: Iterable[PlacedFinding], note: str) -> None:
    """Accept findings: they are so on purpose. Each counts no more until what it is about changes."""
    now = workspace.now()
    for (root, run), found in _by_run(placed).items():
        subjects = _subjects(workspace, root, run)
        items = [
            accepted.new(one.rule, one.path, run, subjects.identity(one), note=note, actor=workspace.actor, now=now)
            for one in found
        ]
        accepted.accept(workspace.run_folder(root, run), items, now=now, actor=workspace.actor)


def withdraw_acceptance(workspace: Workspace, placed: Iterable[PlacedFinding]) -> None:
    """Undo `accept`."""
    now = workspace.now()
    for (root, run), found in _by_run(placed).items():
        run_folder = workspace.run_folder(root, run)
        keys = [(one.rule, to_text(run_folder.within(one.path))) for one in found]
        accepted.withdraw(run_folder, keys, now=now, actor=workspace.actor)


def _by_run(placed: Iterable[PlacedFinding]) -> dict[tuple[str, str], list[Finding]]:
    found: dict[tuple[str, str], list[Finding]] = {}
    for one in placed:
        found.setdefault((one.root, one.run), []).append(one.finding)
    return found


def _subjects(workspace: Workspace, root: str, run: str) -> Subjects:
    members, leftovers = workspace.members(root, run), workspace.reader.leftovers(root, run)
    return Subjects(members, leftovers, workspace.reader.states(root, run))

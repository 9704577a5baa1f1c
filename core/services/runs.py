"""Runs: how they are listed, and which checkpoint of each series is to be resumed from."""

from core.catalog.answers import Overview
from core.catalog.filters import RunFilter
from core.catalog.run_queries import RUN_SORTS
from core.indexing.existing_prefixes import existing_prefixes
from core.runs.choice import PassedOver, SeriesChoice, choose, closed_folders, killed_saves, reasons
from core.runs.state_files import prefixes, wanted_prefixes
from core.services.workspace import Workspace
from core.stores.local import LocalStore

__all__ = [
    "RUN_SORTS",
    "Overview",
    "PassedOver",
    "RunFilter",
    "SeriesChoice",
    "closed_folders",
    "killed_saves",
    "reasons",
    "series_choices",
]


def series_choices(workspace: Workspace, root_id: str, run: str) -> tuple[SeriesChoice, ...]:
    """Which checkpoint to resume from, for each series of a run."""
    root_path = workspace.root(root_id).path
    states = workspace.reader.states(root_id, run)
    members = workspace.members(root_id, run)
    wanted = wanted_prefixes(states, root_path)
    existing = prefixes(members)
    existing |= existing_prefixes(LocalStore(root_path), wanted - existing)
    return choose(members, states, root_path, existing)

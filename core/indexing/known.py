"""What the catalog knows of folders and checkpoints, taken up into a pass."""

from collections.abc import Collection, Sequence
from typing import Any

from core.base.records import Checkpoint, Finding, Health
from core.catalog import writes
from core.catalog.known_folders import KnownFolder
from core.formats.state_file import is_foreign
from core.health import files as file_rules
from core.indexing.folder_records import FolderResult
from waypoint_resume.names import to_text


def by_folder(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Checkpoint, ...]]:
    """Known checkpoints by the folder that holds them."""
    found: dict[str, list[Checkpoint]] = {}
    for item in writes.checkpoints_of(rows):
        found.setdefault(item.folder, []).append(item)
    return {folder: tuple(items) for folder, items in found.items()}


def unread(rows: Sequence[dict[str, Any]], read: Collection[str], run: str) -> list[Checkpoint]:
    """Known checkpoints of the folders that need not be read, judged anew from their facts."""
    skipped = {to_text(path) for path in read} if rows else set()
    items = writes.checkpoints_of(row for row in rows if row["folder"] not in skipped)
    return [item._replace(run=run, findings=_judged(item)) for item in items]


def _judged(item: Checkpoint) -> tuple[Finding, ...]:
    return () if item.health is Health.WRITING else file_rules.judge(item.path, item.format, item.facts)


def settled(folder: KnownFolder, result: FolderResult, looked_by: str) -> KnownFolder:
    """A folder's record after it was read."""
    return folder._replace(
        signature=result.signature,
        states=result.states,
        leftovers=result.leftovers,
        problems=result.problems,
        recheck=result.recheck,
        links=result.listing.outside,
        inner_links=result.listing.inner_links,
        kinds=result.held.kinds,
        endings=result.held.endings,
        looked_by=looked_by,
        read_by=result.read_by,
    )


def is_all_foreign(result: FolderResult) -> bool:
    """Whether all that looked like units in a folder is other tools'."""
    return not result.checkpoints and all(is_foreign(state) for state in result.states)

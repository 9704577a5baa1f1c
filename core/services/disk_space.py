"""Where the disk went, as pages and the shell ask for it: the audit that was kept last, a new one, growth."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.catalog import audits
from core.catalog.audits import RootSnapshot
from core.disk_usage import audit as auditing
from core.disk_usage.audit import AuditRoot
from core.disk_usage.growth import Growth, Growths, Snapshot, growth, snapshots
from core.disk_usage.known_files import Kind, known_files
from core.disk_usage.usage import Age, Amount, Usage
from core.disk_usage.usage_document import from_json, to_json
from core.services.workspace import Workspace
from core.stores.local import LocalStore
from waypoint_resume.names import short_id

__all__ = [
    "Age",
    "Amount",
    "Audited",
    "Growth",
    "Growths",
    "Kind",
    "Usage",
    "audit",
    "growth_since",
    "last_audit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """An audit and when it was made."""

    usage: Usage
    at: datetime


def audit(workspace: Workspace) -> Audited:
    """Walk every root now, and keep what was found. Takes as long as a few `du`."""
    roots, every = [], workspace.runs()
    for root in workspace.reader.roots():
        runs = [run.path for run in every if run.root == root.id]
        # Run by run: all checkpoints at once would need gigabytes.
        members = (item for run in runs for item in workspace.members(root.id, run))
        left = workspace.reader.all_leftovers(root.id)
        roots.append(AuditRoot(id=root.id, store=LocalStore(root.path), known=known_files(runs, members, left)))
    now = workspace.now()
    usage = auditing.audit(roots, int(now.timestamp()) * 1_000_000_000)
    audits.store_audit(workspace.engine, _scope(workspace), now, to_json(usage), _by_root(snapshots(usage, now)))
    return Audited(usage=usage, at=now)


def last_audit(workspace: Workspace) -> Audited | None:
    """The last audit of these roots; None before the first."""
    found = audits.load_audit(workspace.engine, _scope(workspace))
    return None if found is None else Audited(usage=from_json(found[1]), at=found[0])


def growth_since(workspace: Workspace, days: float) -> Growths | None:
    """What grew since the oldest snapshot of so many days; None where there are no two."""
    ids = [root.id for root in workspace.reader.roots()]
    kept = audits.load_snapshots(workspace.engine, ids, workspace.now() - timedelta(days=days))
    first: dict[str, RootSnapshot] = {}
    last: dict[str, RootSnapshot] = {}
    for one in kept:
        first.setdefault(one.root, one)
        last[one.root] = one
    pairs = [root for root in first if first[root].at != last[root].at]
    if not pairs:
        return None
    return growth(_rows(first[root] for root in pairs), _rows(last[root] for root in pairs))


def _scope(workspace: Workspace) -> str:
    return short_id(*sorted(root.id for root in workspace.reader.roots()))


def _by_root(rows: Iterable[Snapshot]) -> Iterable[RootSnapshot]:
    by_root: dict[str, list[Snapshot]] = {}
    for row in rows:
        by_root.setdefault(row.root, []).append(row)
    for root, items in by_root.items():
        yield RootSnapshot(root, items[0].at, tuple((item.run, item.apparent, item.allocated) for item in items))


def _rows(kept: Iterable[RootSnapshot]) -> list[Snapshot]:
    return [
        Snapshot(one.at, one.root, run, apparent, allocated) for one in kept for run, apparent, allocated in one.runs
    ]

"""Manifests: what was handed over to the jobs of runs, what became of it, and taking it back. Read from disk now."""

import contextlib
import os

from core.base.errors import PlaceError
from core.base.files import Problem
from core.resume.history import UNFINISHED, ManifestEntry, ManifestState, may_hold_manifests, read_manifests
from core.resume.manifest import Manifest, to_json
from core.resume.receipts import ReceiptEntry, read_receipts
from core.resume.rewind import PlanItem, read_plan
from core.resume.withdrawal import reinstate, withdraw
from core.runfolder.run_folder import RunFolder
from core.services.workspace import Workspace
from waypoint_resume.claim_record import Claim
from waypoint_resume.job_environment import JobEnvironment, job_environment
from waypoint_resume.places import MANIFEST

__all__ = [
    "Claim",
    "Manifest",
    "ManifestEntry",
    "ManifestState",
    "ReceiptEntry",
    "all_manifests",
    "environment",
    "manifest_problems",
    "manifest_receipts",
    "reinstate_manifest",
    "run_manifests",
    "set_aside",
    "to_json",
    "unfinished",
    "unreadable_manifests",
    "withdraw_manifest",
]


def run_manifests(workspace: Workspace, root_id: str, run: str) -> tuple[ManifestEntry, ...]:
    """A run's manifests, newest first; read from disk now."""
    return read_manifests(workspace.run_folder(root_id, run)).entries


def manifest_problems(workspace: Workspace, root_id: str, run: str) -> tuple[Problem, ...]:
    """The manifests in place that cannot be read: `manifests` tells nothing of them, and no job starts."""
    found = read_manifests(workspace.run_folder(root_id, run))
    return tuple(problem for problem in found.problems if problem.path == MANIFEST)


def manifest_receipts(workspace: Workspace, root_id: str, run: str, manifest_id: str) -> tuple[ReceiptEntry, ...]:
    """What the starts that followed a manifest restored, newest first; read from disk now."""
    return read_receipts(workspace.run_folder(root_id, run), manifest_id)


def all_manifests(workspace: Workspace) -> tuple[tuple[str, str, ManifestEntry], ...]:
    """Every manifest with its root and run, newest first. A run whose folder went away has none."""
    found: list[tuple[str, str, ManifestEntry]] = []
    roots = {root.id: root for root in workspace.reader.roots()}
    for run in workspace.runs():
        with contextlib.suppress(PlaceError):
            place = RunFolder.of(roots[run.root], run.path, workspace.settings.decisions_dir)
            if any(may_hold_manifests(home) for home in place.homes):
                found += [(run.root, run.path, entry) for entry in read_manifests(place).entries]
    return tuple(sorted(found, key=lambda item: item[2].manifest.id, reverse=True))


def unreadable_manifests(workspace: Workspace) -> tuple[tuple[str, str, Problem], ...]:
    """What `manifest_problems` says of every run that has one in place, with its root and run."""
    found: list[tuple[str, str, Problem]] = []
    for run in workspace.runs():
        with contextlib.suppress(PlaceError):
            homes = workspace.run_folder(run.root, run.path).homes
            if any(os.path.lexists(home / MANIFEST) for home in homes):
                found += [(run.root, run.path, problem) for problem in manifest_problems(workspace, run.root, run.path)]
    return tuple(found)


def withdraw_manifest(workspace: Workspace, root_id: str, run: str, manifest_id: str) -> None:
    """Take a manifest back that is pending, or whose job lives no more; `reinstate` undoes it."""
    withdraw(workspace.run_folder(root_id, run), manifest_id, actor=workspace.actor, now=workspace.now())


def reinstate_manifest(workspace: Workspace, root_id: str, run: str, manifest_id: str) -> None:
    """Undo a withdrawal."""
    reinstate(workspace.run_folder(root_id, run), manifest_id, actor=workspace.actor, now=workspace.now())


def unfinished(workspace: Workspace, root_id: str, run: str) -> ManifestEntry | None:
    """The manifest of a run that waits for its job, or that a job claimed and has not finished."""
    entries = run_manifests(workspace, root_id, run)
    return next((entry for entry in entries if entry.is_current and entry.state in UNFINISHED), None)


def set_aside(entry: ManifestEntry) -> tuple[PlanItem, ...]:
    """What the claim of a rewind will set aside. OSError, CoreError where its plan cannot be read."""
    return read_plan(entry.path.parent, entry.manifest.id).items


def environment(workspace: Workspace, root_id: str, run: str) -> JobEnvironment:
    """What a job of a run would be told; claims nothing."""
    place = workspace.run_folder(root_id, run)
    return job_environment(place.folder, list(place.homes))

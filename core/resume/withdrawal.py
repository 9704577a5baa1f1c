"""Manifests that people take back, and bring back. The record of it lies beside the manifest, which stays as it is."""

import json
from datetime import datetime
from pathlib import Path

from core.base.errors import NotFoundError
from core.resume.errors import StateError
from core.resume.history import UNFINISHED, WITHDRAWN, ManifestEntry, ManifestState, read_manifests
from core.runfolder.places import hidden_folder, log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import sync_folder, write_atomic
from waypoint_resume.claim_record import Claim
from waypoint_resume.clock import moment_text
from waypoint_resume.places import HIDDEN


def withdraw(run_folder: RunFolder, manifest_id: str, *, actor: str, now: datetime) -> None:
    """Take a manifest back that is pending, or claimed by a job that lives no more; jobs leave it alone from then on.

    StateError for any other state, and while a job lives in the run.
    """
    with run_folder.locked() as home:
        withdraw_held(run_folder, home, manifest_id, actor=actor, now=now)


def withdraw_held(run_folder: RunFolder, home: Path, manifest_id: str, *, actor: str, now: datetime) -> None:
    """The same for the one that holds the lock of `home`, where the record is written."""
    entry = _require(run_folder, manifest_id, UNFINISHED)
    about: dict[str, str] = {"manifest": manifest_id}
    if entry.claim is not None:
        _require_no_job(run_folder, entry.claim)
        if entry.claim.uuid is None:
            raise StateError(
                f"The claim of manifest {manifest_id} cannot be understood, so it cannot be withdrawn: hand a "
                "checkpoint over again, which replaces it."
            )
        about["claim"] = entry.claim.uuid
    log(home, actor=actor, event="withdraw manifest", now=now, about=about)
    record = {**about, "actor": actor, "at": moment_text(now)}
    write_atomic(hidden_folder(home, WITHDRAWN) / f"{manifest_id}.json", json.dumps(record, indent=2).encode() + b"\n")


def _require_no_job(run_folder: RunFolder, claim: Claim) -> None:
    if run_folder.has_job():
        raise StateError(
            f"A job ({claim.job or 'without a name'}) lives in this run and follows the manifest: end it first. One "
            "that was killed elsewhere counts as living for two minutes."
        )


def reinstate(run_folder: RunFolder, manifest_id: str, *, actor: str, now: datetime) -> None:
    """Undo `withdraw`: the manifest is pending or claimed again. StateError if it is not withdrawn or was replaced."""
    with run_folder.locked() as home:
        entry = _require(run_folder, manifest_id, frozenset({ManifestState.WITHDRAWN}))
        if not entry.is_current:
            raise StateError(f"Manifest {manifest_id} was replaced since: hand its checkpoint over again.")
        log(home, actor=actor, event="reinstate manifest", now=now, about={"manifest": manifest_id})
        for place in {home, run_folder.folder}:
            record = place / HIDDEN / WITHDRAWN / f"{manifest_id}.json"
            if record.exists():
                record.unlink()
                sync_folder(record.parent)


def _require(run_folder: RunFolder, manifest_id: str, needed: frozenset[ManifestState]) -> ManifestEntry:
    """A manifest of the run in a state that an action needs; the id may come from anywhere."""
    for entry in read_manifests(run_folder).entries:
        if entry.manifest.id == manifest_id:
            if entry.state not in needed:
                allowed = " or ".join(state.value for state in ManifestState if state in needed)
                raise StateError(f"Manifest {manifest_id} is {entry.state.value}, not {allowed}.")
            return entry
    raise NotFoundError(f"No manifest {manifest_id!r} in this run.")

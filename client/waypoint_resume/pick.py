"""Whether what a start restores is what the manifest names: by content, for jobs save over their own files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.identity import identity_of, identity_problems
from waypoint_resume.manifest import check_files
from waypoint_resume.names import from_text


def picked_path(manifest: Mapping[str, Any]) -> str:
    """The path of the checkpoint that a manifest names, relative to the run, as it stands on the disk."""
    return from_text(manifest["checkpoint"]["path"])


def is_pick(decision: Decision, path: str) -> bool:
    """Whether the checkpoint at a path relative to the run is, byte for byte, the one that was handed over.

    At the first start its files were compared with the manifest a moment ago. What they were then stands in the claim
    (`picked`), with which a restart compares; a claim without it is compared by the manifest's own sizes and hashes.
    """
    manifest, claim = decision.manifest, decision.claim
    if manifest is None:
        return False
    if not decision.is_restart:
        return path == picked_path(manifest)
    known = (claim or {}).get("picked")
    if known is not None and not identity_problems(known):
        with contextlib.suppress(OSError):
            return bool(identity_of(decision.run, path).digest == known["digest"])
        return False
    return path == picked_path(manifest) and _is_as_handed_over(decision.run, manifest)


def note_restored(decision: Decision, path: str, *, is_picked: bool) -> None:
    """Write into the claim what is restored, with its identity, so that a later start knows it by its content."""
    record: dict[str, Any] | None = None
    with contextlib.suppress(OSError):
        record = identity_of(decision.run, path).record() if decision.claim is not None else None
    more = {"picked": record} if is_picked and not decision.is_restart else {}
    decision.note(checkpoint=path, restored=record, error=None, error_at=None, **more)


def _is_as_handed_over(run: Path, manifest: Mapping[str, Any]) -> bool:
    try:
        check_files(run, manifest)
    except ResumeError:
        return False
    return True

"""Whether what a start restores is what the manifest names: by content, for jobs save over their own files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.identity import identity_of, identity_problems
from waypoint_resume.kept import kept_in
from waypoint_resume.manifest import check_files, way_out
from waypoint_resume.names import from_text


def picked_path(manifest: Mapping[str, Any]) -> str:
    """The path of the checkpoint that a manifest names, relative to the run, as it stands on the disk."""
    return from_text(manifest["checkpoint"]["path"])


def place_of_pick(decision: Decision) -> tuple[str, str | None]:
    """Where the checkpoint that the manifest names lies, by its content: at its path, else where a former start kept a
    copy of it (relative to the run, or absolute where decisions lie elsewhere), with what is to be said of that.

    ResumeError where it is nowhere. At the first start its files were looked at a moment before.
    """
    assert decision.manifest is not None
    name = picked_path(decision.manifest)
    if not decision.is_restart or is_pick(decision, name):
        return name, None
    copy = kept_copy(decision, str(decision.manifest["id"]))
    if copy is None:
        check_files(decision.run, decision.manifest)  # says in which way it is another one
        raise ResumeError(
            f"{name} is not what the manifest {decision.manifest['id']} named when it was claimed, and no copy of that "
            f"is kept. {way_out(decision.run)} Nothing was loaded."
        )
    return (
        copy,
        f"{name} was saved over or cut since it was handed over: the copy that was kept of it is taken, {copy}.",
    )


def kept_copy(decision: Decision, own: str) -> str | None:
    """The path of the whole copy that was kept under an id, relative to the run; absolute where it lies elsewhere."""
    for item in kept_in(decision.home):
        if item.manifest == own and item.is_whole():
            return item.path_from(decision.run)
    return None


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
    if path == picked_path(manifest):
        return _is_as_handed_over(decision.run, manifest)
    return path == kept_copy(decision, str(manifest["id"]))


def note_restored(decision: Decision, path: str, *, is_picked: bool) -> None:
    """Write into the claim what is restored, with its identity, so that a later start knows it by its content. The pick
    goes by its own name, also where it is the copy that was kept of it.
    """
    record: dict[str, Any] | None = None
    with contextlib.suppress(OSError):
        record = identity_of(decision.run, path).record() if decision.claim is not None else None
    more = {"picked": record} if is_picked and not decision.is_restart else {}
    if is_picked and decision.manifest is not None:
        path = picked_path(decision.manifest)
    decision.note(checkpoint=path, restored=record, error=None, error_at=None, **more)


def _is_as_handed_over(run: Path, manifest: Mapping[str, Any]) -> bool:
    try:
        check_files(run, manifest)
    except ResumeError:
        return False
    return True

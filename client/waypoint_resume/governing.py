"""Which manifest governs a run now: read, and nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.claim import CLAIMS
from waypoint_resume.claim_record import is_withdrawn, read_claim
from waypoint_resume.files import read_record
from waypoint_resume.manifest import parse_manifest, read_manifest_bytes
from waypoint_resume.places import HIDDEN, MANIFEST


def governing(
    homes: Sequence[Path], records: Sequence[Path] = ()
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The manifest that a job of this run follows and its claim, if it has one; (None, None) where there is none.

    That is the newest that stands in place, unless it was withdrawn unclaimed, or its job has finished. `records` are
    further homes in which claims and withdrawals may lie.
    """
    places = [home / MANIFEST for home in homes]
    found = [parse_manifest(data, str(path)) for path in places if (data := read_manifest_bytes(path)) is not None]
    if not found:
        return None, None
    manifest = max(found, key=lambda item: str(item["id"]))

    def record(name: str) -> dict[str, Any] | None:
        known = (read_record(home / HIDDEN / name) for home in (*homes, *records))
        return next((item for item in known if item is not None), None)

    held, withdrawal = record(f"{CLAIMS}/{manifest['id']}.claim"), record(f"withdrawn/{manifest['id']}.json")
    claimed = None if held is None else read_claim(held)
    is_over = is_withdrawn(withdrawal, claimed) or (claimed is not None and claimed.is_finished)
    return (None, None) if is_over else (manifest, held)

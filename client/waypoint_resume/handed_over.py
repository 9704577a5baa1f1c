"""The manifest that a job is to follow: in the run that it names, or in the folder that the dashboard took for it.

Before any job has named a folder, the dashboard's run may be a folder below (`RUN/out`) or above it. What was decided
there holds for the job, and its paths are read as paths of the run that the job names.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.governing import governing
from waypoint_resume.layout import decided_above, manifests_below
from waypoint_resume.names import to_text
from waypoint_resume.places import MANIFEST, decision_homes


@dataclass(frozen=True)
class Handed:
    """A manifest that governs, its paths relative to the job's run; its claim, if it has one; and `base`, the folder in
    which it was handed over, where its claim lies too.
    """

    manifest: dict[str, Any]
    claim: dict[str, Any] | None
    base: Path


def find_handed(run: Path) -> Handed | None:
    """What a job of this run is to follow. ResumeError where several may be meant, or one cannot be read."""
    own = _handed(run, run)
    below = [handed for base in sorted(manifests_below(run)) if (handed := _handed(base, run)) is not None]
    if own is not None:  # an older one below was replaced by it
        below = [handed for handed in below if handed.manifest["id"] > own.manifest["id"]]
    found = [*([own] if own is not None else []), *below] or _above(run)
    if len(found) > 1:
        lines = [f"{item.base / MANIFEST}: {item.manifest['checkpoint']['path']}" for item in found]
        raise ResumeError(
            "\n  ".join([f"Several manifests may be meant for a job of {run}; nothing was claimed or loaded:", *lines])
            + "\nWithdraw those that are not, or name the folder that is meant as the run."
        )
    return found[0] if found else None


def _handed(base: Path, run: Path) -> Handed | None:
    """What governs in a folder, for a job of `run`; None where that is nothing, or about a checkpoint outside of it."""
    manifest, held = governing(decision_homes(base), decision_homes(run) if base != run else ())
    if manifest is None:
        return None
    moved = rebased(manifest, base, run)
    return None if moved is None else Handed(moved, held, base)


def _above(run: Path) -> list[Handed]:
    base = decided_above(run)
    if base is None:
        return []
    try:
        handed = _handed(base, run)
    except ResumeError:  # nobody knows whom it is about, and most jobs below are none of its business
        return []
    return [] if handed is None else [handed]


def rebased(manifest: dict[str, Any], base: Path, run: Path) -> dict[str, Any] | None:
    """A manifest with its paths relative to a run below or above the folder it was handed over in; None where its
    checkpoint does not lie in that run.
    """
    if base == run:
        return manifest
    moved = copy.deepcopy(manifest)
    picked = moved["checkpoint"]
    for item in (picked, *picked["files"]):
        name = rebased_path(item["path"], base, run)
        if name is None:
            return None
        item["path"] = name
    return moved


def rebased_path(path: str, base: Path, run: Path) -> str | None:
    """A path of a manifest, a plan or a record, relative to `base`, as one relative to `run`; None outside of it."""
    if base == run:
        return path
    if base.is_relative_to(run):
        above = to_text(base.relative_to(run).as_posix())
        return above if path == "." else f"{above}/{path}"
    below = to_text(run.relative_to(base).as_posix()) if run.is_relative_to(base) else None
    if below is None or not (path == below or path.startswith(f"{below}/")):
        return None
    return path[len(below) + 1 :] or "."

"""What people decided about a run, as it stands now, for those who judge it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import CoreError
from core.runfolder import accepted, pins, tags
from core.runfolder.accepted import Accepted
from core.runfolder.run_folder import RunFolder
from core.runfolder.tags import RunTags
from waypoint_resume.places import HIDDEN

_FILES = (accepted.NAME, pins.NAME, tags.NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Accepted findings by (rule, path relative to the run as text); pinned checkpoints as (path relative to the run as
    text, format), None where they cannot be read and everything counts as pinned; what was said of the run; what could
    not be read.
    """

    accepted: Mapping[tuple[str, str], Accepted] = field(default_factory=dict)
    pinned: frozenset[tuple[str, str]] | None = frozenset()
    tags: RunTags = field(default_factory=RunTags)
    problem: str | None = None


def stamp(run_folder: RunFolder) -> str:
    """Changes when a decision does; empty where nothing was decided. Costs two or four calls of stat."""
    return " ".join(filter(None, (_mark(home / HIDDEN / name) for home in run_folder.homes for name in _FILES)))


def read_decisions(run_folder: RunFolder) -> Decisions:
    """Read what was decided. Never raises for what lies there: nothing is accepted then, and all is pinned."""
    try:
        run_folder = run_folder.checked()
        pinned = pins.read_pins(run_folder)
        found = accepted.read(run_folder)
    except (CoreError, OSError) as error:
        return Decisions(pinned=None, problem=str(error))
    said, unread = _said(run_folder)
    keys = None if pinned.problems else frozenset((item.path, item.format.value) for item in pinned.pins)
    return Decisions(
        accepted={(item.rule, item.path): item for item in found},
        pinned=keys,
        tags=said,
        problem=pinned.problems[0].problem if pinned.problems else unread,
    )


def _said(run_folder: RunFolder) -> tuple[RunTags, str | None]:
    """What was said of a run; nothing, and why, where that cannot be read."""
    try:
        return tags.read_tags(run_folder), None
    except (CoreError, OSError) as error:
        return RunTags(), str(error)


def _mark(path: Path) -> str:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{path.name}:{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"

"""What people decided about a run, as it stands now, for those who judge it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import CoreError
from core.runfolder import accepted, pins
from core.runfolder.accepted import Accepted
from core.runfolder.places import decisions_folder, run_folder
from waypoint_resume.places import HIDDEN

_FILES = (accepted.NAME, pins.NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Accepted findings by (rule, path relative to the run as text); pinned checkpoints as (path relative to the run as
    text, format), None where they cannot be read and everything counts as pinned; what could not be read.
    """

    accepted: Mapping[tuple[str, str], Accepted] = field(default_factory=dict)
    pinned: frozenset[tuple[str, str]] | None = frozenset()
    problem: str | None = None


def stamp(root_path: str, root: str, run: str, decisions_dir: Path | None) -> str:
    """Changes when a decision does; empty where nothing was decided. Costs two or four calls of stat."""
    homes = [Path(root_path) if run == "." else Path(root_path, run)]
    if decisions_dir is not None:
        homes.append(decisions_folder(decisions_dir, root, run))
    return " ".join(filter(None, (_mark(home / HIDDEN / name) for home in homes for name in _FILES)))


def standing(root_path: str, root: str, run: str, decisions_dir: Path | None) -> Standing:
    """Read what was decided. Never raises for what lies there: nothing is accepted then, and all is pinned."""
    try:
        folder = run_folder(root_path, run)
        other = None if decisions_dir is None else decisions_folder(decisions_dir, root, run)
        pinned = pins.read_pins(folder, other)
        found = accepted.read(folder, other)
    except (CoreError, OSError) as error:
        return Standing(pinned=None, problem=str(error))
    keys = None if pinned.problems else frozenset((item.path, item.format.value) for item in pinned.pins)
    return Standing(
        accepted={(item.rule, item.path): item for item in found},
        pinned=keys,
        problem=pinned.problems[0].problem if pinned.problems else None,
    )


def _mark(path: Path) -> str:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{path.name}:{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"

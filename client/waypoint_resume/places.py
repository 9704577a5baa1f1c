"""Where the decisions about a run lie: in the run's folder, or below WAYPOINT_DECISIONS_DIR."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from waypoint_resume.errors import ResumeError

HIDDEN = ".waypoint"
MANIFEST = "resume_manifest.json"


def decision_homes(run: Path) -> list[Path]:
    """Where decisions about a run may lie: in the run, and below WAYPOINT_DECISIONS_DIR under the id of its root.

    The job does not know which folder is the root, so every folder above the run is tried for one that exists.
    """
    base = os.environ.get("WAYPOINT_DECISIONS_DIR")
    homes = [run]
    for root in (run, *run.parents) if base else ():
        name = hashlib.blake2b(os.fsencode(root), digest_size=6).hexdigest()
        home = Path(str(base)) / name / run.relative_to(root)
        if home.is_dir():
            homes.append(home)
    return homes


def writable_home(run: Path, homes: Sequence[Path]) -> Path:
    """The home that takes claims and leases: the run's folder if it can be written."""
    writable = [home for home in homes if os.access(home, os.W_OK | os.X_OK)]
    if not writable:
        raise ResumeError(
            f"{run} cannot be written. Set WAYPOINT_DECISIONS_DIR to the folder that the dashboard uses for read-only "
            "runs, or make the run writable."
        )
    return writable[0]

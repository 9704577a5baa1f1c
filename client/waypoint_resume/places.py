"""Where the decisions about a run lie: in the run's folder, or below WAYPOINT_DECISIONS_DIR."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from waypoint_resume.atomic import make_folder
from waypoint_resume.errors import ResumeError
from waypoint_resume.names import short_id, to_text

HIDDEN = ".waypoint"
MANIFEST = "resume_manifest.json"
NAMED = "run.json"  # in HIDDEN: a job has named this folder as its run


def is_named_run(folder: Path) -> bool:
    """Whether a job has named a folder as its run: what lies in it belongs to that job."""
    return (folder / HIDDEN / NAMED).is_file()


def decision_homes(run: Path) -> list[Path]:
    """Where decisions about a run may lie: in the run, and below WAYPOINT_DECISIONS_DIR under the id of its root.

    The job does not know which folder is the root, so every folder above the run is tried for one that exists.
    """
    base = os.environ.get("WAYPOINT_DECISIONS_DIR")
    homes = [run]
    for root in (run, *run.parents) if base else ():
        home = Path(str(base)) / short_id(str(root)) / run.relative_to(root)
        if home.is_dir():
            homes.append(home)
    return homes


def writable_home(run: Path, homes: Sequence[Path]) -> Path:
    """The home that takes claims and leases: the run's folder if it can be written."""
    writable = [home for home in homes if takes_decisions(home)]
    if not writable:
        raise ResumeError(not_writable(run))
    return writable[0]


def takes_decisions(home: Path) -> bool:
    """Whether decisions can be written there: into the folder, and into its `.waypoint` where that exists."""
    return all(can_write(place) for place in (home, home / HIDDEN) if place.exists())


def not_writable(home: Path) -> str:
    """What a person is told where `takes_decisions` says no."""
    blocked = to_text(str(home / HIDDEN if can_write(home) else home))
    return (
        f"{blocked} cannot be written. Let its group write there (chmod -R g+rwX {blocked}), or set "
        "WAYPOINT_DECISIONS_DIR (decisions_dir in waypoint.toml) to a folder that takes the decisions about read-only "
        "runs, the same for the dashboard and the job."
    )


def can_write(folder: Path) -> bool:
    """Whether this process may make and rename what is in a folder."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def hidden_folder(home: Path, *names: str) -> Path:
    """`.waypoint` of a home, or a folder in it, made where it is missing. NotADirectoryError where a link stands."""
    folder = home
    make_folder(home)
    for name in (HIDDEN, *names):
        folder /= name
        make_folder(folder)
    return folder

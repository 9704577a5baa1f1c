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
        home = _home_below(Path(str(base)), root, run)
        if home.is_dir():
            homes.append(home)
    return homes


def writable_home(run: Path, homes: Sequence[Path]) -> Path:
    """The home that takes claims and leases: the run's folder if it can be written, else the run's folder below
    WAYPOINT_DECISIONS_DIR, which is made where the root is known. ResumeError.
    """
    writable = [home for home in homes if takes_decisions(home)]
    base = os.environ.get("WAYPOINT_DECISIONS_DIR")
    if writable:
        return writable[0]
    if not base:
        raise ResumeError(not_writable(run))
    roots = _known_roots(run, Path(base))
    if len(homes) > 1 or len(roots) != 1:
        raise ResumeError(_no_home(run, Path(base), [home for home in homes if home != run]))
    home = _home_below(Path(base), roots[0], run)
    try:
        make_folder(home)
    except OSError as error:
        raise ResumeError(
            f"{to_text(str(run))} cannot be written, and {to_text(str(home))}, below WAYPOINT_DECISIONS_DIR, cannot be "
            f"made ({error.strerror}): let this job's user write in {to_text(base)} (chmod -R g+rwX)."
        ) from error
    return home


def _known_roots(run: Path, base: Path) -> list[Path]:
    """The folders above a run that are roots of a dashboard: one has decided something there, or WAYPOINT_ROOTS says
    so.
    """
    named = {os.path.realpath(name) for name in os.environ.get("WAYPOINT_ROOTS", "").split(os.pathsep) if name}
    above = (run, *run.parents)
    return [root for root in above if str(root) in named] or [
        root for root in above if (base / short_id(str(root))).is_dir()
    ]


def _home_below(base: Path, root: Path, run: Path) -> Path:
    return base / short_id(str(root)) / run.relative_to(root)


def _no_home(run: Path, base: Path, homes: Sequence[Path]) -> str:
    """What a person is told where WAYPOINT_DECISIONS_DIR is set and takes nothing about a run."""
    if homes:
        blocked = " and ".join(to_text(str(home)) for home in homes)
        return (
            f"Neither {to_text(str(run))} nor {blocked}, below WAYPOINT_DECISIONS_DIR, can be written: let this job's "
            f"user write there (chmod -R g+rwX {blocked})."
        )
    example = to_text(str(_home_below(base, run.parent, run)))
    return (
        f"{to_text(str(run))} cannot be written, and {to_text(str(base))} (WAYPOINT_DECISIONS_DIR) has no folder for "
        "it: which folder above it is the dashboard's root cannot be told. Set WAYPOINT_ROOTS to that root, as for the "
        f"dashboard, and the folder is made; or make it: mkdir -p {example}, if the root is {to_text(str(run.parent))}."
    )


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

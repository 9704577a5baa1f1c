"""Temporary files and folders that killed writers left in `.waypoint`: the next start removes them.

States, receipts, claims and copies are written by who holds the run's lease (a job) or its lock (the dashboard), so a
start that has both knows that what is temporary there was left. All else (requests, what workers ask and answer) goes
by age, told by the time of the last change (ctime), which no writer sets back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.atomic import is_temp
from waypoint_resume.claim import CLAIMS
from waypoint_resume.clock import disk_now
from waypoint_resume.ended_record import FITS
from waypoint_resume.files import names_in_folder
from waypoint_resume.kept import KEPT
from waypoint_resume.places import HIDDEN
from waypoint_resume.receipt import RECEIPTS
from waypoint_resume.state_store import STATE

SPARED_S = 600.0  # seconds without a change after which nobody is writing any more
_HELD = frozenset({STATE, RECEIPTS, CLAIMS, KEPT, FITS})  # folders that nobody writes without lease or lock


def clean_hidden(home: Path) -> int:
    """Remove what killed writers left in a home's `.waypoint` and the folders in it; how many there were.

    Only for the one that holds both the run's lease and its lock.
    """
    hidden = home / HIDDEN
    found = remove_temps(hidden, spared=SPARED_S)
    for name in names_in_folder(hidden):
        folder = hidden / name
        if folder.is_dir() and not folder.is_symlink() and not is_temp(name):
            found += remove_temps(folder, spared=0.0 if name in _HELD else SPARED_S)
    return found


def remove_temps(folder: Path, *, spared: float = 0.0) -> int:
    """Remove the temporary files and folders that lie in a folder, but for those that changed within `spared` seconds;
    how many there were. What cannot be removed stays.
    """
    found = [folder / name for name in names_in_folder(folder) if is_temp(name)]
    until = disk_now(folder) - spared if found and spared else float("inf")
    gone = [path for path in found if _last_change(path) <= until]
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return len(gone)


def _last_change(path: Path) -> float:
    """The newest ctime of a file, or of a folder and all that lies in it, in seconds since 1970."""
    return max(_changes(path), default=0.0)


def _changes(path: Path) -> Iterator[float]:
    places = [str(path), *(os.path.join(top, name) for top, below, files in os.walk(path) for name in below + files)]
    for place in places:
        with contextlib.suppress(OSError):  # gone meanwhile
            yield os.lstat(place).st_ctime

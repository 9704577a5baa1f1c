"""Room for a purge on a full disk: a file beside the journal that is deleted first, when nothing can be written.

A purge writes before it deletes (its line in the log, its journal), and disks are purged when they are full.
"""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from waypoint_resume.journal import JOURNAL

ROOM = "room"
_LOG = 16 * 1024  # bytes for a line of the log and new names in folders
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")


def keep_room(batch: Path) -> None:
    """Set aside as much as the journal takes, and a little; without an error where there is not even that."""
    place = batch / ROOM
    try:
        with open(place, "xb") as file:
            file.write(b"\0" * ((batch / JOURNAL).stat().st_size + _LOG))
    except FileExistsError:
        return
    except OSError:
        give_room(batch)


def give_room(batch: Path) -> None:
    """Give back what was set aside."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(batch / ROOM)


def with_room(batch: Path, action: Callable[[], T]) -> T:
    """Do something that writes; where the disk is full, once more in the room that was set aside."""
    try:
        return action()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        give_room(batch)
        return action()

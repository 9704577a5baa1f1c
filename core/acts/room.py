"""Room on a full disk: a file beside the journal, made before anything is moved, deleted when nothing can be written.

An act writes before it moves or deletes (its line in the log, its journal), and disks are cleared when they are full.
Where not even that file can be made, nothing is done: what was begun could neither be told nor taken back.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from core.base.errors import CoreError
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import to_text

ROOM = "room"
_LOG = 16 * 1024  # bytes for a line of the log and new names in folders
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")


class DiskFullError(CoreError, OSError):
    """The disk of a run takes nothing more, so that nothing was done."""

    def __init__(self, run: Path) -> None:
        super().__init__(
            errno.ENOSPC,
            f"No space left on device for {to_text(str(run))}: nothing was moved. Quarantine writes a journal first, "
            "and frees nothing until it is purged: delete at once instead (on the Storage page, or by `quarantine "
            "--delete` in a shell), or free some bytes by hand.",
        )

    def __str__(self) -> str:
        return str(self.strerror)


def is_full(error: OSError) -> bool:
    """Whether there is no room, on the disk or in somebody's quota."""
    return error.errno in _FULL


@contextlib.contextmanager
def telling_full(run: Path) -> Iterator[None]:
    """DiskFullError in the place of the system's error."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or isinstance(error, DiskFullError):
            raise
        raise DiskFullError(run) from error


def has_room_for(folder: Path, size: int) -> bool:
    """Whether a folder's disk takes so many bytes, and a little; True where it does not tell."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return True
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize >= size + _LOG


def reserve(batch: Path, size: int) -> None:
    """Set aside `size` bytes and a little for a batch whose folder is there; OSError where there is not even that."""
    place = batch / ROOM
    try:
        with open(place, "xb") as file:
            file.write(b"\0" * (size + _LOG))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return
    except OSError:
        give_room(batch)
        raise


def keep_room(batch: Path) -> None:
    """Set aside as much as the journal takes, and a little; without an error where there is not even that."""
    with contextlib.suppress(OSError):
        reserve(batch, (batch / JOURNAL).stat().st_size)


def give_room(batch: Path) -> None:
    """Give back what was set aside."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(batch / ROOM)


def with_room(batch: Path, action: Callable[[], T]) -> T:
    """Do something that writes; where the disk is full, once more in the room that was set aside."""
    try:
        return action()
    except OSError as error:
        if not is_full(error):
            raise
        give_room(batch)
        return action()

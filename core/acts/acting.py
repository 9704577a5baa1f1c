"""What every action on a run shares: one at a time, only where the run can be written, and with room on a full disk.

An act writes before it moves or deletes (its line in the log, its journal), and disks are cleared when they are full.
So a file beside the journal is made before anything is moved, and deleted when nothing can be written. Where not even
that file can be made, nothing is done: what was begun could neither be told nor taken back.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from core.acts.journal import FILES, FOLDER, FOLDERS, ID, Journal, JournalKind
from core.base.errors import AmbiguousError, CoreError, NotFoundError, ReadOnlyError
from core.runfolder.places import hidden_folder, locked
from core.runfolder.run_folder import RunFolder
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN, can_write

RESERVE = "room"  # the file beside a journal
_LOG = 16 * 1024  # bytes for a line of the log and new names in folders
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")


class ConfirmError(CoreError):
    """What had to be typed was not."""


class StageError(CoreError):
    """A batch is not in the stage that an action needs."""


@contextlib.contextmanager
def acting(run_folder: RunFolder) -> Iterator[None]:
    """Hold the run's decisions. ReadOnlyError, BusyError, PlaceError where a link stands in the place of batches."""
    for place in (run_folder.folder, run_folder.folder / HIDDEN, run_folder.folder / HIDDEN / FOLDER):
        if os.path.lexists(place) and not can_write(place):
            raise _read_only(str(place))
    try:
        with locked(run_folder.folder):
            for name in FOLDERS:
                if os.path.lexists(run_folder.folder / HIDDEN / name):
                    hidden_folder(run_folder.folder, name)
            yield
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        raise _read_only(os.fsdecode(error.filename or run_folder.folder)) from error


def require_writable(batch: Path, journal: Journal) -> None:
    """ReadOnlyError where some of a batch's files could not be moved or deleted, before any of them is."""
    who = "The job" if journal.kind is JournalKind.REWIND else journal.by
    folders = sorted({file.name.rpartition("/")[0] for file in journal.files})
    for place in (batch, *(batch / FILES / folder for folder in folders)):
        if place.is_dir() and not can_write(place):
            raise ReadOnlyError(
                f"{to_text(str(place))} cannot be written: nothing was done. {who} moved these files here; its user "
                "may do it, or give the folder to its group."
            )


def find(run: Path, batch: str) -> Path:
    """A batch's folder by its id or the last digits of it. NotFoundError, AmbiguousError."""
    found = [place for place in batch_places(run) if batch and place.name.endswith(batch)]
    if len(found) > 1:
        raise AmbiguousError(f"{batch!r} fits several batches: {', '.join(place.name for place in found)}.")
    if not found or not (found[0] / JOURNAL).exists():
        raise NotFoundError(f"There is no batch {to_text(batch)!r}.")
    return found[0]


def batch_places(run: Path) -> list[Path]:
    """The folders of a run's batches, oldest first: what went into quarantine, and what rewinds set aside."""
    found: list[Path] = []
    for folder in (run / HIDDEN / name for name in FOLDERS):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            found += (folder / one.name for one in entries if ID.match(one.name) and one.is_dir(follow_symlinks=False))
    return sorted(found, key=lambda place: place.name)


def _read_only(place: str) -> ReadOnlyError:
    return ReadOnlyError(
        f"{to_text(place)} cannot be written, and quarantine is a rename inside the run. Give the plan, which lists "
        "every file, to somebody who may write there."
    )


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


def has_space_for(folder: Path, size: int) -> bool:
    """Whether a folder's disk takes so many bytes, and a little; True where it does not tell."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return True
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize >= size + _LOG


def reserve(batch: Path, size: int) -> None:
    """Set aside `size` bytes and a little for a batch whose folder is there; OSError where there is not even that."""
    place = batch / RESERVE
    try:
        with open(place, "xb") as file:
            file.write(b"\0" * (size + _LOG))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return
    except OSError:
        release(batch)
        raise


def reserve_again(batch: Path) -> None:
    """Set aside as much as the journal takes, and a little; without an error where there is not even that."""
    with contextlib.suppress(OSError):
        reserve(batch, (batch / JOURNAL).stat().st_size)


def release(batch: Path) -> None:
    """Give back what was set aside."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(batch / RESERVE)


def with_reserve(batch: Path, action: Callable[[], T]) -> T:
    """Do something that writes; where the disk is full, once more in the room that was set aside."""
    try:
        return action()
    except OSError as error:
        if not is_full(error):
            raise
        release(batch)
        return action()

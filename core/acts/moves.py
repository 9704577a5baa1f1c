"""Files of a batch, moved between the run and its quarantine. A move never writes over anything, and a kill at any
instant leaves every file in one of its two places, or under both names at once, which the next attempt tells. Their
folders are mirrored in quarantine, and made again as they were.
"""

import contextlib
import errno
import os
import stat as modes
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from core.acts.acting import with_reserve
from core.acts.journal import FILES, Journal, JournalFile, JournalFolder, JournalItem
from core.retention.planned import PlannedFile
from core.stores.local import BLOCK
from waypoint_resume.atomic import make_folder, make_like, sync_folder
from waypoint_resume.journal_folders import folders_on_the_way, is_in, owned_folders
from waypoint_resume.names import folders_above, from_text

# What link answers where a file system has no hard links, or the kernel forbids them for files of others.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_ENTER = 0o700  # whoever makes a folder must be able to fill it
_TAKEN = "stays in quarantine: something else stands in its place now"


class NotMovedError(Exception):
    """An item that did not go as a whole, with the reason; `errno` of the system's error, None for a changed file."""

    def __init__(self, item: JournalItem, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.item, self.errno = item, number


def take(run: Path, batch: Path, journal: Journal) -> None:
    """Move every file into the batch's folder and remove the folders that go. NotMovedError at the first one that
    cannot be moved, or is not what the journal says.
    """
    folders = {folder.name: folder for folder in journal.folders}
    made = {""}
    with_reserve(batch, lambda: make_folder(batch / FILES))
    for item in journal.items:
        for file in item.files:
            try:
                for parent in folders_above(file.name):
                    if parent not in made:
                        with_reserve(batch, partial(_mirror, batch / FILES, folders[parent]))
                        made.add(parent)
                os.rename(run / file.name, batch / FILES / file.name)
                found = os.lstat(batch / FILES / file.name)
            except OSError as error:
                reason = "is on another file system than its run" if error.errno == errno.EXDEV else error.strerror
                raise NotMovedError(item, f"{file.path}: {reason}", error.errno) from error
            if not is_same(file, found):
                raise NotMovedError(item, f"{file.path} was written while it was moved")
    for folder in reversed(journal.folders):
        if folder.goes:
            with contextlib.suppress(OSError):  # something came meanwhile
                os.rmdir(run / folder.name)
    sync([*(batch / FILES / name for name in made), *(run / name for name in made)])


def put_back(run: Path, batch: Path, journal: Journal) -> dict[str, str]:
    """Move every file back, the index of each item last; gives those that are not back, by path, with the reason."""
    folders = {folder.name: folder for folder in journal.folders}
    failed: dict[str, str] = {}
    for item in reversed(journal.items):
        for file in reversed(item.files):
            try:
                reason = _return(run, batch, item, file, folders)
            except OSError as error:
                reason = f"stays in quarantine: it cannot be moved ({error.strerror})"
            if reason is not None:
                failed[file.path] = reason
    going = sorted(folder.name for folder in journal.folders if folder.goes)
    files = {file.name for file in journal.files}
    for item in journal.items:
        if item.elsewhere is None and not any(file.path in failed for file in item.files):
            _finish_folders(run, item, [folders[name] for name in going if is_in(name, from_text(item.path))], files)
    sync(run / parent for parent in {"", *(one for file in journal.files for one in folders_above(file.name))})
    return failed


def _return(
    run: Path, batch: Path, item: JournalItem, file: JournalFile, folders: Mapping[str, JournalFolder]
) -> str | None:
    """Put one file back; why it is not back, None if it is."""
    home, found = item.home(file), lies(batch, file)
    if found is None:
        if is_free(run, home) or not _is_way(run, home):
            return "is gone: it is neither in quarantine nor in its place"
        return None if is_same(file, os.lstat(run / home)) else "was written since"
    if not _is_way(run, home):
        return _TAKEN
    if not os.path.lexists(run / home):
        for parent in folders_above(home):
            with_reserve(batch, partial(_remake, run, parent, folders.get(parent)))
    return None if _move_new(batch / FILES / file.name, run / home, found) else _TAKEN


def is_same(file: JournalFile, found: os.stat_result) -> bool:
    """Whether what was found is the plain file of the journal. Its inode is not asked: some file systems give a file
    another one when it moves.
    """
    return modes.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns)


def is_free(run: Path, name: str) -> bool:
    """Whether a file can be put there: nothing stands in its place, and nothing but folders on the way."""
    return _is_way(run, name) and not os.path.lexists(run / name)


def takes(run: Path, name: str, found: os.stat_result) -> bool:
    """Whether a place takes a file: it is free, or has that very file already, which a kill left under both names."""
    return is_free(run, name) or (_is_way(run, name) and os.path.samestat(found, os.lstat(run / name)))


def lies(batch: Path, file: JournalFile) -> os.stat_result | None:
    """A file in quarantine, None where it is not. Links that somebody put on the way are not followed."""
    if not _is_way(batch, f"{FILES}/{file.name}"):
        return None
    try:
        return os.lstat(batch / FILES / file.name)
    except (FileNotFoundError, NotADirectoryError):
        return None


def held(batch: Path, journal: Journal) -> list[PlannedFile]:
    """The files of a journal that lie in quarantine, as they are now, their paths on disk relative to the run."""
    found = []
    for file in journal.files:
        now = lies(batch, file)
        if now is not None:
            facts = (now.st_size, now.st_mtime_ns, now.st_blocks * BLOCK, now.st_nlink, now.st_ino, now.st_dev)
            found.append(PlannedFile(file.name, *facts))
    return found


def sync(folders: Iterable[Path]) -> None:
    """Make names durable in those folders that are there."""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            sync_folder(folder)


def _move_new(source: Path, target: Path, found: os.stat_result) -> bool:
    """Rename without ever replacing: link, then unlink; False if the place is taken. What stands there afterwards
    counts, not what link said: its answer may be lost on the way from a file server.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if os.path.lexists(target):
            if not os.path.samestat(found, os.lstat(target)):
                return False
        elif error.errno in _NO_LINKS:
            os.rename(source, target)
            return True
        else:
            raise
    os.unlink(source)
    return True


def path_folders(run: Path, items: Iterable[JournalItem]) -> tuple[JournalFolder, ...]:
    """The folders on the way to some items' files, parents first, and those that the items own and leave empty."""
    own = [(from_text(item.path), [file.name for file in item.files]) for item in items]
    return tuple(JournalFolder(**found) for found in folders_on_the_way(run, own))


def _mirror(files: Path, folder: JournalFolder) -> None:
    """A folder in quarantine that lets in whom its original does."""
    make_like(files / folder.name, mode=folder.mode, group=folder.gid)


def _remake(run: Path, name: str, former: JournalFolder | None) -> None:
    """Make a folder that is not there, if it can be as it was; one that exists stays as it is."""
    if os.path.lexists(run / name):
        return
    make_folder(run / name)
    if former is not None:
        _own(run / name, former)
        os.chmod(run / name, former.mode | _ENTER)


def _finish_folders(run: Path, item: JournalItem, going: Sequence[JournalFolder], files: Collection[str]) -> None:
    """The folders that an item owned, as they were, if nothing but a batch's files is in them; also the empty ones."""
    for folder in going:
        _remake(run, folder.name, folder)
    owned = owned_folders(run, from_text(item.path), (file.name for file in item.files), files)
    for folder in going:
        if folder.name in owned:
            _own(run / folder.name, folder)
            with contextlib.suppress(OSError):  # somebody else's, that never went
                os.chmod(run / folder.name, folder.mode)
                os.utime(run / folder.name, ns=(folder.mtime_ns, folder.mtime_ns))


def remove_empty(batch: Path) -> None:
    """Remove the folders below a batch's `files` that hold nothing, and `files` itself."""
    for folder, _, _ in os.walk(batch / FILES, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _is_way(base: Path, name: str) -> bool:
    """Whether nothing but folders stands on the way to a file, as far as there is a way."""
    for parent in folders_above(name):
        try:
            found = os.lstat(base / parent)
        except FileNotFoundError:
            return True
        if not modes.S_ISDIR(found.st_mode):
            return False
    return True


def _own(place: Path, folder: JournalFolder) -> None:
    with contextlib.suppress(OSError):
        os.chown(place, folder.uid, folder.gid)

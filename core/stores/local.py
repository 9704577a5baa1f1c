"""A root on a local or mounted file system."""

import os
import pwd
import stat as modes
from collections.abc import Sequence
from typing import BinaryIO

from core.base.files import FileStat, OutwardLink, Problem
from core.stores.store import Entries, Members
from waypoint_resume.clock import disk_now_ns
from waypoint_resume.names import join, to_text

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_PIECE = 1 << 20
_FAR_NS = 1 << 62  # the year 2116 and as far before 1970: later times, which a disk can hold, are cut there
_new_tuple = tuple.__new__  # FileStat(…) without its Python-level constructor: a walk makes one for each file
BLOCK = 512  # st_blocks counts these, whatever the file system's own block size (POSIX)


class LocalStore:
    """A store below one absolute folder. Links to folders are not followed; links to files only inside the root."""

    def __init__(self, root: str) -> None:
        self.root = root

    def absolute(self, path: str) -> str:
        """The absolute path of a path in this root."""
        return f"{self.root}/{path}" if path else self.root

    def members(self, folder: str) -> Members:
        """The members of a folder; see `Store.members`."""
        is_link, is_regular = modes.S_ISLNK, modes.S_ISREG
        files: list[FileStat] = []
        subfolders: list[str] = []
        problems: list[Problem] = []
        outside: list[OutwardLink] = []
        inner: list[str] = []
        # Through a descriptor of the folder, so that the kernel resolves one name for each stat and not the whole path.
        descriptor = os.open(self.absolute(folder), _FOLDER)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            subfolders.append(entry.name)
                            continue
                        found = entry.stat(follow_symlinks=False)
                        if is_link(found.st_mode):
                            if (target := self._leads_out(folder, entry.name)) is not None:
                                outside.append(OutwardLink(entry.name, target))
                                continue
                            inner.append(entry.name)
                            found = entry.stat()
                        if is_regular(found.st_mode):
                            files.append(file_stat(entry.name, found))
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        place = join(folder, entry.name)
                        problems.append(Problem(path=to_text(place), problem=error.strerror or str(error)))
        finally:
            os.close(descriptor)
        return Members(files, subfolders, problems, outside, inner)

    def _leads_out(self, folder: str, name: str) -> str | None:
        """Where a link leads, if that is not below the root or the root itself; its target is not looked at."""
        target, root = os.path.realpath(os.path.join(self.root, folder, name)), os.path.realpath(self.root)
        is_inside = target == root or target.startswith(root.rstrip(os.sep) + os.sep)
        return None if is_inside else target

    def entries(self, folder: str) -> Entries:
        """Everything in a folder; see `Everything.entries`."""
        found = Entries([], [], [])
        add_name, add_stat = found.names.append, found.stats.append
        descriptor = os.open(self.absolute(folder), _FOLDER | (os.O_NOFOLLOW if folder else 0))
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        add_stat(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        place = to_text(join(folder, entry.name))
                        found.problems.append(Problem(path=place, problem=error.strerror or str(error)))
                        continue
                    add_name(entry.name)
        finally:
            os.close(descriptor)
        return found

    def root_stat(self) -> os.stat_result:
        """The root's own facts, behind a link if it is one."""
        return os.stat(self.root)

    def folder_time(self, folder: str) -> int:
        """The folder's mtime, ns."""
        return os.stat(self.absolute(folder)).st_mtime_ns

    def stat(self, path: str) -> FileStat:
        """One regular file's facts."""
        found = os.stat(self.absolute(path))
        if not modes.S_ISREG(found.st_mode):
            raise FileNotFoundError(f"{to_text(path)} is not a regular file")
        return file_stat(path, found)

    def open(self, path: str) -> BinaryIO:
        """A file for reading. Never blocks on a pipe that took a file's place."""
        return open(os.open(self.absolute(path), _READ), "rb")

    def read(self, path: str, limit: int) -> bytes:
        """A file's first `limit` bytes."""
        (content,) = self.read_ranges(path, ((0, limit),))
        return content

    def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes at some places of one file. Without a file object: a scan does this for every checkpoint."""
        descriptor = os.open(self.absolute(path), _READ)
        try:
            return [_read_range(descriptor, offset, length) for offset, length in ranges]
        finally:
            os.close(descriptor)

    def now_ns(self) -> int:
        """The file server's time, where the root can be written; else the host's."""
        return disk_now_ns(self.root)


NOT_YOURS = "you may not read it"


def told_permission(error: PermissionError) -> str:
    """Whose right is missing: "you may not read it: it belongs to ada (mode 0600)"."""
    try:
        found = os.stat(os.fsdecode(error.filename))
    except (OSError, TypeError, ValueError):
        return NOT_YOURS
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = f"user {found.st_uid}"
    return f"{NOT_YOURS}: its owner is {owner} (mode {modes.S_IMODE(found.st_mode):04o})"


def _read_range(descriptor: int, offset: int, length: int) -> bytes:
    first = os.pread(descriptor, min(length, _PIECE), offset)
    if len(first) == length or not first:
        return first
    pieces = [first]
    position, end = offset + len(first), offset + length
    while position < end and (piece := os.pread(descriptor, min(end - position, _PIECE), position)):
        pieces.append(piece)
        position += len(piece)
    return b"".join(pieces)


def plain_file(path: str | os.PathLike[str]) -> FileStat | None:
    """The facts of the plain file at a path, its name as given; None where none stands there, or a link does."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return file_stat(os.fspath(path), found) if modes.S_ISREG(found.st_mode) else None


def file_stat(name: str, found: os.stat_result) -> FileStat:
    """A regular file's facts as records hold them."""
    time_ns = found.st_mtime_ns
    return _new_tuple(
        FileStat,
        (
            name,
            found.st_size,
            time_ns if -_FAR_NS < time_ns < _FAR_NS else (_FAR_NS if time_ns > 0 else -_FAR_NS),
            found.st_ino,
            found.st_dev,
            found.st_nlink,
            found.st_blocks * BLOCK,
        ),
    )

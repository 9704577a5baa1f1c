"""Writes that survive a kill at any instant: whole or not at all, with the mode, group and owner they should have."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat as modes
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from waypoint_resume.access import folder_access, give, set_mode, take_access, take_place
from waypoint_resume.names import short_id

# What a file system answers that knows no fsync of folders, and one that knows no hard links.
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
TEMP_END = ".waypoint-tmp"


def write_atomic(path: Path, data: bytes, *, fsync: bool = True, mtime_ns: int | None = None) -> None:
    """Write a file so that a reader finds the old content or the new, never a part; a link is replaced, not followed.

    An error (OSError) leaves no temp file behind; a kill may leave one, see `remove_stale`. `fsync=False` is for what
    can be made again: after a power cut such a file may be empty. `mtime_ns` is the time that the file bears.
    """
    with replacing(path, fsync=fsync, mtime_ns=mtime_ns) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, fsync: bool = True, mtime_ns: int | None = None) -> Iterator[BinaryIO]:
    """A new file, for writing and seeking, that takes the place of `path` at the end of the block, as `write_atomic`
    does; after an error the old one stays.
    """
    former = _plain(path)
    temp = path.parent / f"{_temp_start(path)}{secrets.token_hex(8)}{TEMP_END}"
    try:
        with os.fdopen(_create(temp), "w+b") as file:
            if former is None:
                take_access(file.fileno(), path.parent)
            else:
                take_place(file.fileno(), path.parent, former)
            yield file
            file.flush()
            if mtime_ns is not None:
                os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
            if fsync:
                os.fsync(file.fileno())
        os.replace(temp, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise
    if fsync:
        sync_folder(path.parent)


def remove_stale(path: Path) -> int:
    """Remove what killed writers of `path` left; returns how many. Only for the one that may write `path` now."""
    start = _temp_start(path)
    stale = [name for name in os.listdir(path.parent) if name.startswith(start) and name.endswith(TEMP_END)]
    for name in stale:
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's in a folder with the sticky bit
            os.unlink(path.parent / name)
    return len(stale)


def is_temp(name: str) -> bool:
    """Whether a file or folder is one that a write makes before it renames it."""
    return name.startswith(".") and name.endswith(TEMP_END)


def make_folder(path: Path, *, fsync: bool = True) -> None:
    """Make a folder and those above it; each new one has its parent's access. One that exists stays as it is.

    NotADirectoryError where something else, or a link, stands in its place.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        if not path.parent.is_dir():
            make_folder(path.parent, fsync=fsync)
        try:
            os.mkdir(path)
        except FileExistsError:
            return make_folder(path, fsync=fsync)  # another process was faster
        with _opened_folder(path) as handle:
            parent = os.stat(path.parent)
            give(handle, -1, parent.st_gid)
            set_mode(handle, folder_access(parent, os.fstat(handle).st_gid))
        if fsync:
            sync_folder(path.parent)
        return None
    if not modes.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(path))
    return None


def make_like(path: Path, *, mode: int, group: int) -> None:
    """Make one folder that lets in whom another one does, of which mode and group are given, and always its owner."""
    os.mkdir(path, 0o700)
    with _opened_folder(path) as handle:
        give(handle, -1, group)
        set_mode(handle, mode | modes.S_IRWXU)


def link_aside(source: Path, target: Path, *, fsync: bool = True) -> None:
    """Keep a file under a second name before a rename writes over the first.

    Where the same file or the same bytes stand under `target` already (a killed writer came this far) nothing is
    done; other bytes are FileExistsError. A file system without hard links gets a copy. On network file systems the
    answer to link may be lost, so what counts is what stands there afterwards.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if not os.path.lexists(target):
            if error.errno not in _NO_LINKS:
                raise
            write_atomic(target, source.read_bytes(), fsync=fsync)
        elif not os.path.samefile(source, target) and source.read_bytes() != target.read_bytes():
            raise
    if fsync:
        sync_folder(target.parent)


def append_line(path: Path, line: bytes, *, fsync: bool = True) -> None:
    """Append one line (without its newline) in a single write; a line that a full disk cut is closed first."""
    handle = open_shared(path, os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line + b"\n"
        if os.write(handle, data) != len(data):
            raise OSError(errno.ENOSPC, "the line was written in part", str(path))
        if fsync:
            os.fsync(handle)
    finally:
        os.close(handle)


def open_shared(path: Path, flags: int = 0) -> int:
    """A descriptor, for reading and writing, of a file that several users write in place. It is made where it is
    missing, with its folder's access. A link is an OSError.
    """
    flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)  # another process was faster
    take_access(handle, path.parent)
    return handle


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where its file system can."""
    with _opened_folder(path) as handle:
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in _NO_FSYNC:
                raise


@contextlib.contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _temp_start(path: Path) -> str:
    """How the temp files of one target begin: short, for the target's name may be as long as names can be."""
    return f".{short_id(path.name)}-"


def _plain(path: Path) -> os.stat_result | None:
    """The facts of a regular file; None for nothing or for a link, which is replaced by a new file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found if modes.S_ISREG(found.st_mode) else None


def _create(path: Path) -> int:
    """A new file for nobody else's eyes, until it has its owner and its mode."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

"""Who may read and write what Waypoint makes.

What is new gets the access of the folder it lies in (`folder_access`), whatever the umask: a server and a job of two
users of one group share a run's decisions, and neither must shut the other out. What replaces a file takes over its
mode and group and, where this process may, its owner.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as modes
from pathlib import Path

_NO_MODES = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
_GROUP = modes.S_IRGRP | modes.S_IWGRP


def folder_access(parent: os.stat_result, group: int) -> int:
    """The permission bits of a new folder of a group: its parent's, setgid among them.

    A group that is not the parent's gets what the parent gives to others. The sticky bit is left out, and in a folder
    that has it and is everybody's, such as /tmp, nobody but the owner may write.
    """
    mode = modes.S_IMODE(parent.st_mode) | modes.S_IRWXU
    if mode & modes.S_ISVTX and mode & modes.S_IWOTH:
        mode &= ~(modes.S_IWGRP | modes.S_IWOTH)
    if group != parent.st_gid:
        mode = mode & ~(modes.S_ISGID | modes.S_IRWXG) | (mode & modes.S_IRWXO) << 3
    return mode & ~(modes.S_ISVTX | modes.S_ISUID)


def take_access(handle: int, folder: Path, *, own: int | None = None) -> None:
    """Give a new, open file the group and the access of its folder; with permission bits of its `own`, those and what
    the folder grants its group.
    """
    parent = os.stat(folder)
    give(handle, -1, parent.st_gid)
    access = folder_access(parent, os.fstat(handle).st_gid)
    set_mode(handle, access & 0o666 if own is None else own | access & _GROUP)


def take_place(handle: int, folder: Path, former: os.stat_result) -> None:
    """Give a new, open file the owner, group and mode of the one that it replaces. Where the owner cannot stay, the
    former one keeps what the folder grants its group.
    """
    give(handle, former.st_uid, former.st_gid)
    now, mode = os.fstat(handle), modes.S_IMODE(former.st_mode)
    if now.st_uid != former.st_uid:
        mode |= folder_access(os.stat(folder), now.st_gid) & _GROUP
    set_mode(handle, mode)


def set_mode(handle: int, mode: int) -> None:
    """Set permission bits, where the file system has any."""
    try:
        os.fchmod(handle, mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise


def give(handle: int, owner: int, group: int) -> None:
    """Hand a new file over as far as this process may: owner and group, else the group alone, else nothing."""
    found = os.fstat(handle)
    if owner not in (-1, found.st_uid):
        with contextlib.suppress(OSError):
            os.fchown(handle, owner, group)
            return
    if group != found.st_gid:
        with contextlib.suppress(OSError):
            os.fchown(handle, -1, group)

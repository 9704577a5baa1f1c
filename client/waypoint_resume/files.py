"""Small files of a run: read with a limit, written whole and durable as JSON."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat as modes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import append_line, write_atomic
from waypoint_resume.errors import ResumeError
from waypoint_resume.names import folders_above, to_text

SMALL = 16 * 1024 * 1024  # bytes of a manifest or record
LONG = 1 << 30  # bytes of a plan or a journal, which lists every file
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotPlainError(ResumeError):
    """What stands in a file's place is a link, a folder or a pipe, or longer than any file of its kind."""


def open_plain(path: Path) -> int:
    """A descriptor of a regular file, for reading. NotPlainError for anything else; other errors are OSError."""
    try:
        handle = os.open(path, _READ)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotPlainError(f"{to_text(str(path))} is no plain file.") from error
        raise
    if not modes.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotPlainError(f"{to_text(str(path))} is no plain file.")
    return handle


def read_plain(path: Path, limit: int = SMALL) -> bytes:
    """A regular file's bytes. NotPlainError for anything else and for one longer than `limit`; OSError."""
    with os.fdopen(open_plain(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise NotPlainError(f"{to_text(str(path))} is longer than {limit:,} bytes.")
    return data


def read_file(path: Path, limit: int = SMALL) -> bytes | None:
    """The same; None where there is none."""
    try:
        return read_plain(path, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_record(path: Path, limit: int = SMALL) -> dict[str, Any] | None:
    """A claim, a withdrawal or a lease; {} for one that cannot be read, None for none."""
    try:
        data = read_file(path, limit)
        value = None if data is None else json.loads(data)
    except (OSError, ValueError, ResumeError, RecursionError):
        return {}
    return value if value is None or isinstance(value, dict) else {}


def write_record(path: Path, value: Mapping[str, object]) -> None:
    """Write a record so that a reader finds the old one or the new one, never a part; its folder is there."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=True).encode() + b"\n")


def append_record(path: Path, value: Mapping[str, object]) -> None:
    """Append one JSON object as a line, durably."""
    append_line(path, json.dumps(value, ensure_ascii=True).encode())


def unlink_quietly(path: Path) -> None:
    """Remove a file if it is there and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink()


def names_in_folder(folder: Path) -> set[str]:
    """Return the names in a folder; none where it cannot be listed."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def is_file_within(base: Path, name: str) -> bool:
    """Whether a file is there, reached through folders alone: no link leads out of the run."""
    if any((base / parent).is_symlink() for parent in folders_above(name)):
        return False
    return os.path.lexists(base / name) and not ((base / name).is_dir() and not (base / name).is_symlink())

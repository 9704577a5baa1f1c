"""Small files of a run: read with a limit, written whole and durable."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.names import folders_above

SMALL = 16 * 1024 * 1024  # bytes of a manifest or record
LONG = 1 << 30  # bytes of a plan or a journal, which lists every file
TEMP_END = ".waypoint-tmp"


def read_file(path: Path, limit: int = SMALL) -> bytes | None:
    """A small regular file's bytes; None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ResumeError(f"{path} is longer than {limit:,} bytes.")
    return data


def read_record(path: Path, limit: int = SMALL) -> dict[str, Any] | None:
    """A claim, a withdrawal or a lease; {} for one that cannot be read, None for none."""
    try:
        data = read_file(path, limit)
        value = None if data is None else json.loads(data)
    except (OSError, ValueError, ResumeError, RecursionError):
        return {}
    return value if value is None or isinstance(value, dict) else {}


def fresh_file(folder: Path, content: bytes) -> Path:
    """A whole, durable temp file in a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{uuid.uuid4().hex}{TEMP_END}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        unlink_quietly(path)
        raise
    return path


def write_record(path: Path, value: Mapping[str, object]) -> None:
    """Write a record so that a reader finds the old one or the new one, never a part."""
    temp = fresh_file(path.parent, json.dumps(value, indent=2).encode() + b"\n")
    os.replace(temp, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where its file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system that knows no fsync of folders
            os.fsync(handle)
    finally:
        os.close(handle)


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


def append_record(path: Path, value: Mapping[str, object]) -> None:
    """Append one JSON object as a line, durably."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(json.dumps(value).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())

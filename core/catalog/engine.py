"""Opening the catalog: SQLite in WAL mode under the home folder, never on a network file system."""

import errno
import os
import re
import shutil
import sqlite3
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from core.base.errors import CatalogError, CatalogFullError
from core.catalog.migrations import migrate

FILE_NAME = "catalog.sqlite3"
_OCTAL = re.compile(r"\\([0-7]{3})")  # how mountinfo writes a blank, a tab, a newline and a backslash
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEAST_BYTES = 1 << 20  # with less room SQLite cannot even begin: its errors then do not always name the reason
_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "fuse.sshfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "9p",
    "afs",
    "glusterfs",
    "fuse.glusterfs",
)

# The file that each engine opened: (device, inode).
_opened: WeakKeyDictionary[Engine, tuple[int, int] | None] = WeakKeyDictionary()


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that holds `path` (deepest mount point above it); None where nothing tells."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = "", None
    target = str(path.resolve())
    for line in lines:
        left, _, right = line.partition(" - ")
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), left.split()[4])
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


def open_catalog(home: Path) -> Engine:
    """The catalog's engine, its schema brought up to date. CatalogError where the home cannot hold it."""
    file = home / FILE_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _FULL:
            raise catalog_error(home, error) from error
        raise CatalogError(
            f"WAYPOINT_HOME {home} cannot be made: {error.strerror}. Set it to a writable local folder."
        ) from error
    kind = file_system_of(home)
    if kind is not None and kind.startswith(_NETWORK):
        raise CatalogError(
            f"WAYPOINT_HOME {home} lies on a network file system ({kind}), where SQLite's locks do not hold. "
            "Set WAYPOINT_HOME to a folder on a local disk."
        )
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare)
    try:
        migrate(engine)
    except DatabaseError as error:
        engine.dispose()
        raise catalog_error(home, error) from error
    _opened[engine] = _identity(file)
    return engine


def reopen_if_replaced(engine: Engine) -> None:
    """Begin a new catalog where the file was deleted or replaced under a running server."""
    file = Path(engine.url.database or "")
    if _opened.get(engine) != _identity(file):
        engine.dispose()
        migrate(engine)
        _opened[engine] = _identity(file)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def catalog_error(home: Path, error: DatabaseError | OSError) -> CatalogError:
    """What a home's catalog cannot do, as a sentence that names the file and the way out."""
    cause = error.orig if isinstance(error, DatabaseError) else error.strerror
    said = f"The catalog {home / FILE_NAME} cannot be used: {cause}."
    if _is_full(home, error):
        return CatalogFullError(
            f"{said} The disk of {home} is full: make room (`quarantine RUN --delete` frees bytes at once), or set "
            "WAYPOINT_HOME to a folder on another local disk."
        )
    if not os.access(home, os.W_OK):
        return CatalogError(f"{said} May this user write there?")
    return CatalogError(f"{said} It is a cache: delete it and index again.")


def has_room(home: Path) -> bool:
    """Whether a home's disk has room enough to try its catalog again after it had none."""
    return shutil.disk_usage(home).free >= 2 * _LEAST_BYTES


def _is_full(home: Path, error: DatabaseError | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return True
    return shutil.disk_usage(home).free < _LEAST_BYTES and os.access(home, os.W_OK)


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Settings of each SQLite connection: readers never wait for the writer; a lost last transaction is no loss."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")

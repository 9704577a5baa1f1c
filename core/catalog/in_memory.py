"""A copy of the catalog in memory, for a home on a full disk: what frees bytes must work where none is left.

The copy begins with what the file holds, for verifications lie nowhere else, and a plan must know of them.
"""

import contextlib
import sqlite3
import uuid
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from core.catalog.migrations import migrate

# As any reader; and by whoever has the file alone, who needs no file of shared memory beside it.
_WAYS = (("ro", "NORMAL"), ("rw", "EXCLUSIVE"))


def copy_into_memory(file: Path) -> Engine:
    """An engine over a copy of the catalog `file` that is gone with it; over an empty catalog where there is no file.

    sqlite3.Error where the file cannot be read.
    """
    name, query = f"file:{uuid.uuid4().hex}", {"mode": "memory", "cache": "shared", "uri": "true"}
    # A server's threads pass the connections of the pool on, one at a time.
    url, shared = URL.create("sqlite", database=name, query=query), {"check_same_thread": False}
    engine = create_engine(url, poolclass=QueuePool, connect_args=shared)
    event.listen(engine, "connect", _prepare)
    try:
        # Its connection stays open in the pool: with the last one the copy is gone.
        with contextlib.closing(engine.raw_connection()) as kept:
            if file.exists():
                _copy(file, kept.driver_connection)  # type: ignore[arg-type]
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def is_in_memory(engine: Engine) -> bool:
    """Whether nothing of an engine's catalog is kept."""
    return engine.url.query.get("mode") == "memory"


def _copy(file: Path, target: sqlite3.Connection) -> None:
    for number, (mode, locking) in enumerate(_WAYS, 1):
        try:
            with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True)) as source:
                source.execute(f"PRAGMA locking_mode={locking}")
                source.backup(target)
        except sqlite3.Error:
            if number == len(_WAYS):
                raise
        else:
            return


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Readers never wait for the writer, as in the file."""
    connection.execute("PRAGMA read_uncommitted=1")

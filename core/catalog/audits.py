"""Audits that are kept: the last one whole, and of earlier ones the bytes of each run, for growth.

Of the last two days one an hour is kept, of the last quarter one a day.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from core.catalog.rows import from_us, to_us
from core.catalog.tables import audits, snapshots
from waypoint_resume.names import from_text, to_text

HOURLY = timedelta(days=2)
DAILY = timedelta(days=90)
_HOUR_US = 3_600_000_000

RunBytes = tuple[str | None, int, int]  # run (None outside every run), apparent bytes, allocated bytes


class RootSnapshot(NamedTuple):
    """The bytes of a root's runs at one moment."""

    root: str
    at: datetime
    runs: tuple[RunBytes, ...]


def store_audit(engine: Engine, scope: str, at: datetime, document: Any, rows: Iterable[RootSnapshot]) -> None:  # noqa: ANN401 (JSON)
    """Keep an audit of some roots (`scope` names them) in place of the former one, and its snapshots."""
    with engine.begin() as connection:
        connection.execute(delete(audits).where(audits.c.scope == scope))
        connection.execute(insert(audits), [{"scope": scope, "at_us": to_us(at), "document": json.dumps(document)}])
        for row in rows:
            _store(connection, row)
            _thin(connection, row.root, at)


def load_audit(engine: Engine, scope: str) -> tuple[datetime, Any] | None:
    """The last audit of these roots: when, and its document."""
    with engine.connect() as connection:
        row = connection.execute(select(audits).where(audits.c.scope == scope)).mappings().first()
    return None if row is None else (from_us(row["at_us"]), json.loads(row["document"]))


def load_snapshots(engine: Engine, roots: Sequence[str], since: datetime) -> tuple[RootSnapshot, ...]:
    """Every kept snapshot of some roots since a moment, the oldest first."""
    query = (
        select(snapshots)
        .where(snapshots.c.root.in_(roots), snapshots.c.at_us >= to_us(since))
        .order_by(snapshots.c.at_us)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(
        RootSnapshot(
            row["root"],
            from_us(row["at_us"]),
            tuple(
                (None if run is None else from_text(run), apparent, allocated)
                for run, apparent, allocated in json.loads(row["runs"])
            ),
        )
        for row in rows
    )


def _store(connection: Connection, row: RootSnapshot) -> None:
    runs = [[None if run is None else to_text(run), apparent, allocated] for run, apparent, allocated in row.runs]
    values = {"root": row.root, "at_us": to_us(row.at), "runs": json.dumps(runs)}
    connection.execute(delete(snapshots).where(snapshots.c.root == row.root, snapshots.c.at_us == values["at_us"]))
    connection.execute(insert(snapshots), [values])


def _thin(connection: Connection, root: str, now: datetime) -> None:
    """Keep the last of each hour, of what is older the last of each day."""
    times = connection.scalars(select(snapshots.c.at_us).where(snapshots.c.root == root)).all()
    hourly_us, daily_us = to_us(now - HOURLY), to_us(now - DAILY)
    last: dict[tuple[int, int], int] = {}
    for time in sorted(times):
        span = _HOUR_US if time >= hourly_us else 24 * _HOUR_US
        last[span, time // span] = time
    kept = {time for time in last.values() if time >= daily_us}
    gone = [time for time in times if time not in kept]
    connection.execute(delete(snapshots).where(snapshots.c.root == root, snapshots.c.at_us.in_(gone)))

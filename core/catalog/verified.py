"""Verifications that are kept: the last one of each checkpoint, with the files that it was made for."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from core.base.records import Checkpoint
from core.catalog.tables import checkpoints, runs, verifications
from waypoint_resume.names import from_text, to_text


class VerifiedRow(NamedTuple):
    """A kept verification: the files that it was made for, when it ended (µs since the epoch), and its JSON."""

    identity: str
    finished_us: int
    detail: str


def load_verifications(connection: Connection, root: str) -> dict[tuple[str, str], VerifiedRow]:
    """Every kept verification of a root, by (path, format)."""
    query = select(verifications).where(verifications.c.root == root)
    return {
        (from_text(row["path"]), row["format"]): VerifiedRow(row["identity"], row["finished_us"], row["detail"])
        for row in connection.execute(query).mappings()
    }


def load_verification(connection: Connection, item: Checkpoint) -> VerifiedRow | None:
    """The kept verification of one checkpoint."""
    row = connection.execute(select(verifications).where(*_same(item))).mappings().first()
    return None if row is None else VerifiedRow(row["identity"], row["finished_us"], row["detail"])


def store_verification(connection: Connection, item: Checkpoint, row: VerifiedRow) -> None:
    """Keep a checkpoint's verification in place of the former one; the next pass judges its run anew."""
    connection.execute(delete(verifications).where(*_same(item)))
    table = verifications.c
    known = select(checkpoints.c.id).where(checkpoints.c.root == table.root, checkpoints.c.path == table.path)
    connection.execute(delete(verifications).where(~known.exists()))  # of checkpoints that are gone
    place = {"root": item.root, "path": to_text(item.path), "format": item.format.value}
    connection.execute(insert(verifications), [{**place, **row._asdict()}])
    mine = runs.c.root == item.root, runs.c.path == to_text(item.run)
    connection.execute(update(runs).where(*mine).values(turns_us=0))


def _same(item: Checkpoint) -> tuple[ColumnElement[bool], ...]:
    table = verifications.c
    return table.root == item.root, table.path == to_text(item.path), table.format == item.format.value

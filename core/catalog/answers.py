"""What the catalog answers with, beside the records of `core.base`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import RowMapping

from core.base.records import Finding, Run, StateFile
from core.catalog.rows import from_us, to_us
from waypoint_resume.names import from_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a longer list: its items, how many there are in all, and their bytes in all."""

    items: tuple[T, ...]
    total: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The numbers of the first page. Bytes are apparent sizes of everything inside the runs' folders."""

    runs: int
    live: int
    idle: int
    stale: int
    checkpoints: int
    restorable: int
    bytes: int
    leftover_bytes: int
    errors: int
    warnings: int
    infos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """A finding and where it belongs; `is_checkpoint` tells whether its path is a row of the checkpoint list."""

    root: str
    run: str
    finding: Finding
    is_checkpoint: bool


def run_from_row(row: RowMapping, now: datetime, states: tuple[StateFile, ...] = ()) -> Run:
    """A row of `runs`; `now` decides its status."""
    now_us = to_us(now)
    aged = "stale" if row["stale_from_us"] <= now_us else "idle"
    status = "live" if row["live_until_us"] >= now_us else aged
    return Run(
        root=row["root"],
        path=from_text(row["path"]),
        status=status,
        checkpoints=row["checkpoints"],
        restorable=row["restorable"],
        series=row["series"],
        bytes=row["bytes"],
        newest_step=row["newest_step"],
        last_saved=None if row["last_saved_us"] is None else from_us(row["last_saved_us"]),
        changed_at=None if row["changed_us"] is None else from_us(row["changed_us"]),
        median_interval=row["median_interval"],
        errors=row["errors"],
        warnings=row["warnings"],
        infos=row["infos"],
        states=states,
        is_deleted=row["is_deleted"],
    )

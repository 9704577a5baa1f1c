"""Rows of runs as records."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from core.base.records import Run, StateFile
from core.catalog.rows import from_us, to_us
from core.catalog.tables import runs
from waypoint_resume.names import from_text

_AS_KEPT = tuple(item.name for item in fields(Run) if item.name in runs.c and item.name not in ("path", "tags"))


def run_from_row(row: Mapping[str, Any], now: datetime, states: tuple[StateFile, ...] = ()) -> Run:
    """A row of `runs`; `now` decides its status."""
    now_us = to_us(now)
    aged = "stale" if row["stale_from_us"] <= now_us else "idle"
    status = "live" if row["live_until_us"] >= now_us else aged
    return Run(
        **{name: row[name] for name in _AS_KEPT},
        path=from_text(row["path"]),
        status=status,
        last_saved=None if row["last_saved_us"] is None else from_us(row["last_saved_us"]),
        changed_at=None if row["changed_us"] is None else from_us(row["changed_us"]),
        states=states,
        tags=tuple(json.loads(row["tags"])) if row["tags"] else (),
    )

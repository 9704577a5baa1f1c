"""What a run's row was made from beside its files, by which a pass tells whether the row still stands."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from core.catalog.tables import runs
from waypoint_resume.names import from_text, to_text


class RunMark(NamedTuple):
    """What a run's row was made from beside its files: its last change and median save interval, what was made of them
    (live until, stale from), the state of the decisions about it, when time alone brings a new finding, whether the
    checkpoints that its state files name and that are none of its own were there, and which rules judged it.
    """

    changed_us: int | None
    interval: float | None
    turning_points: tuple[int, int]
    decided: str
    turns_us: int | None
    outside: Mapping[str, bool]
    judged_by: str


def load_run_marks(connection: Connection, root: str) -> dict[str, RunMark]:
    """Every run's mark, by path."""
    names = (
        "path",
        "changed_us",
        "median_interval",
        "live_until_us",
        "stale_from_us",
        "decided",
        "turns_us",
        "outside",
        "judged_by",
    )
    rows = connection.execute(select(*(runs.c[name] for name in names)).where(runs.c.root == root))
    return {
        from_text(path): RunMark(changed, gap, (live, stale), decided, turns, _outside_of(outside), by)
        for path, changed, gap, live, stale, decided, turns, outside, by in rows
    }


def outside_text(outside: Mapping[str, bool]) -> str:
    """Which checkpoints outside of a run its state files name, and whether they are there, as its row keeps it."""
    return json.dumps({to_text(path): there for path, there in outside.items()}) if outside else ""


def _outside_of(text: str) -> dict[str, bool]:
    return {from_text(path): there for path, there in json.loads(text).items()} if text else {}

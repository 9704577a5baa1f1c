"""Levels of runs' paths in the catalog, and the layout of each root that named them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from core.base.layout import parse_layout
from core.catalog.rows import run_id
from core.catalog.run_tables import layouts, run_levels
from core.catalog.tables import runs
from core.search.folding import fold
from core.search.values import day_in, number
from waypoint_resume.names import from_text, to_text


class RootLayout(NamedTuple):
    """How the levels of a root's paths are named (`{project}/{user}/{run}`), and whether that is a guess."""

    layout: str
    is_guess: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names above the run's own."""
        return tuple(name for name in parse_layout(self.layout).above if name is not None)


def load_layouts(connection: Connection, roots: Iterable[str]) -> dict[str, RootLayout]:
    """The layout of each of some roots, by its id."""
    query = select(layouts).where(layouts.c.root.in_(list(roots)))
    return {row["root"]: RootLayout(row["layout"], row["is_guess"]) for row in connection.execute(query).mappings()}


def run_paths(connection: Connection, root: str) -> list[str]:
    """The paths of all runs of a root."""
    return [from_text(path) for path in connection.scalars(select(runs.c.path).where(runs.c.root == root))]


def without_levels(connection: Connection, root: str) -> bool:
    """Whether a root has a run whose path nobody has looked at."""
    known = select(run_levels.c.run_id).where(run_levels.c.run_id == runs.c.id).exists()
    return connection.execute(select(runs.c.id).where(runs.c.root == root, ~known).limit(1)).first() is not None


def store_levels(
    connection: Connection, root: str, layout: RootLayout, levels: Mapping[str, Mapping[str, str]]
) -> None:
    """Replace the layout of a root, and the levels of all of its runs: path → name → value."""
    connection.execute(delete(layouts).where(layouts.c.root == root))
    connection.execute(insert(layouts), [{"root": root, **layout._asdict()}])
    of_root = select(runs.c.id).where(runs.c.root == root)
    connection.execute(delete(run_levels).where(run_levels.c.run_id.in_(of_root)))
    rows = [
        level_row(run_id(root, path), name, value) for path, named in levels.items() for name, value in named.items()
    ]
    if rows:
        connection.execute(insert(run_levels), rows)


def level_row(run: int, name: str, value: str) -> dict[str, object]:
    """A row of `run_levels`; `value` as it is on disk."""
    text = to_text(value)
    return {
        "run_id": run,
        "name": name,
        "value": text,
        "folded": fold(text),
        "number": number(text),
        "day": day_in(text),
    }

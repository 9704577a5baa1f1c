"""Reading what the catalog knows of the logs of runs."""

from sqlalchemy import Engine, select

from core.base.direction import Direction
from core.catalog.tables import folders, runs
from waypoint_resume.names import from_text, to_text


def folders_of(engine: Engine, root: str, run: str) -> tuple[str, ...]:
    """The folders of a run, relative to the root, without those of runs inside it."""
    query = select(folders.c.path).where(folders.c.root == root, folders.c.run == to_text(run))
    with engine.connect() as connection:
        return tuple(from_text(path) for path in connection.scalars(query))


def best_said(engine: Engine, root: str, run: str) -> tuple[str, Direction | None] | None:
    """The metric that somebody named for a run, and which values are better where they said that, too."""
    query = select(runs.c.best_metric, runs.c.best_mode).where(runs.c.root == root, runs.c.path == to_text(run))
    with engine.connect() as connection:
        found = connection.execute(query).first()
    if found is None or not found[0]:
        return None
    return found[0], Direction(found[1]) if found[1] in tuple(Direction) else None

"""By which metric runs are best: as somebody said for a run, or as the settings say for its project. Which values of it
are better stands with its rows, so that lists are sorted by them.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select, update

from core.base.direction import Direction
from core.catalog.chunks import chunks
from core.catalog.run_tables import run_levels, run_metrics
from core.catalog.tables import runs
from core.metrics.best import BestMetric, ToldBy
from core.metrics.direction import guess
from core.metrics.project_metrics import ProjectMetrics

_PROJECT = "project"  # the level of a path that the settings name metrics for


def said_metrics(connection: Connection, ids: Sequence[int], projects: ProjectMetrics) -> dict[int, BestMetric]:
    """What is said of some runs, given by `run_id`; those are left out of which nobody says anything."""
    is_project = (run_levels.c.run_id == runs.c.id) & (run_levels.c.name == _PROJECT)
    columns = (runs.c.id, runs.c.best_metric, runs.c.best_mode, run_levels.c.value)
    query = select(*columns).select_from(runs.outerjoin(run_levels, is_project))
    found: dict[int, BestMetric] = {}
    for part in chunks(ids):
        for number, tag, mode, project in connection.execute(query.where(runs.c.id.in_(part))):
            if tag and mode:
                found[number] = BestMetric(tag=tag, mode=Direction(mode), told_by=ToldBy.RUN)
            elif (said := projects.of(project)) is not None:
                found[number] = BestMetric(tag=said.name, mode=said.mode, told_by=ToldBy.PROJECT)
    return found


def set_modes(connection: Connection, ids: Iterable[int], projects: ProjectMetrics) -> None:
    """Bring the rows of some runs' metrics to which values are better, as said or guessed."""
    wanted = list(ids)
    said = said_metrics(connection, wanted, projects)
    columns = [run_metrics.c[name] for name in ("run_id", "tag", "mode", "min", "max")]
    for part in chunks(wanted):
        rows = connection.execute(select(*columns).where(run_metrics.c.run_id.in_(part))).all()
        for number, tag, mode, lowest, highest in rows:
            new = _mode(tag, said.get(number))
            if new != mode:
                best = {"min": lowest, "max": highest}.get(new or "")
                here = (run_metrics.c.run_id == number) & (run_metrics.c.tag == tag)
                connection.execute(update(run_metrics).where(here).values(mode=new, best=best))


def _mode(tag: str, said: BestMetric | None) -> str | None:
    if said is not None and said.tag == tag:
        return said.mode.value
    mode = guess(tag)
    return None if mode is None else mode.value


def ids_of_root(connection: Connection, root: str) -> list[int]:
    """The numbers of all runs of a root."""
    return list(connection.scalars(select(runs.c.id).where(runs.c.root == root)))

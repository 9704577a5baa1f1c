"""Reading what the catalog knows of the logs of runs."""

from sqlalchemy import Engine, select

from core.catalog.metric_files import problems_from
from core.catalog.rows import run_id
from core.catalog.run_tables import metric_files
from core.metrics.of_run import SourceFile
from core.metrics.records import MetricProblem
from waypoint_resume.names import from_text


def source_files(engine: Engine, root: str, run: str) -> tuple[SourceFile, ...]:
    """The files of a run that tell metrics or parameters, by path."""
    query = select(metric_files.c.path, metric_files.c.source).where(metric_files.c.run_id == run_id(root, run))
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(metric_files.c.path)).all()
    return tuple(SourceFile(from_text(path), source) for path, source in rows)


def run_problems(engine: Engine, root: str, run: str) -> tuple[MetricProblem, ...]:
    """What of a run's files could not be read, by path."""
    columns = (metric_files.c.path, metric_files.c.problems)
    query = select(*columns).where(metric_files.c.run_id == run_id(root, run), metric_files.c.problems != "")
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(metric_files.c.path)).all()
    return tuple(one for path, text in rows for one in problems_from(text, path))

"""The catalog's schema, step by step: each migration brings the database from one version to the next.

A new version is a function appended to MIGRATIONS; it must leave the tables as `core.catalog.tables` describes them.
"""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.schema import CreateColumn

from core.base.errors import CatalogError
from core.catalog import run_tables, tables

# What no look at the disk finds again: hours of reading, and how the runs have grown.
KEPT = (tables.versions, tables.verifications, tables.audits, tables.snapshots)


def _create(connection: Connection) -> None:
    """Version 1: every table and index."""
    tables.metadata.create_all(connection)


def _make_anew(connection: Connection) -> None:
    """Version 2: accepted findings and verifications. Version 4: names are read anew, so that series differ. Version 5:
    formats are read more closely. Version 6: sweeps and trials. Version 7: what is passed over is kept too. Version 8:
    formats that were not read before. Version 9: links inside a root. All that is dropped is found on the
    disk again; the rest stays.
    """
    old = [table for table in tables.metadata.sorted_tables if table not in KEPT]
    tables.metadata.drop_all(connection, tables=old)
    tables.metadata.create_all(connection)


def _named_runs(connection: Connection) -> None:
    """Version 3: which folders a job has named as its run. Unknown ones count as not named until they are listed."""
    if "is_named" not in {column["name"] for column in inspect(connection).get_columns(tables.folders.name)}:
        connection.exec_driver_sql(
            f"ALTER TABLE {tables.folders.name} ADD COLUMN is_named BOOLEAN NOT NULL DEFAULT false"
        )


def _stamped(connection: Connection) -> None:
    """Version 10: which code judged what. What is there was judged by an older one: it is judged and read anew, bit by
    bit, so that nothing has to be dropped any more when rules, names or readers change.
    """
    new = ((tables.folders, "looked_by"), (tables.folders, "read_by"), (tables.checkpoints, "read_by"))
    for table, name in (*new, (tables.runs, "judged_by")):
        if name not in {column["name"] for column in inspect(connection).get_columns(table.name)}:
            kind = table.c[name].type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind} NOT NULL DEFAULT ''")


def _ordered(connection: Connection) -> None:
    """Version 11: the order of a series is kept, so that nobody arranges a run again. Unknown until judged anew."""
    if "series_order" not in {column["name"] for column in inspect(connection).get_columns(tables.checkpoints.name)}:
        connection.exec_driver_sql(f"ALTER TABLE {tables.checkpoints.name} ADD COLUMN series_order INTEGER")


def _searched(connection: Connection) -> None:
    """Version 12: tags, levels, metrics and parameters of runs, and what searches them. All of it is found on the disk:
    rows are filled when their runs are judged anew.
    """
    for table, names in (
        (tables.runs, ("id", "search", "tags", "note", "owner", "is_favourite", "best_metric", "best_mode")),
        (tables.checkpoints, ("folded",)),
    ):
        there = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for name in names:
            if name not in there:
                column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    tables.metadata.create_all(connection, tables=[run_tables.layouts, *run_tables.OF_RUNS])


def _with_metrics(connection: Connection) -> None:
    """Version 13: how far the files were read that tell metrics and parameters, and what each tells."""
    new = [run_tables.metric_roots, run_tables.metric_files, run_tables.metric_series]
    tables.metadata.create_all(connection, tables=new)


def _listed(connection: Connection) -> None:
    """Version 14: an index that answers lists and searches of runs, and one that finds a run by id in some roots."""
    connection.exec_driver_sql("DROP INDEX IF EXISTS runs_by_id")
    for index in tables.runs.indexes:
        index.create(connection, checkfirst=True)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _create,
    _make_anew,
    _named_runs,
    _make_anew,
    _make_anew,
    _make_anew,
    _make_anew,
    _make_anew,
    _make_anew,
    _stamped,
    _ordered,
    _searched,
    _with_metrics,
    _listed,
)


def migrate(engine: Engine) -> int:
    """Bring the database to the newest schema in one transaction; returns it. CatalogError when it is newer."""
    with engine.connect() as connection:
        if _version(connection) == len(MIGRATIONS):
            return len(MIGRATIONS)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            # Its driver begins a transaction for changed rows, not for changed tables. Whoever comes second waits here.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        found = _version(connection)
        # The first makes the newest tables, so that a new database needs no other.
        for step in MIGRATIONS[found:] if found else MIGRATIONS[:1]:
            step(connection)
        if found != len(MIGRATIONS):
            tables.versions.create(connection, checkfirst=True)
            connection.execute(tables.versions.delete())
            connection.execute(tables.versions.insert().values(version=len(MIGRATIONS)))
    return len(MIGRATIONS)


def _version(connection: Connection) -> int:
    """The schema's version, 0 for an empty database. CatalogError when it is newer than this program."""
    if not inspect(connection).has_table(tables.versions.name):
        return 0
    found = connection.scalar(select(tables.versions.c.version)) or 0
    if found > len(MIGRATIONS):
        raise CatalogError(
            f"The catalog {connection.engine.url.database} has schema {found}, made by a newer Waypoint; this one "
            f"knows {len(MIGRATIONS)}. Upgrade Waypoint, or delete that file: it is a cache and will be made again."
        )
    return found

"""What is known of runs beside their files: tags, levels of their paths, metrics, parameters; a row for each.

`run_id` is `core.catalog.rows.run_id` of a run's root and path, the column `id` of `runs`: a number, so that 100,000
runs are joined in time. `folded` is a text as it is compared (`core.search.folding.fold`). Numbers that are not finite
are null. Who forgets a run forgets its rows here (`core.catalog.writes.forget_runs`).
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from core.catalog.tables import metadata

# The layout by which the levels of a root's paths were named, and whether it is a guess.
layouts = Table(
    "layouts",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("layout", Text, nullable=False),
    Column("is_guess", Boolean, nullable=False),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folded", Text, primary_key=True),
    Index("run_tags_by_tag", "folded", "run_id"),
    sqlite_with_rowid=False,
)

# `day` is the ISO date that a value is or begins with, `number` the number that it is.
run_levels = Table(
    "run_levels",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("number", Float),
    Column("day", String(10)),
    Index("run_levels_by_value", "name", "folded", "run_id"),
    Index("run_levels_by_number", "name", "number", "run_id"),
    Index("run_levels_by_day", "name", "day", "run_id"),
    sqlite_with_rowid=False,
)

# One row for a run and tag: where several sources or kinds of x tell a tag, the one that stands for it. `x_kind` says
# what the steps count, `mode` which values are better (min, max; null: unknown), `best` is `min` or `max` by it. `wall`
# is in seconds since the epoch.
run_metrics = Table(
    "run_metrics",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("x_kind", String(8), nullable=False),
    Column("source", Text, nullable=False),
    Column("mode", String(3)),
    Column("count", BigInteger, nullable=False),
    *(Column(f"{which}{part}", Float) for which in ("first", "last", "min", "max") for part in ("", "_step", "_wall")),
    Column("best", Float),
    Index("run_metrics_by_last", "tag", "last", "run_id"),
    Index("run_metrics_by_best", "tag", "best", "run_id"),
    sqlite_with_rowid=False,
)

# `number` is the value where it is one; `text` the value as it is written.
run_params = Table(
    "run_params",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("number", Float),
    Column("source", Text, nullable=False),
    Index("run_params_by_number", "name", "number", "run_id"),
    Index("run_params_by_text", "name", "folded", "run_id"),
    sqlite_with_rowid=False,
)

# The files of runs that tell metrics and parameters. `seen` is a file's identity as the walk saw it, `was_read` the one
# that it had when it was read last ('' before), `read_by` which reader that was; `is_due`: it is to be read (on).
# `position` is where it goes on, JSON or null; `problems` and `params` are JSON, '' for none.
metric_files = Table(
    "metric_files",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("path", Text, primary_key=True),
    Column("root", String(12), nullable=False),
    Column("run", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("source", String(32), nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("seen", Text, nullable=False),
    Column("was_read", Text, nullable=False, server_default=""),
    Column("read_by", String(12), nullable=False, server_default=""),
    Column("is_due", Boolean, nullable=False),
    Column("position", Text),
    Column("problems", Text, nullable=False, server_default=""),
    Column("params", Text, nullable=False, server_default=""),
    Index("metric_files_by_folder", "root", "folder"),
    Index("metric_files_due", "root", "is_due", "mtime_ns"),
)

# What one file tells of one tag: `name` is the metric's (`core.metrics.metric_names`), `summary` JSON, `kept` points as
# `core.metrics.kept_bytes` packs them, and how many these are.
metric_series = Table(
    "metric_series",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("path", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("x_kind", String(8), primary_key=True),
    Column("name", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("summary", Text, nullable=False),
    Column("kept_count", Integer, nullable=False),
    Column("kept", LargeBinary, nullable=False),
    Index("metric_series_by_name", "run_id", "name"),
)

# By which version of the sources' table the files of a root were told.
metric_roots = Table(
    "metric_roots",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("told_by", String(12), nullable=False),
)

OF_RUNS = (run_tags, run_levels, run_metrics, run_params, metric_files, metric_series)

"""The catalog's tables, in SQLAlchemy Core. Nothing here is particular to SQLite.

Names from the disk are stored as `waypoint_resume.names.to_text` makes them. Columns that end in `_ns` are integer
nanoseconds, in `_us` integer microseconds since the epoch (UTC); `bytes` are apparent sizes. Columns that end in `_by`
keep which version of the code made the row (`core.indexing.stamp`): of a folder also which readers, divided by blanks.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, false

metadata = MetaData()

versions = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

roots = Table(
    "roots",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("path", Text, nullable=False),
    Column("problem", Text),
    Column("looked_at_us", BigInteger),
)

folders = Table(
    "folders",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("signature", String(32), nullable=False),
    Column("times", Text, nullable=False),
    Column("subfolders", Text, nullable=False),
    Column("newest_ns", BigInteger, nullable=False),
    Column("has_units", Boolean, nullable=False),
    Column("has_folder_unit", Boolean, nullable=False),
    Column("is_marker", Boolean, nullable=False),
    Column("is_named", Boolean, nullable=False, server_default=false()),
    Column("recheck", Boolean, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("run", Text),
    Column("states", Text, nullable=False),
    Column("leftovers", Text, nullable=False),
    Column("problems", Text, nullable=False),
    # JSON, '' for none, so that an index finds the few folders that have some.
    Column("links", Text, nullable=False),
    Column("inner_links", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("endings", Text, nullable=False),
    Column("is_deleted", Boolean, nullable=False, server_default=false()),
    Column("looked_by", String(12), nullable=False, server_default=""),
    Column("read_by", Text, nullable=False, server_default=""),
    Index("folders_by_links", "root", "links"),
    Index("folders_by_inner_links", "root", "inner_links"),
    Index("folders_by_kinds", "root", "kinds"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("root", String(12), nullable=False),
    Column("run", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("series", String(12), nullable=False),
    Column("stem", Text, nullable=False),
    Column("fingerprint", String(32)),
    Column("format", String(20), nullable=False),
    Column("contents", String(24), nullable=False),
    Column("has_optimizer", Boolean, nullable=False),
    Column("step", BigInteger),
    Column("epoch", BigInteger),
    Column("save_counter", BigInteger),
    Column("saved_at_us", BigInteger, nullable=False),
    Column("saved_at_source", String(12), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("variables", Integer),
    Column("parameters", BigInteger),
    Column("restorable", Boolean, nullable=False),
    Column("health", String(8), nullable=False),
    Column("series_order", Integer),
    Column("attempt", Integer, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("is_latest_restorable", Boolean, nullable=False),
    Column("read_by", String(12), nullable=False, server_default=""),
    Column("detail", Text, nullable=False),
    # The path as it is compared (`core.search.folding`), null where that is its lower case.
    Column("folded", Text),
    Index("checkpoints_by_path", "root", "path", "format", unique=True),
    Index("checkpoints_by_run", "root", "run"),
    Index("checkpoints_by_folder", "root", "folder"),
    Index("checkpoints_by_time", "saved_at_us"),
    Index("checkpoints_by_bytes", "bytes"),
    Index("checkpoints_by_step", "step"),
)

runs = Table(
    "runs",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("checkpoints", Integer, nullable=False),
    Column("restorable", Integer, nullable=False),
    Column("series", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("leftover_bytes", BigInteger, nullable=False),
    Column("newest_step", BigInteger),
    Column("last_saved_us", BigInteger),
    Column("changed_us", BigInteger),
    Column("median_interval", Float),
    Column("live_until_us", BigInteger, nullable=False),
    Column("stale_from_us", BigInteger, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("warnings", Integer, nullable=False),
    Column("infos", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("decided", Text, nullable=False),
    Column("outside", Text, nullable=False),
    Column("turns_us", BigInteger),
    Column("is_deleted", Boolean, nullable=False, server_default=false()),
    Column("judged_by", String(12), nullable=False, server_default=""),
    # `core.catalog.rows.run_id` of root and path, by which the tables of `core.catalog.run_tables` name a run.
    Column("id", BigInteger, nullable=False, server_default="0"),
    Column("search", Text, nullable=False, server_default=""),
    # What people said of it (`core.runfolder.tags`); `tags` is JSON, '' for none.
    Column("tags", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("owner", Text, nullable=False, server_default=""),
    Column("is_favourite", Boolean, nullable=False, server_default=false()),
    Column("best_metric", Text),
    Column("best_mode", String(3)),
    Index("runs_by_last_saved", "last_saved_us"),
    Index("runs_by_id", "id", "root"),
    # All that lists and searches of runs look at in most of them, in the order of most lists.
    Index(
        "runs_for_lists",
        *("root", "last_saved_us", "path", "id", "bytes", "newest_step", "checkpoints", "live_until_us"),
        *("stale_from_us", "errors", "warnings", "search"),
    ),
)

findings = Table(
    "findings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("root", String(12), nullable=False),
    Column("run", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("accepted", Text),
    Index("findings_by_run", "root", "run"),
    Index("findings_by_path", "root", "path"),
    Index("findings_by_severity", "severity"),
    Index("findings_by_rule", "rule", "root", "run", "folder", "path", "accepted"),
)

# The last verification of each checkpoint. `identity` names the files that it was made for; `detail` is its JSON.
verifications = Table(
    "verifications",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("format", String(20), primary_key=True),
    Column("identity", String(12), nullable=False),
    Column("finished_us", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
)

# The last audit of each set of roots, and earlier ones' bytes by run.
audits = Table(
    "audits",
    metadata,
    Column("scope", String(12), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("runs", Text, nullable=False),
)

# What tuners wrote: sweeps, made anew whenever something of one changed, and their trials by folder.
sweeps = Table(
    "sweeps",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("objective", Text),
    Column("direction", String(4)),
    Column("trials", Integer, nullable=False),
    Column("ranked", Integer, nullable=False),
    Column("best", Text),
    Column("best_score", Float),
    Column("problem", Text),
)

trials = Table(
    "trials",
    metadata,
    Column("root", String(12), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sweep", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("score", Float),
    Column("best_step", BigInteger),
    Column("rank", Integer),
    Column("detail", Text, nullable=False),
    Index("trials_by_sweep", "root", "sweep", "rank"),
)

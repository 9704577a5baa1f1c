"""How long searches over a catalog of 100,000 runs take: `python benchmarks/search_runs.py FOLDER [RUNS]`.

Each run has five metrics, three parameters and three levels. Printed are the milliseconds of processor time of a page
with the number of all that fit, the median and the worst of three.
"""

import json
import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert

from core.base.records import Root
from core.catalog import writes
from core.catalog.engine import open_catalog
from core.catalog.filters import RunFilter
from core.catalog.queries import Reader
from core.catalog.rows import run_id, to_us
from core.catalog.run_queries import RUN_SORTS
from core.catalog.run_tables import run_levels, run_metrics, run_params
from core.search.folding import run_text
from core.search.meaning import Which, understand

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TAGS = ("val_loss", "loss", "val_accuracy", "accuracy", "learning_rate")
SEARCHES = (
    "",
    "alice",
    "alice sweep",
    "-alice",
    "val_loss<0.3",
    "val_loss<0.9",
    "val_loss.best<0.01",
    "-val_loss<0.3",
    "lr=0.001",
    "optimizer:adam",
    "tag:baseline",
    "user:alice project:ads",
    "saved<7d size>1GiB",
    "status:live health:error",
    'alice sweep val_loss<0.3 lr=0.001 tag:baseline user:alice saved<90d size>1MiB -scratch "exact words"',
    "run-0012345",
)
SORTS = ("last_saved", "bytes", "path", "val_loss", "lr")


def fill(engine: Engine, count: int) -> None:
    """A root of made-up runs."""
    chance = random.Random(7)
    with engine.begin() as connection:
        writes.store_root(connection, Root(id="r00t", path="/data"), 1)
        for start in range(0, count, 2_000):
            numbers = range(start, min(start + 2_000, count))
            rows, metrics, params, levels = [], [], [], []
            for number in numbers:
                user = chance.choice(("alice", "bob", "carol", "dave", "erin"))
                project = chance.choice(("ads", "nlp", "speech", "vision"))
                day = (NOW - timedelta(days=chance.randrange(300))).date().isoformat()
                path = f"{project}/{user}/{day}/{chance.choice(('sweep', 'scratch', 'final'))}/run-{number:07}"
                tags = ("baseline",) if chance.random() < 0.02 else ()
                saved = to_us(NOW) - chance.randrange(300 * 86_400) * 1_000_000
                rows.append(
                    {
                        **dict.fromkeys(("restorable", "series", "leftover_bytes", "warnings", "infos", "accepted"), 1),
                        "root": "r00t",
                        "path": path,
                        "checkpoints": chance.randrange(50),
                        "bytes": chance.randrange(1 << 34),
                        "newest_step": chance.randrange(100_000),
                        "last_saved_us": saved,
                        "changed_us": saved,
                        "median_interval": 60.0,
                        "live_until_us": saved + 3_600_000_000,
                        "stale_from_us": saved + 14 * 86_400_000_000,
                        "errors": chance.random() < 0.05,
                        "decided": "",
                        "outside": "",
                        "turns_us": None,
                        "tags": json.dumps(tags) if tags else "",
                        "search": run_text(path, tags, "", ""),
                    }
                )
                key = run_id("r00t", path)
                for tag in TAGS:
                    value = chance.random()
                    points = dict.fromkeys(("first", "last", "min", "max", "best"), value)
                    points |= dict.fromkeys(
                        (f"{one}_{part}" for one in ("first", "last", "min", "max") for part in ("step", "wall")), 1.0
                    )
                    metrics.append(
                        {
                            "run_id": key,
                            "tag": tag,
                            "x_kind": "step",
                            "source": "csv",
                            "mode": "min",
                            "count": 9,
                            **points,
                        }
                    )
                for name, text in (
                    ("lr", chance.choice(("0.1", "0.01", "0.001"))),
                    ("optimizer", "adam"),
                    ("batch", "32"),
                ):
                    value = None if name == "optimizer" else float(text)
                    params.append(
                        {"run_id": key, "name": name, "text": text, "folded": text, "number": value, "source": "x"}
                    )
                for name, text in (("project", project), ("user", user), ("date", day)):
                    levels.append(
                        {
                            "run_id": key,
                            "name": name,
                            "value": text,
                            "folded": text,
                            "number": None,
                            "day": day if name == "date" else None,
                        }
                    )
            writes.store_runs(connection, "r00t", [(row, []) for row in rows])
            for table, made in ((run_metrics, metrics), (run_params, params), (run_levels, levels)):
                connection.execute(insert(table), made)


def main() -> None:
    """Fill the folder's catalog where it is new, and search it."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    is_new = not (folder / "catalog.sqlite3").exists()
    engine = open_catalog(folder)
    if is_new:
        fill(engine, count)
    reader = Reader(engine, ["r00t"])
    for sort in SORTS:
        by = sort if sort in RUN_SORTS else reader.value_sort(sort, Which.LAST)
        assert by is not None
        for search in SEARCHES if sort == SORTS[0] else SEARCHES[:9]:
            where = RunFilter(search=understand(search, NOW)) if search else RunFilter()
            taken = []
            for _ in range(3):
                start = time.process_time()
                page = reader.runs(where, NOW, sort=by, limit=100)
                taken.append((time.process_time() - start) * 1e3)
            print(f"{sort:>10} {statistics.median(taken):6.1f} {max(taken):6.1f} ms {page.total:>7,}  {search}")


if __name__ == "__main__":
    main()

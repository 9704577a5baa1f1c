r"""How fast the audit walks, as a ratio against `du -s` over the same files in the same run.

Makes 200,000 small files (100,000 bundles' indexes and shards, 50 bundles to a run), tells the audit of every one of
them what the catalog would, then measures in turns, median of five, warm page cache: the audit with all its tables ÷
`du -s`. Both must tell the same bytes.

Run: python -m benchmarks.audit [--files 200000]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.index import ROUNDS
from core.base.facts import Contents, Facts, Format, RoleBytes
from core.base.files import FileStat
from core.base.records import Checkpoint, SavedAtSource
from core.disk_usage.audit import AuditRoot, audit
from core.disk_usage.known_files import known_files
from core.disk_usage.usage import Usage
from core.stores.local import LocalStore

FILES, PER_RUN = 200_000, 50
LIMIT = 2.5
_SAVED = datetime(2026, 1, 31, tzinfo=UTC)


def make_tree(root: Path, bundles: int) -> Iterator[Checkpoint]:
    """Bundles on disk, `PER_RUN` to a run, and what the catalog would know of each."""
    for number in range(bundles):
        run = f"team-{number // PER_RUN // 100:03d}/run-{number // PER_RUN:05d}"
        folder = root / run / "checkpoints"
        if number % PER_RUN == 0:
            folder.mkdir(parents=True)
        name = f"ckpt-{number % PER_RUN + 1}"
        files = (f"{name}.index", 60), (f"{name}.data-00000-of-00001", 900)
        for file, size in files:
            (folder / file).write_bytes(bytes(size))
        yield Checkpoint(
            root="bench",
            run=run,
            path=f"{run}/checkpoints/{name}",
            folder=f"{run}/checkpoints",
            format=Format.TF_BUNDLE,
            files=tuple(FileStat(file, size, 1) for file, size in files),
            saved_at=_SAVED,
            saved_at_source=SavedAtSource.MTIME,
            bytes=960,
            facts=Facts(contents=Contents.WEIGHTS_AND_OPTIMIZER, role_bytes=RoleBytes(300, 600, 0)),
            restorable=True,
        )


def du_bytes(root: Path) -> int:
    """What du tells."""
    command = ["du", "-s", "-B1", str(root)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; the exit code is 1 where the ratio is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=FILES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        root = Path(scratch, "runs")
        items = list(make_tree(root, arguments.files // 2))
        known = known_files({item.run for item in items}, items, ())
        del items  # the audit of a server holds what is known, not the checkpoints

        def work() -> Usage:
            return audit([AuditRoot(id="bench", store=LocalStore(str(root)), known=known)], time.time_ns())

        usage, expected = work(), du_bytes(root)
        # In turns, so that what else the machine does slows both alike.
        rounds = [(_seconds(work), _seconds(lambda: du_bytes(root))) for _ in range(ROUNDS)]
        walk, du = (statistics.median(one) for one in zip(*rounds, strict=True))
    if (usage.allocated_bytes, usage.files) != (expected, arguments.files):
        raise RuntimeError(f"the audit tells {usage.allocated_bytes:,} bytes, du {expected:,}")
    print(f"{usage.files:,} files in {len(usage.by_run):,} runs; median of {ROUNDS}")
    print(f"audit {walk:.2f} s ÷ du {du:.2f} s = {walk / du:.2f} (limit {LIMIT})")
    return int(walk / du > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

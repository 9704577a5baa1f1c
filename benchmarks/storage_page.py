r"""How long the Storage page's script runs over many files, as a ratio against a page with nothing on it.

Makes 200,000 files (copies of real saves, two files to a bundle, 50 bundles to a run), indexes and audits them as a
server does in the background, then measures in turns, median of five: the script run of the Storage page ÷ that of the
same page over an empty root. Tells also what one look of the auditor costs.

Run: python -m benchmarks.storage_page [--files 200000]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.index import ROUNDS, SAVES, make_tree
from pages.parts.frame import service

FILES = 200_000
LIMIT = 10.0
ROUTER = Path(__file__).parents[1] / "pages" / "router.py"
# In a process of its own: with TensorFlow in this one every script run would be slower.
_SAVE = "import sys; from benchmarks.index import save_templates; from pathlib import Path; \
print(*save_templates(Path(sys.argv[1]), int(sys.argv[2])), sep='\\n')"


def templates(folder: Path) -> list[Path]:
    """Real saves to copy."""
    command = [sys.executable, "-c", _SAVE, str(folder), str(SAVES)]
    return [Path(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def opened(root: Path, home: Path) -> tuple[AppTest, float, float]:
    """The Storage page over a root that was looked at; the seconds of the index and of the auditor's look."""
    os.environ["WAYPOINT_ROOTS"], os.environ["WAYPOINT_HOME"] = str(root), str(home)
    service.stop()
    current = service.current()
    start = time.perf_counter()
    current.workspace.refresh()
    indexed = time.perf_counter()
    current.auditor.look()
    looked = time.perf_counter()
    app = AppTest.from_file(str(ROUTER), default_timeout=600).run()
    app.switch_page("storage.py").run()
    if app.exception or app.error:
        raise RuntimeError(f"the page failed: {[item.value for item in (*app.exception, *app.error)]}")
    return app, indexed - start, looked - indexed


def median_run(app: AppTest) -> float:
    """The median of some script runs, in seconds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        app.run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> int:
    """Measure and print; the exit code is 1 where the ratio is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=FILES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        base = Path(scratch)
        (base / "empty").mkdir()
        make_tree(base / "runs", templates(base / "saves"), arguments.files // 2)
        app, _, _ = opened(base / "empty", base / "empty-home")
        empty = median_run(app)
        app, index, look = opened(base / "runs", base / "home")
        full = median_run(app)
        survey = service.current().survey
        service.stop()
    if survey.audited is None or survey.audited.usage.files != arguments.files:
        raise RuntimeError(f"the audit failed: {survey.error}")
    print(f"{arguments.files:,} files in {len(survey.audited.usage.by_run):,} runs; median of {ROUNDS}")
    print(f"in the background: index {index:.1f} s, auditor {look:.1f} s; {len(survey.tiles):,} tiles")
    print(f"Storage {full * 1000:.0f} ms ÷ empty page {empty * 1000:.0f} ms = {full / empty:.2f} (limit {LIMIT:.0f})")
    return int(full / empty > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

r"""How fast event files are read, as ratios against TensorBoard's two readers and find, in the same run.

TensorFlow writes 100,000 scalars of five tags; copies of that file and of its first half make what is read. Measured,
the least of five rounds each (what else runs only adds), the page cache warm:
- 100,000 scalars of a run ÷ TensorBoard's EventAccumulator;
- 1,000,000 scalars of 20 runs ÷ one load cycle of tensorboard-data-server, as it says itself;
- of 10,000 runs of which one wrote 10 points: telling which one, reading on, adding to its summaries ÷
  `find -printf '%s %T@ %p\n'` over them.

Run: python -m benchmarks.metrics
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.index import find_seconds
from core.base.files import FileStat
from core.metrics.record_frames import HEAD, frames_in
from core.metrics.registry import source_of
from core.metrics.summary import Summary, summarised
from core.stores.local import LocalStore

TAGS, STEPS, RUNS, PASSED_RUNS = 5, 20_000, 20, 10_000
ACCUMULATOR_LIMIT, SERVER_LIMIT, FIND_LIMIT = 0.3, 4.0, 0.1
ROUNDS = 5
FILE = "events.out.tfevents.1"


def write(folder: Path) -> None:
    """A long and a short file of real events."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    for name, steps in (("long", STEPS), ("short", 20)):
        with tf.summary.create_file_writer(str(folder / name)).as_default():
            for step in range(steps):
                for tag in range(TAGS):
                    tf.summary.scalar(f"tag_{tag}", 1 / (step + tag + 1), step=step)
        next((folder / name).iterdir()).rename(folder / name / FILE)


def least_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The least of some runs."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def ours(root: Path) -> tuple[float, int]:
    """Seconds to read all event files below a folder, and how many points they have."""
    store = LocalStore(str(root))
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob(FILE))
    counts: list[int] = []

    def work() -> None:
        counts.clear()
        for path in paths:
            source = source_of(path, lambda _: ())
            assert source is not None
            counts.append(sum(len(one) for one in source.read(store, path, None).series))

    return least_seconds(work), sum(counts)


def accumulator(folder: Path) -> None:
    """Print the seconds that EventAccumulator takes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def work() -> None:
        EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()

    work()  # what it imports
    print(least_seconds(work))


def server_seconds(root: Path) -> float:
    """The least of some load cycles of tensorboard-data-server, each in a process of its own."""
    import tensorboard_data_server

    command = [tensorboard_data_server.server_binary(), "--logdir", str(root), "--port", "0", "--reload", "once", "-v"]
    return min(_load_cycle(command) for _ in range(ROUNDS))


def _load_cycle(command: list[str]) -> float:
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:
                found = re.search(r"Finished load cycle \(([\d.]+)(m?s)\)", line)
                if found:
                    return float(found[1]) / (1000 if found[2] == "ms" else 1)
        finally:
            server.terminate()
    raise RuntimeError("tensorboard-data-server said nothing")


def pass_seconds(root: Path, content: bytes) -> float:
    """Seconds of the metrics' part of a pass over runs that are known, one of which has grown by 10 points."""
    store, path = LocalStore(str(root)), f"run-{PASSED_RUNS // 2:05d}/{FILE}"
    source = source_of(path, lambda _: ())
    assert source is not None
    cut = len(content)
    for _ in range(10):  # ten records off its end
        cut = content.rindex(b"scalars", 0, cut - 20)
    cut += len(b"scalars") + 4
    (root / path).write_bytes(content[:cut])
    known = {one: store.stat(one) for one in _files()}
    first = source.read(store, path, None)
    summaries: dict[str, Summary | None] = {one.tag: summarised(None, one) for one in first.series}
    (root / path).write_bytes(content)
    found = [store.stat(one) for one in _files()]  # which the walk hands over
    seconds = least_seconds(lambda: _pass(store, known, found, first.position, summaries))
    added = sum(one.count for one in _pass(store, known, found, first.position, summaries).values())
    if added - sum(one.count for one in summaries.values() if one) != 10:
        raise RuntimeError(f"{added} points")
    return seconds


def _pass(
    store: LocalStore,
    known: dict[str, FileStat],
    found: list[FileStat],
    position: object,
    summaries: dict[str, Summary | None],
) -> dict[str, Summary]:
    """What has changed, read on and added."""
    changed = [one.name for one in found if known[one.name].identity != one.identity]
    after: dict[str, Summary] = {}
    for path in changed:
        source = source_of(path, lambda _: ())
        assert source is not None
        assert isinstance(position, dict)
        for one in source.read(store, path, position).series:
            summary = summarised(summaries[one.tag], one)
            assert summary is not None
            after[one.tag] = summary
    return after


def _files() -> list[str]:
    return [f"run-{number:05d}/{FILE}" for number in range(PASSED_RUNS)]


def main() -> int:
    """Measure and print; the exit code is 1 where a ratio is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--accumulator", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:  # in processes of their own: TensorFlow
        write(asked.write)
        return 0
    if asked.accumulator:
        accumulator(asked.accumulator)
        return 0
    program = [sys.executable, "-m", "benchmarks.metrics"]
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        base = Path(scratch)
        subprocess.run([*program, "--write", scratch], check=True)
        content, short = ((base / name / FILE).read_bytes() for name in ("long", "short"))
        frames = frames_in(content, 0)
        half = content[: int(frames.starts[len(frames.starts) // 2 + 1]) - HEAD]
        one, many, passed = (base / name for name in ("one", "many", "passed"))
        for root, count, what in ((one, 1, content), (many, RUNS, half), (passed, PASSED_RUNS, short)):
            for number in range(count):
                (root / f"run-{number:05d}").mkdir(parents=True)
                (root / f"run-{number:05d}" / FILE).write_bytes(what)
        answer = subprocess.run(
            [*program, "--accumulator", str(one / "run-00000")], check=True, capture_output=True, text=True
        )
        theirs = float(answer.stdout)
        (cold, points), (all_runs, all_points) = ours(one), ours(many)
        server, find, part = server_seconds(many), find_seconds(passed), pass_seconds(passed, short)
    ratios = cold / theirs, all_runs / server, part / find
    label = f"{points:,} scalars {cold:.3f} s ÷ EventAccumulator {theirs:.2f} s"
    print(f"{label} = {ratios[0]:.2f} (limit {ACCUMULATOR_LIMIT})")
    label = f"{all_points:,} scalars of {RUNS} runs {all_runs:.2f} s ÷ tensorboard-data-server {server:.2f} s"
    print(f"{label} = {ratios[1]:.2f} (limit {SERVER_LIMIT:g})")
    label = f"pass over {PASSED_RUNS:,} runs, one grown: metrics {part * 1e3:.1f} ms ÷ find {find * 1e3:.0f} ms"
    print(f"{label} = {ratios[2]:.3f} (limit {FIND_LIMIT})")
    return int(ratios[0] > ACCUMULATOR_LIMIT or ratios[1] > SERVER_LIMIT or ratios[2] > FIND_LIMIT)


if __name__ == "__main__":
    sys.exit(main())

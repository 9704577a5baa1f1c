r"""How fast Waypoint indexes, as ratios against TensorFlow and find on the same files in the same run.

Makes 20,000 small bundles (18 tensors, 50 to a folder) out of several real saves, then measures, median of five, warm
page cache:
- a cold index with the catalog written ÷ a loop of tf.train.load_checkpoint + get_variable_to_shape_map;
- a refresh of the same catalog with nothing changed ÷ `find -printf '%s %T@ %p\n'`.

Run: python -m benchmarks.index [--bundles 20000]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.indexing.reader_pool import PROCESSES

BUNDLES, PER_FOLDER, SAVES = 20_000, 50, 8
LIMIT_COLD = LIMIT_REFRESH = 2.0
ROUNDS = 5


def save_templates(folder: Path, saves: int) -> list[Path]:
    """Real saves of a small trained model: `saves` prefixes of 18 tensors each, counted without the object graph."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # here: the indexer's process must not have it

    layers = [tf.keras.layers.Dense(4, activation="relu"), tf.keras.layers.Dense(2)]
    model = tf.keras.Sequential([tf.keras.Input((4,)), *layers])
    model.compile(optimizer=tf.keras.optimizers.Adam(), loss="mse")
    notes = {f"note_{number}": tf.Variable(float(number)) for number in range(3)}
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, **notes)
    data = tf.random.stateless_normal((32, 4), seed=(1, 2)), tf.random.stateless_normal((32, 2), seed=(3, 4))
    prefixes = []
    for number in range(saves):
        model.fit(*data, epochs=1, verbose=0)
        prefixes.append(Path(checkpoint.save(str(folder / f"save{number}" / "ckpt"))))
    return prefixes


def make_tree(root: Path, templates: list[Path], bundles: int) -> None:
    """Copies of the saves, `PER_FOLDER` to a run, numbered as a CheckpointManager numbers them."""
    parts = [
        (prefix.with_name(f"{prefix.name}.index").read_bytes(), _data(prefix).read_bytes()) for prefix in templates
    ]
    for number in range(bundles):
        folder = root / f"run-{number // PER_FOLDER:05d}" / "checkpoints"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        index, data = parts[number % len(parts)]
        save = number % PER_FOLDER + 1
        (folder / f"ckpt-{save}.data-00000-of-00001").write_bytes(data)
        (folder / f"ckpt-{save}.index").write_bytes(index)


def _data(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def median_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of some runs after one that warms up."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def tensorflow_loop(root: Path) -> float:
    """Seconds for TensorFlow to open every bundle and list its variables; the import is not counted."""
    import tensorflow as tf

    prefixes = [str(path)[: -len(".index")] for path in sorted(root.rglob("*.index"))]

    def work() -> None:
        for prefix in prefixes:
            tf.train.load_checkpoint(prefix).get_variable_to_shape_map()

    return median_seconds(work)


def find_seconds(root: Path) -> float:
    """Seconds for find to stat every file."""
    command = ["find", str(root), "-printf", "%s %T@ %p\n"]
    return median_seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def index_seconds(root: Path, home: Path) -> tuple[float, float, int]:
    """(cold, refresh, checkpoints): seconds in a process of its own, start and imports not counted."""
    command = [sys.executable, "-m", "benchmarks.index", "--measure", str(root), str(home)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[0]), float(answer[1]), int(answer[2])


def measure(root: str, home: Path) -> None:
    """Index cold and refresh, in this process; prints two medians in seconds and the number of checkpoints."""
    from core.config.settings import load
    from core.services.workspace import Workspace

    settings = load(roots_override=[root]).model_copy(update={"home": home})

    def cold() -> None:
        shutil.rmtree(home, ignore_errors=True)
        workspace = Workspace.open(settings)
        workspace.refresh()
        workspace.close()

    cold_seconds = median_seconds(cold)
    workspace = Workspace.open(settings)
    refresh_seconds = median_seconds(workspace.refresh)
    print(cold_seconds, refresh_seconds, workspace.refresh().checkpoints)


def main() -> int:
    """Measure and print; the exit code is 1 where a ratio is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundles", type=int, default=BUNDLES)
    parser.add_argument("--measure", nargs=2, metavar=("ROOT", "HOME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        base = Path(scratch)
        root = base / "runs"
        make_tree(root, save_templates(base / "saves", SAVES), arguments.bundles)
        cold, refresh, count = index_seconds(root, base / "home")
        loop, find = tensorflow_loop(root), find_seconds(root)
    if count != arguments.bundles:
        raise RuntimeError(f"{count} checkpoints were indexed of {arguments.bundles}")
    print(f"{count:,} bundles, {PER_FOLDER} to a folder; median of {ROUNDS}; Waypoint in at most {PROCESSES} processes")
    ratios = cold / loop, refresh / find
    print(f"cold index {cold:.2f} s ÷ load_checkpoint loop {loop:.2f} s = {ratios[0]:.2f} (limit {LIMIT_COLD})")
    print(f"refresh {refresh:.3f} s ÷ find {find:.3f} s = {ratios[1]:.2f} (limit {LIMIT_REFRESH})")
    return int(ratios[0] > LIMIT_COLD or ratios[1] > LIMIT_REFRESH)


if __name__ == "__main__":
    sys.exit(main())

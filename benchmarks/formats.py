"""How fast large checkpoints are read, as ratios against TensorFlow and h5py on the same files in the same run.

Saves ResNet50 with Adam (750 variables, 290 MB) for real a few times, then measures, median of three, warm page cache:
- indexing 1,000 bundles (copies of the real indexes, each with the shard of its own save hard-linked to it) ÷ a loop of
  tf.train.load_checkpoint + get_variable_to_shape_map;
- reading the metadata of `.keras` and `.h5` files of that model ÷ h5py's visititems with shapes over the same tree.

Run: python -m benchmarks.formats
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.index import index_seconds, median_seconds, tensorflow_loop
from core.formats import hdf5, keras_zip
from core.indexing.reader_pool import PROCESSES
from core.stores.local import LocalStore

BUNDLES, PER_FOLDER, SAVES, FILES = 1_000, 50, 3, 8
LIMIT = 0.5
ROUNDS = 3


def save_all(folder: Path) -> None:
    """Real saves: bundles `save0/ckpt-1` …, `model.keras`, `model.h5`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    model = keras.applications.ResNet50(weights=None)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    for number in range(SAVES):
        model.optimizer.iterations.assign(100 * (number + 1))
        checkpoint.save(str(folder / f"save{number}" / "ckpt"))
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")


def make_tree(root: Path, saves: Path) -> None:
    """Runs of 50 checkpoints each: copied indexes, hard-linked shards."""
    for number in range(BUNDLES):
        source = saves / f"save{number % SAVES}"
        prefix = next(source.glob("*.index")).name.removesuffix(".index")
        folder = root / f"run-{number // PER_FOLDER:03d}" / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        target = f"ckpt-{number % PER_FOLDER + 1}"
        shutil.copy(source / f"{prefix}.index", folder / f"{target}.index")
        (folder / f"{target}.data-00000-of-00001").hardlink_to(source / f"{prefix}.data-00000-of-00001")


def visititems_seconds(path: Path, inside: str | None) -> float:
    """Seconds for h5py to visit every object with its shape; of a `.keras` file's weights in memory, no zip counted."""
    import h5py

    content = None if inside is None else zipfile.ZipFile(path).read(inside)

    def work() -> None:
        shapes = {}
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            file.visititems(lambda name, item: shapes.update({name: getattr(item, "shape", None)}))

    return median_seconds(work, ROUNDS)


def ratio_of_files(folder: Path, name: str, inside: str | None) -> tuple[float, float]:
    """(ours, h5py's) seconds for one file of several equal ones, as a scan reads a folder of them."""
    store = LocalStore(str(folder))
    paths = []
    for number in range(FILES):
        paths.append(f"{number}-{name}")
        (folder / paths[-1]).hardlink_to(folder / name)

    def work() -> None:
        found = list(keras_zip.read_many(store, paths) if inside else hdf5.read_many(store, paths))
        if any(isinstance(item, Exception) for item in found):
            raise RuntimeError(f"{name} was not read: {found}")

    return median_seconds(work, ROUNDS) / FILES, visititems_seconds(folder / name, inside)


def main() -> int:
    """Measure and print; the exit code is 1 where a ratio is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--save", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.save:  # in a process of its own: 2 GB of model
        save_all(Path(arguments.save))
        return 0
    ratios = []
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        base = Path(scratch)
        subprocess.run([sys.executable, "-m", "benchmarks.formats", "--save", str(base)], check=True)
        make_tree(base / "runs", base)
        ours, _, count = index_seconds(base / "runs", base / "home")
        loop = tensorflow_loop(base / "runs")
        ratios.append(ours / loop)
        print(f"{count:,} bundles of ResNet50 with Adam; Waypoint in at most {PROCESSES} processes")
        print(f"index {ours:.2f} s ÷ load_checkpoint loop {loop:.2f} s = {ratios[-1]:.2f} (limit {LIMIT})")
        for name, inside in (("model.keras", "model.weights.h5"), ("model.h5", None)):
            ours, theirs = ratio_of_files(base, name, inside)
            ratios.append(ours / theirs)
            label = f"{name} {ours * 1e3:.0f} ms ÷ visititems {theirs * 1e3:.0f} ms"
            print(f"{label} = {ratios[-1]:.2f} (limit {LIMIT}; {FILES} files, two worker processes)")
    return int(max(ratios) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

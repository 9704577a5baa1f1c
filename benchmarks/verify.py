"""How fast a large bundle is verified, as ratios against reading its bytes and against TensorFlow, in the same run.

Saves ResNet50 with Adam (750 variables, 290 MB) for real, then measures, the page cache warm, the least of fifteen
rounds each (what else runs only adds), the three in turns:
- verifying it, from the moment that the worker is ready ÷ `cat` of its shard to /dev/null;
- the same ÷ TensorFlow reading every tensor, from the moment that it is imported;
- the worker's largest resident memory, which has a limit too.

Run: python -m benchmarks.verify
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.verify.run import WORKER
from core.workers.process import converse

CAT_LIMIT, TENSORFLOW_LIMIT, MEMORY_LIMIT = 3.0, 0.4, 200 * 10**6
ROUNDS = 15


def save(folder: Path) -> None:
    """A real save: the bundle `ckpt-1`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    model = keras.applications.ResNet50(weights=None)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(str(folder / "ckpt"))


def read_all(prefix: str) -> None:
    """Print the seconds that TensorFlow takes for every tensor, once for each line of stdin."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    for _ in sys.stdin:
        start = time.perf_counter()
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        print(time.perf_counter() - start, flush=True)


def verify_once(folder: Path) -> tuple[float, int, int]:
    """Seconds, tensors and the largest resident memory in bytes of one verification."""
    files = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in folder.glob("ckpt-1.*")]
    request = {"root": str(folder), "folder": "", "name": "ckpt-1", "path": "ckpt-1", "format": "tf-bundle"}
    ready: list[float] = []

    def hear(message: Mapping[str, Any]) -> None:
        if "ready" in message:
            ready.append(time.perf_counter())

    ended = converse(WORKER, {**request, "files": files}, hear=hear, cancelled=lambda: False, silence=60)
    seconds = time.perf_counter() - ready[0]
    found = ended.answer["result"]
    if found["problem_count"] or found["damage"]:
        raise RuntimeError(f"a real save did not pass: {found}")
    return seconds, found["tensors"], ended.answer["peak"] or 0


def cat_once(path: Path) -> float:
    """Seconds for `cat FILE > /dev/null`."""
    with open(os.devnull, "wb") as nowhere:
        start = time.perf_counter()
        subprocess.run(["cat", str(path)], stdout=nowhere, check=True)  # noqa: S607 (the cat of whoever measures)
        return time.perf_counter() - start


def tensorflow_once(reader: "subprocess.Popen[str]") -> float:
    """Seconds for TensorFlow to read every tensor."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write("\n")
    reader.stdin.flush()
    return float(reader.stdout.readline())


def main() -> int:
    """Measure and print; the exit code is 1 where a figure is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--save", help=argparse.SUPPRESS)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.save:  # in processes of their own: gigabytes of TensorFlow and model
        save(Path(arguments.save))
        return 0
    if arguments.read:
        read_all(arguments.read)
        return 0
    with tempfile.TemporaryDirectory(prefix="waypoint-bench-") as scratch:
        folder = Path(scratch)
        program = [sys.executable, "-m", "benchmarks.verify"]
        subprocess.run([*program, "--save", scratch], check=True)
        shard = folder / "ckpt-1.data-00000-of-00001"
        with subprocess.Popen(
            [*program, "--read", str(folder / "ckpt-1")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            tensorflow_once(reader)  # its import, and what it makes once
            rounds = [(cat_once(shard), tensorflow_once(reader), *verify_once(folder)) for _ in range(ROUNDS)]
        size = shard.stat().st_size
    cat, tensorflow, ours = (min(row[column] for row in rounds) for column in (0, 1, 2))
    tensors, peak = rounds[0][3], max(row[4] for row in rounds)
    print(f"{tensors:,} tensors, {size / 2**20:.0f} MiB")
    print(f"verify {ours * 1e3:.0f} ms ÷ cat {cat * 1e3:.0f} ms = {ours / cat:.2f} (limit {CAT_LIMIT:g})")
    label = f"verify {ours * 1e3:.0f} ms ÷ TensorFlow reading all {tensorflow * 1e3:.0f} ms"
    print(f"{label} = {ours / tensorflow:.2f} (limit {TENSORFLOW_LIMIT:g})")
    print(f"largest resident memory of the worker {peak / 2**20:.0f} MiB (limit {MEMORY_LIMIT / 2**20:.0f} MiB)")
    return int(ours / cat > CAT_LIMIT or ours / tensorflow > TENSORFLOW_LIMIT or peak > MEMORY_LIMIT)


if __name__ == "__main__":
    sys.exit(main())

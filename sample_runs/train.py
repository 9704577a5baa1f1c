"""Train the sample runs: `python sample_runs/train.py [NAME ...]` makes all of them again, or only those named.

Each run is trained by a process of its own (Keras 3, tf-keras and TF1's graph mode disturb each other), in a neutral
staging folder, and then moved here: no path of the machine that made them gets into the files, and a training that
fails leaves the present run as it is. README.md tells what each run shows.
"""

import argparse
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import times

HERE = Path(__file__).resolve().parent
STAGING = Path("/tmp/lab/runs")  # noqa: S108 - the path is part of a sample, see below
"""Where runs are trained. Fixed, because speech-rnn's state file keeps this path: it is a run that was moved."""

RUNS = {
    "mnist-cnn": "managed:mnist_cnn",
    "churn-mlp": "keras_saves:churn_mlp",
    "review-sentiment": "older:review_sentiment",
    "speech-commands": "killed:speech_commands",
    "defect-detector": "keras_saves:defect_detector",
    "wide-deep-tf1": "older:wide_deep_tf1",
    "tiny-transformer": "keras_saves:tiny_transformer",
    "digits-gan": "keras_saves:digits_gan",
    "char-lm": "killed:char_lm",
    "two-tower": "managed:two_tower",
    "unet-segmentation": "managed:unet_segmentation",
    "fashion-vae": "managed:fashion_vae",
    "speech-rnn": "older:speech_rnn",
}


def train_here(name: str) -> None:
    """Train one run in this process. Paths are relative to the staging folder, but for the run to be moved."""
    module, function = RUNS[name].split(":")
    run = STAGING / name if name == "speech-rnn" else Path(name)
    getattr(importlib.import_module(f"trainers.{module}"), function)(run)


def make(name: str) -> None:
    """Train one run in a new process and put it in place of the one that is here."""
    staged = STAGING / name
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    # One process per run on the CPU; oneDNN off, because its results depend on the processor.
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, str(Path(__file__).resolve()), "--here", name]
    subprocess.run(  # noqa: S603 - this very script
        command, cwd=STAGING, env={**os.environ, **quiet}, check=True
    )
    forget_host(staged)
    drop_empty_folders(staged)
    shutil.rmtree(HERE / name, ignore_errors=True)
    shutil.move(staged, HERE / name)


def forget_host(run: Path) -> None:
    """Replace this machine's name in the names of event files by `trainer`; times stay as the training left them."""
    host = re.compile(r"^(events\.out\.tfevents\.\d+\.)" + re.escape(socket.gethostname()))
    for path in run.rglob("events.out.tfevents.*"):
        before = path.parent.stat()
        path.rename(path.with_name(host.sub(r"\1trainer", path.name)))
        os.utime(path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def drop_empty_folders(run: Path) -> None:
    """Remove folders without a file (an export's `assets`), as git does; their parents keep their times."""
    for folder in sorted((path for path in run.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            before = folder.parent.stat()
            folder.rmdir()
            os.utime(folder.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, train, and note the new files' times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RUNS)}")
    parser.add_argument(
        "--here", action="store_true", help="train one run in this process and folder; used by train.py"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in RUNS]
    if unknown:
        parser.error(f"no such run: {', '.join(unknown)}")
    if options.here:
        train_here(options.names[0])
        return
    for name in options.names or RUNS:
        start = time.monotonic()
        print(name, flush=True)
        make(name)
        times.record(HERE, [name])
        print(f"  done in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()

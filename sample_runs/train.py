"""Train the sample runs: `python sample_runs/train.py [NAME ...]` makes all of them again, or only those named.

Each run is trained by a process of its own (Keras 3, tf-keras and TF1's graph mode disturb each other), in a neutral
staging folder, and then moved here: no path of the machine that made them gets into the files, and a training that
fails leaves the present run as it is. A run with a resume manifest to obey is not made again.

`python sample_runs/train.py --resume NAME` trains a run on instead, in its place and in this process, from what was
handed over. README.md tells what each run shows.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import times

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # the checkout
QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""One process per run on the CPU; oneDNN off, because its results depend on the processor."""
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

WHY_NOT = {
    "defect-detector": "it holds exports for serving only, and Keras 3 does not train on from those",
    "wide-deep-tf1": "it is a TF1 graph, whose checkpoints tf.compat.v1.train.Saver restores and resume() does not",
    "speech-rnn": "it is a TF1 graph, whose checkpoints tf.compat.v1.train.Saver restores and resume() does not",
    "digits-gan": "it saves two models in files of their own, and a manifest hands one file over",
}
"""Of the runs that cannot go on from a checkpoint: the reason. All others have a builder beside their trainer."""


def find(place: str) -> Callable[..., Any]:
    """The function at `module:function` among the trainers."""
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"trainers.{module}"), function)
    return found


def train_here(name: str) -> None:
    """Train one run in this process. Paths are relative to the staging folder, but for the run to be moved."""
    run = STAGING / name if name == "speech-rnn" else Path(name)
    find(RUNS[name])(run)


def make(name: str) -> None:
    """Train one run in a new process and put it in place of the one that is here."""
    staged = STAGING / name
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--here", name]
    subprocess.run(  # noqa: S603 - this very script
        command, cwd=STAGING, env={**os.environ, **QUIET}, check=True
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


def resume(name: str, run: Path, saves: int) -> None:
    """Train a run on in this process, where its files lie: a kill ends the training itself."""
    from waypoint_resume import ResumeError

    os.environ.update(QUIET)
    try:
        find("resumed:go_on")(run, find(RUNS[name].replace(":", ":build_"))(run), saves)
    except ResumeError as error:
        sys.exit(f"train.py: {error}")


def require_free(names: Sequence[str]) -> None:
    """End this program if one of the runs has a manifest to obey: training it anew would delete what it names."""
    from waypoint_resume import ResumeError
    from waypoint_resume.governing import governing

    for name in names:
        try:
            manifest, _ = governing([HERE / name])
        except ResumeError as error:
            sys.exit(f"train.py: {error}")
        if manifest is not None:
            sys.exit(
                f"train.py: {name} has to go on from {manifest['checkpoint']['path']}, says its manifest: "
                f"train it on with --resume {name}. Withdraw the manifest, or delete it, to train the run anew."
            )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RUNS)}")
    made.add_argument("--resume", metavar="NAME", choices=RUNS, help="train this run on")
    made.add_argument("--folder", type=Path, help="with --resume: the run's folder, if it is a copy or a fork")
    made.add_argument("--saves", type=int, default=5, help="with --resume: how many more saves (default: %(default)s)")
    made.add_argument("--here", action="store_true", help="train one run in this process and folder; used by train.py")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, train, and note the new files' times."""
    line = parser()
    options = line.parse_args(arguments)
    unknown = [name for name in options.names if name not in RUNS]
    if unknown:
        line.error(f"no such run: {', '.join(unknown)}")
    if options.names and options.resume:
        line.error("--resume trains one run on: name no others")
    if options.folder and not options.resume:
        line.error("--folder belongs to --resume: runs are made anew in sample_runs only")
    if options.resume in WHY_NOT:
        line.error(f"{options.resume} cannot go on: {WHY_NOT[options.resume]}")
    if options.resume:
        resume(options.resume, options.folder or HERE / options.resume, options.saves)
        return
    if options.here:
        train_here(options.names[0])
        return
    require_free(options.names or list(RUNS))
    for name in options.names or RUNS:
        start = time.monotonic()
        print(name, flush=True)
        make(name)
        times.record(HERE, [name])
        print(f"  done in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""What jobs write beside their checkpoints: settings in the forms that jobs use, and metrics as they are measured.

A settings file is written from the very values that the training is built with. Logs are opened when the first value
is there, and are appended to: a job that goes on writes on.
"""

import csv
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import yaml

from trainers.common import Model, Optimizer, Tensor

Settings = Mapping[str, str | int | float]
Measure = Callable[[], Mapping[str, float]]
Write = Callable[[int, Mapping[str, float]], None]
"""Is given a step and the metrics there."""


def write_json(path: Path, content: object) -> None:
    """Settings, or the history of a fit, as jobs dump them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_yaml(path: Path, settings: Settings) -> None:
    """Settings as PyYAML writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(settings), sort_keys=False), encoding="utf-8")


def write_flags(path: Path, settings: Settings) -> None:
    """Settings as flags of absl, which writes them as a file that `--flagfile` takes."""
    from absl import flags

    values = flags.FlagValues()
    define = {str: flags.DEFINE_string, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    for name, value in settings.items():
        define[type(value)](name, value, f"The job's {name}.", flag_values=values)
    values.mark_as_parsed()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    values.append_flags_into_file(str(path))


def json_lines(path: Path) -> Write:
    """A line for each step that is logged, with the time."""

    def write(step: int, metrics: Mapping[str, float]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics, "time": round(time.time(), 3)}) + "\n")

    return write


def csv_rows(path: Path) -> Write:
    """A row for each step that is logged, under a header."""

    def write(step: int, metrics: Mapping[str, float]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, ["step", *metrics])
            if is_new:
                rows.writeheader()
            rows.writerow({"step": step, **metrics})

    return write


def event_files(folder: Path, settings: Settings) -> Write:
    """Scalars for TensorBoard, and the settings as its hparams plugin keeps them."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    writers: list[tf.summary.SummaryWriter] = []

    def write(step: int, metrics: Mapping[str, float]) -> None:
        is_new = not writers
        if is_new:
            writers.append(tf.summary.create_file_writer(str(folder)))
        with writers[0].as_default(step=step):
            if is_new:
                api.hparams(dict(settings))
            for name, value in metrics.items():
                tf.summary.scalar(name, value)
        writers[0].flush()

    return write


def every(steps: int, optimizer: Optimizer, measure: Measure, write: Write) -> Callable[[float], None]:
    """What a loop tells the loss of each step: after so many it logs their mean, what it measures, and the rate."""
    losses: list[float] = []

    def note(loss: float) -> None:
        losses.append(loss)
        step = int(optimizer.iterations)
        if step % steps == 0:
            write(step, {"loss": float(np.mean(losses)), **measure(), "learning_rate": rate_of(optimizer)})
            losses.clear()

    return note


def rate_of(optimizer: Optimizer) -> float:
    """An optimizer's learning rate, without the digits that float32 does not hold."""
    return float(np.format_float_positional(np.float32(optimizer.learning_rate.numpy())))


def held_out(model: Model, inputs: Tensor, targets: Tensor, **metrics: Callable[[Tensor, Tensor], Tensor]) -> Measure:
    """Measures `val_…` for each of the metrics on rows that the training does not see."""
    import tensorflow as tf

    def evaluate() -> dict[str, Tensor]:
        outputs = model(inputs, training=False)
        return {f"val_{name}": tf.reduce_mean(metric(targets, outputs)) for name, metric in metrics.items()}

    compiled = tf.function(evaluate)
    return lambda: {name: float(value) for name, value in compiled().items()}

"""A run in MLflow's store of files: a file of each metric, whose lines are time (ms), value and step, and one of each
parameter. Runs that are marked as deleted are read as well, for their files are there.

https://mlflow.org/docs/latest/ml/tracking/backend-stores: `EXPERIMENT/RUN/{meta.yaml,metrics/NAME,params/NAME}`; a name
with slashes is a path.
"""

from __future__ import annotations

from collections.abc import Callable

from core.metrics.columns import SeriesBuilder
from core.metrics.limits import MOST_TEXT
from core.metrics.lines import Line, read_lines
from core.metrics.parameters import bounded, parsed
from core.metrics.positions import start_at
from core.metrics.problems import Problems
from core.metrics.records import Position, ProblemKind, Reading, XKind
from core.metrics.spec import MetricSource, Place
from core.metrics.whole_files import read_whole
from core.stores.store import Store

READER = "mlflow/1"
_META, _METRICS, _PARAMS = "meta.yaml", "metrics", "params"
_MOST_PARAM = MOST_TEXT * 4  # bytes; MLflow itself takes 6,000 characters


def recognises(place: Place) -> bool:
    """By its folders, one of which has MLflow's file beside it."""
    return _place(place.path, lambda folder: place.has(folder, _META)) is not None


def read(store: Store, path: str, position: Position | None) -> Reading:
    """A metric since a position, or a parameter."""
    found = _place(path, lambda folder: _is_run(store, folder))
    if found is None:
        return Reading(is_foreign=True)
    kind, name = found
    return _parameter(store, path, name) if kind == _PARAMS else _metric(store, path, name, position)


def _place(path: str, is_run: Callable[[str], bool]) -> tuple[str, str] | None:
    """Whether a file is a metric's or a parameter's, and the name of that."""
    parts = path.split("/")
    for number, part in enumerate(parts[:-1]):
        if part in (_METRICS, _PARAMS) and is_run("/".join(parts[:number])):
            return part, bounded("/".join(parts[number + 1 :]))
    return None


def _is_run(store: Store, folder: str) -> bool:
    try:
        store.stat(f"{folder}/{_META}" if folder else _META)
    except OSError:
        return False
    return True


def _parameter(store: Store, path: str, name: str) -> Reading:
    problems = Problems(path)
    content = read_whole(store, path, _MOST_PARAM, problems)
    if content is None:
        return Reading(problems=problems.all())
    return Reading(parameters={name: parsed(content.decode("utf-8", "backslashreplace").rstrip("\n"))})


def _metric(store: Store, path: str, name: str, position: Position | None) -> Reading:
    problems, start = Problems(path), start_at(store, path, position, READER)
    found = read_lines(store, path, start, problems)
    builder, end, ends_in_line = SeriesBuilder(problems), found.end, False
    for line in found.lines:
        point = _point(line)
        if point is None:
            kind = ProblemKind.TRUNCATED if line.is_last else ProblemKind.CORRUPT
            problems.add(kind, f"no time, value and step: {line.content[:80]!r}", line.offset)
            continue
        wall_time, value, step = point
        builder.add(name, XKind.STEP, step, value, wall_time)
        if line.is_last:
            end, ends_in_line = line.offset + len(line.content), True
    return Reading(
        series=builder.series(),
        problems=problems.all(),
        position=found.position(end, READER, {}, ends_in_line=ends_in_line),
        is_anew=start.is_anew,
        has_more=found.has_more,
    )


def _point(line: Line) -> tuple[float, float, int] | None:
    """Time in seconds, value, step (0 where old versions wrote none); behind them may stand a dataset's name."""
    parts = line.content.split()
    try:
        step = int(parts[2]) if len(parts) > 2 else 0
        return int(parts[0]) / 1000, float(parts[1]), step
    except (ValueError, IndexError, OverflowError):
        return None


SOURCE = MetricSource(
    name="mlflow",
    label="MLflow",
    files="`metrics/…` and `params/…` beside `meta.yaml`, also of runs that are marked as deleted",
    tells="every value with its step and time; parameters",
    recognises=recognises,
    read=read,
    grows=True,
)

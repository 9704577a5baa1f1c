"""A unit of work: one file that tells metrics, read on from where one stopped, to what is kept of it. Plain, picklable,
run anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.catalog.metric_files import SeenFile
from core.catalog.metric_series import FileReading, TagKey
from core.metrics.records import MetricProblem, ParamValue, Position, ProblemKind
from core.metrics.registry import read_metrics, source_named
from core.metrics.summary import Summary, summarised
from core.stores.store import Store
from waypoint_resume.names import to_text

_MOST_CALLS = 4  # of one unit: a longer file is read on in the next one


class MetricTask(NamedTuple):
    """A file (path relative to the root), its source, where to read on, what is known of its tags, and which version
    of the reader it is.
    """

    path: str
    source: str
    position: Position | None
    known: Mapping[TagKey, Summary]
    read_by: str


def read_metric_file(store: Store, task: MetricTask) -> FileReading:
    """What a file gives. One that went away or cannot be read gives a problem, and what was known stays."""
    try:
        return _read(store, task)
    except OSError as error:
        text = f"it cannot be read: {error.strerror or error}"
        problem = MetricProblem(to_text(task.path), None, ProblemKind.UNREADABLE, text)
        return FileReading({}, False, {}, (problem,), task.position, "", task.read_by)


def _read(store: Store, task: MetricTask) -> FileReading:
    found = store.stat(task.path)
    identity = SeenFile(task.path, task.source, found.size, found.mtime_ns, found.inode).identity
    source, position, is_anew = source_named(task.source), task.position, False
    known, new = dict(task.known), set[TagKey]()
    parameters: dict[str, ParamValue] = {}
    problems: list[MetricProblem] = []
    has_more = True
    for _ in range(_MOST_CALLS):
        reading = read_metrics(store, task.path, source, position)
        if reading.is_anew:
            is_anew, known, new, parameters, problems = True, {}, set(), {}, []
        for series in reading.series if not reading.is_foreign else ():
            key = (series.tag, series.x_kind)
            summary = summarised(known.get(key), series)
            if summary is not None:
                known[key] = summary
                new.add(key)
        parameters |= {} if reading.is_foreign else reading.parameters
        problems += () if reading.is_foreign else reading.problems
        has_more = reading.has_more and reading.position is not None and reading.position != position
        position = reading.position
        if not has_more:
            break
    summaries = {key: known[key] for key in known if key in new}
    return FileReading(summaries, is_anew, parameters, problems, position, identity, task.read_by, has_more)

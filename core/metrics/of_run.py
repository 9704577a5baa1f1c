"""All that the files of one run tell, read in full: for one chart, or where the catalog has not read them yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from core.metrics.curves import Curve, Track, curve_of
from core.metrics.metric_names import metric_name
from core.metrics.records import MetricProblem, ParamValue, ProblemKind, Reading
from core.metrics.registry import PREFERENCE, read_metrics, source_named
from core.stores.store import Store
from waypoint_resume.names import to_text

_MOST_CALLS = 64  # of one file: what is longer than so many times 64 MiB is not drawn


class SourceFile(NamedTuple):
    """A file of a run (path relative to the root) and the name of the source that reads it."""

    path: str
    source: str


class Parameter(NamedTuple):
    """A parameter and the file that tells it."""

    name: str
    value: ParamValue
    path: str
    source: str


@dataclass(slots=True)
class RunLogs:
    """What files of a run told: tracks by the metric's name, parameters, problems."""

    run: str
    tracks: dict[str, list[Track]] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    problems: list[MetricProblem] = field(default_factory=list)

    def add(self, file: SourceFile, reading: Reading) -> None:
        """What one call gave of a file."""
        if reading.is_foreign:
            return
        for series in reading.series:
            name = metric_name(self.run, file.path, series.tag)
            self.tracks.setdefault(name, []).append(Track.of_series(file.path, file.source, series))
        for name, value in reading.parameters.items():
            self.parameters.setdefault(name, Parameter(name, value, file.path, file.source))
        self.problems += reading.problems

    def curve(self, tag: str) -> Curve | None:
        """The curve of a metric; None where no file tells it."""
        return curve_of(tag, self.tracks.get(tag, ()), PREFERENCE)

    def curves(self) -> Mapping[str, Curve]:
        """All of them, by name."""
        return {tag: found for tag in sorted(self.tracks) if (found := self.curve(tag)) is not None}


def read_run(store: Store, run: str, files: Iterable[SourceFile]) -> RunLogs:
    """Read files of a run from their beginnings. One that went away or cannot be read is a problem."""
    logs = RunLogs(run)
    for file in files:
        try:
            _read_file(store, file, logs)
        except OSError as error:
            text = f"it cannot be read: {error.strerror or error}"
            logs.problems.append(MetricProblem(to_text(file.path), None, ProblemKind.UNREADABLE, text))
    return logs


def _read_file(store: Store, file: SourceFile, logs: RunLogs) -> None:
    source, position = source_named(file.source), None
    for _ in range(_MOST_CALLS):
        reading = read_metrics(store, file.path, source, position)
        logs.add(file, reading)
        position = reading.position
        if not reading.has_more:
            return

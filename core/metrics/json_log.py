"""Metrics as JSON: a line each that tells a step or an epoch (Ray Tune's result.json, Detectron's metrics.json,
anybody's .jsonl), read on from where one stopped; or one document (`json_document`).

https://jsonlines.org/. A line that is no JSON hides no other.
"""

from __future__ import annotations

import re

from core.base.errors import CorruptError, FormatError, TruncatedError
from core.formats.json_text import parse
from core.metrics.columns import SeriesBuilder
from core.metrics.json_document import read_document
from core.metrics.json_points import add_object
from core.metrics.lines import Line, read_lines
from core.metrics.positions import start_at
from core.metrics.problems import Problems
from core.metrics.records import Position, Reading
from core.metrics.spec import MetricSource, Place
from core.metrics.x_names import counters_in
from core.stores.store import Store

READER = "json-lines/1"
_LINES = (".jsonl", ".ndjson", ".jsonlines")
_WORD = re.compile(r"(?:^|[^a-z])(?:results?|metrics?|logs?|history|hist|summary|trainer_state)(?:[^a-z]|$)")
_SECTION = "line"
_LOOKED_AT, _LOOKED_AT_BYTES = 20, 1 << 18  # what may stand in front of the first line that tells a step


def recognises(place: Place) -> bool:
    """By its ending, or by a word in the name of a JSON file."""
    name = place.name.lower()
    return name.endswith(_LINES) or (name.endswith(".json") and _WORD.search(name.removesuffix(".json")) is not None)


def read(store: Store, path: str, position: Position | None) -> Reading:
    """The lines since a position, or the document."""
    problems = Problems(path)
    start = start_at(store, path, position, READER)
    if start.is_anew:
        beginning = store.read(path, _LOOKED_AT_BYTES)
        if _is_of_others(beginning):
            return Reading(is_foreign=True)
        if not path.lower().endswith(_LINES) and not _is_of_lines(beginning):
            return read_document(store, path)
    found = read_lines(store, path, start, problems)
    builder, end, ends_in_line, told, first = SeriesBuilder(problems), found.end, False, 0, Problems(path)
    for line in found.lines:
        is_whole = _add(builder, line, problems if told else first)
        told += is_whole is True
        if is_whole is not None and line.is_last:
            end, ends_in_line = line.offset + len(line.content), True
    if start.is_anew and not told:
        return Reading(is_foreign=len(found.lines) > 1, problems=first.all() if len(found.lines) == 1 else ())
    return Reading(
        series=builder.series(),
        problems=first.all() + problems.all(),
        position=found.position(end, READER, {}, ends_in_line=ends_in_line),
        is_anew=start.is_anew,
        has_more=found.has_more,
    )


def _is_of_others(beginning: bytes) -> bool:
    """Whether many lines are whole and none tells a step: records of data are kept in such files, too."""
    lines, told = beginning.split(b"\n")[:-1], 0
    for line in lines[:_LOOKED_AT]:
        try:
            found = parse(line, _SECTION)
        except FormatError:
            return False
        told += isinstance(found, dict) and bool(counters_in(found))
    return len(lines) >= _LOOKED_AT and not told


def _is_of_lines(beginning: bytes) -> bool:
    """Whether the first line is an object by itself."""
    line, end, _ = beginning.lstrip().partition(b"\n")
    try:
        return bool(end) and isinstance(parse(line, _SECTION), dict)
    except FormatError:
        return False


def _add(builder: SeriesBuilder, line: Line, problems: Problems) -> bool | None:
    """Add a line: whether it tells a step, None where it cannot be read."""
    try:
        found = parse(line.content, _SECTION)
    except FormatError as error:
        # Only the last line may go on; another that breaks off was broken off by what stands behind it.
        kind = error if line.is_last or not isinstance(error, TruncatedError) else _as_corrupt(error)
        problems.add_error(kind, line.offset)
        return None
    return isinstance(found, dict) and add_object(builder, found)


def _as_corrupt(error: FormatError) -> FormatError:
    return CorruptError(error.message, section=error.section, offset=error.offset)


SOURCE = MetricSource(
    name="json-log",
    label="JSON log",
    files=(
        "`*.jsonl`, `*.ndjson`; `*.json` with a word such as result, metrics, log, history in its name: Ray "
        "Tune's `result.json`, DVCLive's `metrics.json`, a Keras History, `trainer_state.json`"
    ),
    tells="numbers by the step or epoch beside them, inner ones as `a/b`",
    recognises=recognises,
    read=read,
    grows=True,
)

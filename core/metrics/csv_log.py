"""Tables with a column that counts epochs or steps: Keras' CSVLogger, Ray Tune's progress.csv, Lightning's metrics.csv,
DVCLive's plots, and anybody's own. Read on from where one stopped; values as `float` reads them.

https://docs.python.org/3/library/csv.html. A row that repeats the header begins it anew, as where a job that was
started again appends to its file. Other tables bear such names, too: those without such a column are not read.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.metrics.columns import SeriesBuilder
from core.metrics.lines import Line, read_lines
from core.metrics.positions import start_at
from core.metrics.problems import Problems
from core.metrics.records import Position, ProblemKind, Reading, XKind
from core.metrics.spec import MetricSource, Place
from core.metrics.x_names import COUNTERS, as_wall_time, clock_in, counters_in
from core.runs.trial_names import RAY_OWN_RESULTS
from core.stores.store import Store

READER = "csv/1"
_ENDINGS = (".csv", ".tsv")
_CONFIG = "config/"  # Ray repeats the parameters in each row
_MOST_COLUMNS = 4_000
_MOST_HELD = 8  # lines of one row
_LOOKED_AT = 1 << 16  # bytes in which the header's end is looked for


class _Table(NamedTuple):
    """The header: names, which of them is x, which the time, which are metrics, and how a row is split."""

    names: tuple[str, ...]
    x: int
    x_kind: XKind
    clock: int | None
    metrics: tuple[tuple[int, str], ...]
    delimiter: str


def recognises(place: Place) -> bool:
    """By its ending."""
    return place.name.lower().endswith(_ENDINGS)


def read(store: Store, path: str, position: Position | None) -> Reading:
    """The rows since a position."""
    problems = Problems(path)
    start = start_at(store, path, position, READER)
    if start.is_anew and _is_of_others(store.read(path, _LOOKED_AT)):
        return Reading(is_foreign=True)
    found = read_lines(store, path, start, problems)
    rows, open_at = _rows(found.lines, problems, _delimiter(start.state.get("delimiter"), found.lines))
    table = _known_table(start.state)
    if table is None:
        table = _header(rows) if rows else None
        if table is None:  # nor is it known yet which column counts
            return Reading(problems=problems.all())
        rows = rows[1:]
    builder, ends_in_line = SeriesBuilder(problems), False
    end = found.end if open_at is None else open_at
    for row in rows:
        if _add(builder, table, row):
            if row.line.is_last:
                end, ends_in_line = row.line.offset + len(row.line.content), True
        elif (renewed := _renewed(row)) is not None:
            table = renewed
        else:
            _say_odd(row, table, problems)
    state = {"names": list(table.names), "x": table.names[table.x], "delimiter": table.delimiter}
    return Reading(
        series=builder.series(),
        problems=problems.all(),
        position=found.position(end, READER, state, ends_in_line=ends_in_line),
        is_anew=start.is_anew,
        has_more=found.has_more,
    )


def _is_of_others(beginning: bytes) -> bool:
    """Whether the header is whole and names no step and no epoch."""
    header, end, _ = beginning.lstrip().partition(b"\n")
    line = Line(0, header)
    names = _row(line, Problems(""), _delimiter(None, [line])) if end and header.count(b'"') % 2 == 0 else None
    return names is not None and not counters_in(names.cells)


class _Row(NamedTuple):
    line: Line
    cells: list[str]
    delimiter: str


class _Rows(NamedTuple):
    """Rows, and where one begins whose quote is still open at the end."""

    rows: list[_Row]
    open_at: int | None


def _rows(lines: Sequence[Line], problems: Problems, delimiter: str) -> _Rows:
    """Each row; one whose quotes are open goes on in the next line."""
    rows: list[_Row] = []
    held: list[Line] = []
    for line in lines:
        if not held and b'"' not in line.content:
            row = _row(line, problems, delimiter)
            if row is not None:
                rows.append(row)
            continue
        held.append(line)
        content = line.content if len(held) == 1 else b"\n".join(one.content for one in held)
        if content.count(b'"') % 2:
            if len(held) == _MOST_HELD or len(content) > _LOOKED_AT:
                problems.add(ProblemKind.CORRUPT, "a quote is never closed", held[0].offset)
                held = []
            continue
        row = _row(Line(held[0].offset, content, line.is_last), problems, delimiter)
        held = []
        if row is not None:
            rows.append(row)
    if held:
        problems.add(ProblemKind.TRUNCATED, "a quote is not closed", held[0].offset)
    return _Rows(rows, held[0].offset if held else None)


def _row(line: Line, problems: Problems, delimiter: str) -> _Row | None:
    """The cells of a line."""
    text = line.content.decode("utf-8-sig" if line.offset == 0 else "utf-8", "backslashreplace").rstrip("\r")
    try:
        cells = next(csv.reader([text], delimiter=delimiter), []) if '"' in text else text.split(delimiter)
    except csv.Error as error:
        problems.add(ProblemKind.CORRUPT, str(error), line.offset)
        return None
    if len(cells) > _MOST_COLUMNS:
        problems.add(ProblemKind.TOO_LARGE, f"a row of {len(cells):,} columns", line.offset)
        return None
    return _Row(line, cells, delimiter)


def _delimiter(known: object, lines: Sequence[Line]) -> str:
    """What splits the first line into the most cells."""
    if isinstance(known, str) and len(known) == 1:
        return known
    first = lines[0].content if lines else b""
    return max(",\t;", key=lambda one: first.count(one.encode()))


def _known_table(state: Mapping[str, Any]) -> _Table | None:
    names, x, delimiter = (state.get(key) for key in ("names", "x", "delimiter"))
    if isinstance(names, list) and isinstance(delimiter, str):
        columns = [str(name) for name in names]
        return next((_table(columns, name, kind, delimiter) for name, kind in counters_in(columns) if name == x), None)
    return None


def _renewed(row: _Row) -> _Table | None:
    """The table that begins with a row amid others, where it is a header."""
    if COUNTERS.isdisjoint([cell.strip().lower() for cell in row.cells]):
        return None
    return next((_table(row.cells, name, kind, row.delimiter) for name, kind in counters_in(row.cells)), None)


def _header(rows: Sequence[_Row]) -> _Table | None:
    """The table whose header is the first of some rows: the first values of a counter tell that it counts. None while
    there are none.
    """
    names = rows[0].cells
    candidates = counters_in(names)
    for row in rows[1:]:
        for name, kind in candidates if len(row.cells) == len(names) else ():
            if _number(row.cells[names.index(name)]) is not None:
                return _table(names, name, kind, rows[0].delimiter)
    return None


def _table(names: Sequence[str], x: str, kind: XKind, delimiter: str) -> _Table:
    clock = clock_in(names)
    left_out = RAY_OWN_RESULTS | {x, clock}
    metrics = tuple(
        (number, name.strip())
        for number, name in enumerate(names)
        if name not in left_out and not name.startswith(_CONFIG)
    )
    at = None if clock is None else names.index(clock)
    return _Table(tuple(names), names.index(x), kind, at, metrics, delimiter)


def _add(builder: SeriesBuilder, table: _Table, row: _Row) -> bool:
    """Add a row's values; False where it does not fit the header or has no x."""
    if len(row.cells) != len(table.names):
        return False
    x = _number(row.cells[table.x])
    if x is None or not math.isfinite(x):
        return False
    wall = math.nan if table.clock is None else as_wall_time(_number(row.cells[table.clock]))
    for number, name in table.metrics:
        value = _number(row.cells[number])
        if value is not None:
            builder.add(name, table.x_kind, x, value, wall)
    return True


def _number(cell: str) -> int | float | None:
    """A cell's number, None where it holds none."""
    try:
        return int(cell) if cell.isdecimal() and len(cell) < 19 else float(cell)
    except ValueError:
        return None


def _say_odd(row: _Row, table: _Table, problems: Problems) -> None:
    if len(row.cells) == len(table.names):
        name, cell = table.names[table.x], row.cells[table.x]
        problems.add(ProblemKind.CORRUPT, f"{name} is {cell[:80]!r}", row.line.offset)
        return
    kind = ProblemKind.TRUNCATED if row.line.is_last else ProblemKind.CORRUPT
    problems.add(kind, f"a row of {len(row.cells):,} cells under a header of {len(table.names):,}", row.line.offset)


SOURCE = MetricSource(
    name="csv",
    label="CSV log",
    files=(
        "`*.csv`, `*.tsv` with a column that counts steps or epochs: Keras' CSVLogger, Ray Tune's "
        "`progress.csv`, Lightning's `metrics.csv`, DVCLive's plots"
    ),
    tells="every number by its row's step, or epoch; the time, where a column tells it",
    recognises=recognises,
    read=read,
    grows=True,
)

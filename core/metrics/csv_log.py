"""Tables with a column that counts epochs or steps: Keras' CSVLogger, Ray Tune's progress.csv, Lightning's metrics.csv,
DVCLive's plots, and anybody's own. Read on from where one stopped; values as `float` reads them.

https://docs.python.org/3/library/csv.html. A row that repeats the header begins it anew, as where a job that was
started again appends to its file. Other tables bear such names, too: those without such a column are not read.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.metrics.columns import SeriesBuilder
from core.metrics.lines import Line, read_lines
from core.metrics.positions import position_at, start_at
from core.metrics.problems import Problems
from core.metrics.records import Position, ProblemKind, Reading, XKind
from core.metrics.spec import MetricSource, Place
from core.metrics.x_names import as_wall_time, clock_in, counters_in
from core.runs.trial_names import RAY_OWN_RESULTS
from core.stores.store import Store

READER = "csv/1"
_ENDINGS = (".csv", ".tsv")
_CONFIG = "config/"  # Ray repeats the parameters in each row
_MOST_COLUMNS = 4_000
_LOOKED_AT = 1 << 16  # bytes in which the header's end is looked for


class _Table(NamedTuple):
    """The header: names, which of them is x, which the time, and how a row is split."""

    names: tuple[str, ...]
    x: int
    x_kind: XKind
    clock: int | None
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
    found = read_lines(store, path, start.offset, start.size, problems)
    rows = list(_rows(found.lines, problems, _delimiter(start.state.get("delimiter"), found.lines)))
    table = _known_table(start.state)
    if table is None:
        if not rows:
            return Reading(problems=problems.all())
        table = _header(rows)
        if table is None:
            return Reading(is_foreign=True)
        if len(rows) == 1 or (len(rows) == 2 and rows[1].line.is_last and len(rows[1].cells) < len(table.names)):
            return Reading(problems=problems.all())  # which column counts is not known yet
        rows = rows[1:]
    builder, end, ends_in_line = SeriesBuilder(problems), found.end, False
    for row in rows:
        if _add(builder, table, row):
            if row.line.is_last:
                end, ends_in_line = row.line.offset + len(row.line.content), True
        elif (renewed := _header([row])) is not None:
            table = renewed
        else:
            _say_odd(row, table, problems)
    state = {"names": list(table.names), "x": table.names[table.x], "delimiter": table.delimiter}
    return Reading(
        series=builder.series(),
        problems=problems.all(),
        position=position_at(store, path, end, READER, state, ends_in_line=ends_in_line),
        is_anew=start.is_anew,
        has_more=found.has_more,
    )


def _is_of_others(beginning: bytes) -> bool:
    """Whether the header is whole and names no step and no epoch."""
    header, end, _ = beginning.lstrip().partition(b"\n")
    names = next(_rows([Line(0, header)], Problems(""), _delimiter(None, [Line(0, header)])), None)
    return bool(end) and names is not None and not counters_in(names.cells)


class _Row(NamedTuple):
    line: Line
    cells: list[str]
    delimiter: str


def _rows(lines: Sequence[Line], problems: Problems, delimiter: str) -> Iterator[_Row]:
    """Each row; one whose quotes are open goes on in the next line."""
    held: Line | None = None
    for line in lines:
        whole = line if held is None else Line(held.offset, held.content + b"\n" + line.content, line.is_last)
        if whole.content.count(b'"') % 2 and len(whole.content) < csv.field_size_limit() and not line.is_last:
            held = whole
            continue
        held = None
        text = whole.content.decode("utf-8-sig" if whole.offset == 0 else "utf-8", "backslashreplace").rstrip("\r")
        try:
            cells = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error as error:
            problems.add(ProblemKind.CORRUPT, str(error), whole.offset)
            continue
        if len(cells) > _MOST_COLUMNS:
            problems.add(ProblemKind.TOO_LARGE, f"a row of {len(cells):,} columns", whole.offset)
            continue
        yield _Row(whole, cells, delimiter)


def _delimiter(known: object, lines: Sequence[Line]) -> str:
    """What splits the first line into the most cells."""
    if isinstance(known, str) and len(known) == 1:
        return known
    first = lines[0].content if lines else b""
    return max(",\t;", key=lambda one: first.count(one.encode()))


def _known_table(state: Mapping[str, Any]) -> _Table | None:
    names, x, delimiter = (state.get(key) for key in ("names", "x", "delimiter"))
    if isinstance(names, list) and isinstance(x, str) and isinstance(delimiter, str):
        return _table([str(name) for name in names], delimiter, lambda name: name == x)
    return None


def _header(rows: Sequence[_Row]) -> _Table | None:
    """The table whose header is the first of some rows; its first values tell which of its counters counts."""
    names = rows[0].cells
    values = next((row.cells for row in rows[1:] if len(row.cells) == len(names)), None)
    known = None if values is None else dict(zip(names, values, strict=True))
    return _table(names, rows[0].delimiter, lambda name: known is None or _number(known[name]) is not None)


def _table(names: Sequence[str], delimiter: str, may_count: Callable[[str], bool]) -> _Table | None:
    for name, kind in counters_in(names):
        if may_count(name):
            clock = clock_in(names)
            at = None if clock is None else names.index(clock)
            return _Table(tuple(names), names.index(name), kind, at, delimiter)
    return None


def _add(builder: SeriesBuilder, table: _Table, row: _Row) -> bool:
    """Add a row's values; False where it does not fit the header or has no x."""
    if len(row.cells) != len(table.names):
        return False
    x = _number(row.cells[table.x])
    if x is None or not math.isfinite(x):
        return False
    wall = math.nan if table.clock is None else as_wall_time(_number(row.cells[table.clock]))
    for number, (name, cell) in enumerate(zip(table.names, row.cells, strict=True)):
        if number in (table.x, table.clock) or name in RAY_OWN_RESULTS or name.startswith(_CONFIG):
            continue
        value = _number(cell)
        if value is not None:
            builder.add(name.strip(), table.x_kind, x, value, wall)
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


SOURCE = MetricSource(name="csv", label="CSV log", recognises=recognises, read=read, grows=True)

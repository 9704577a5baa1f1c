"""The lines of a text file that grows, from a place on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.metrics.limits import MOST_LINE, MOST_TEXT_BYTES_A_CALL
from core.metrics.positions import Start, last_bytes, position_at
from core.metrics.problems import Problems
from core.metrics.records import Position, ProblemKind
from core.stores.store import Store


class Line(NamedTuple):
    """A line without its end: where it begins, and whether the file ends in it, so that it may be a part of one."""

    offset: int
    content: bytes
    is_last: bool = False


class Lines(NamedTuple):
    """Lines; where the last whole one ends; whether more follow that this call did not read; and what was read."""

    lines: list[Line]
    end: int
    has_more: bool
    start: Start
    content: bytes

    def position(self, end: int, reader: str, state: Mapping[str, Any], *, ends_in_line: bool = False) -> Position:
        """The position behind what was read up to `end`."""
        tail = last_bytes(self.start.tail, self.content, end - self.start.offset)
        return position_at(self.start, end, tail, reader, state, ends_in_line=ends_in_line)


def read_lines(store: Store, path: str, start: Start, problems: Problems) -> Lines:
    """The lines from the start on, at most some megabytes of them. Longer ones than MOST_LINE are left out."""
    offset, size = start.offset, start.size
    (content,) = store.read_ranges(path, [(offset, min(MOST_TEXT_BYTES_A_CALL, size - offset))])
    has_more = offset + len(content) < size and len(content) == MOST_TEXT_BYTES_A_CALL
    parts = content.split(b"\n")
    rest = parts.pop()
    found, at = [], offset
    for part in parts:
        if len(part) > MOST_LINE:
            problems.add(ProblemKind.TOO_LARGE, f"a line of {len(part):,} bytes", at)
        elif part.strip():
            found.append(Line(at, part))
        at += len(part) + 1
    if has_more and not parts:  # one line fills it all
        problems.add(ProblemKind.TOO_LARGE, f"a line of more than {len(rest):,} bytes", at)
        return Lines([], at + len(rest), has_more=True, start=start, content=content)
    if rest.strip() and not has_more:
        found.append(Line(at, rest, is_last=True))
    return Lines(found, at, has_more, start, content)

"""The lines of a text file that grows, from a place on."""

from __future__ import annotations

from typing import NamedTuple

from core.metrics.limits import MOST_BYTES_A_CALL, MOST_LINE
from core.metrics.problems import Problems
from core.metrics.records import ProblemKind
from core.stores.store import Store


class Line(NamedTuple):
    """A line without its end: where it begins, and whether the file ends in it, so that it may be a part of one."""

    offset: int
    content: bytes
    is_last: bool = False


class Lines(NamedTuple):
    """Lines; where the last whole one ends; whether more follow that this call did not read."""

    lines: list[Line]
    end: int
    has_more: bool


def read_lines(store: Store, path: str, offset: int, size: int, problems: Problems) -> Lines:
    """The lines from `offset` to `size`, at most some megabytes of them. Longer ones than MOST_LINE are left out."""
    (content,) = store.read_ranges(path, [(offset, min(MOST_BYTES_A_CALL, size - offset))])
    has_more = offset + len(content) < size and len(content) == MOST_BYTES_A_CALL
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
        return Lines([], at + len(rest), has_more=True)
    if rest.strip() and not has_more:
        found.append(Line(at, rest, is_last=True))
    return Lines(found, at, has_more)

"""Where reading of a file that grows went on to, and whether it is still the same file.

A position is JSON: the offset, a checksum of the file's first bytes and of those before the offset, and what else a
source must remember. A file that is shorter than the offset, or bears other bytes there, was written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.formats.checksum import crc32c
from core.metrics.records import Position
from core.stores.store import Store

_HEAD, _TAIL = 1024, 256


class Start(NamedTuple):
    """Where to read on: `state` is what the source remembers; `is_anew`: from the beginning."""

    offset: int
    size: int
    state: Mapping[str, Any]
    is_anew: bool


def start_at(store: Store, path: str, position: Position | None, reader: str) -> Start:
    """Where a reader goes on in a file. One that another version of it has read is read from the beginning. OSError."""
    size = store.stat(path).size
    offset = position.get("offset") if position else None
    if position is None or type(offset) is not int or not 0 <= offset <= size or position.get("reader") != reader:
        return Start(0, size, {}, is_anew=True)
    if _marks(store, path, offset) != position.get("marks"):
        return Start(0, size, {}, is_anew=True)
    state = position.get("state")
    if position.get("ends_in_line") and size > offset:
        return Start(0, size, {}, is_anew=True)
    return Start(offset, size, state if isinstance(state, dict) else {}, is_anew=False)


def position_at(
    store: Store, path: str, offset: int, reader: str, state: Mapping[str, Any], *, ends_in_line: bool = False
) -> Position:
    """The position behind the first `offset` bytes. `ends_in_line`: the last line has no end, so that what it gave may
    be half of it; when the file grows it is read from the beginning. OSError.
    """
    marks = _marks(store, path, offset)
    return {"reader": reader, "offset": offset, "marks": marks, "state": dict(state), "ends_in_line": ends_in_line}


def _marks(store: Store, path: str, offset: int) -> list[int]:
    tail = max(0, offset - _TAIL)
    parts = store.read_ranges(path, [(0, min(_HEAD, offset)), (tail, offset - tail)])
    return [crc32c(part) for part in parts]

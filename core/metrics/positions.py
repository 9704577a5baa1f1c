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

_HEAD, TAIL = 1024, 256  # bytes


class Start(NamedTuple):
    """Where to read on: `state` is what the source remembers; `is_anew`: from the beginning. `head` are the file's
    first bytes and `tail` those before the offset, as they were when this was decided.
    """

    offset: int
    size: int
    state: Mapping[str, Any]
    is_anew: bool
    head: bytes
    tail: bytes


def start_at(store: Store, path: str, position: Position | None, reader: str) -> Start:
    """Where a reader goes on in a file. One that another version of it has read is read from the beginning. OSError."""
    size = store.stat(path).size
    known = position if position is not None and _is_usable(position, size, reader) else None
    offset = known["offset"] if known is not None else 0
    first = max(0, offset - TAIL)
    head, tail = store.read_ranges(path, [(0, min(_HEAD, size)), (first, offset - first)])
    if known is None or _marks(head, tail, offset) != known.get("marks"):
        return Start(0, size, {}, is_anew=True, head=head, tail=b"")
    state = known.get("state")
    return Start(offset, size, state if isinstance(state, dict) else {}, is_anew=False, head=head, tail=tail)


def position_at(
    start: Start, offset: int, tail: bytes, reader: str, state: Mapping[str, Any], *, ends_in_line: bool = False
) -> Position:
    """The position behind the first `offset` bytes, `tail` being the last of those that were read: what stands there
    now may be another file's. `ends_in_line`: the last line has no end, so that what it gave may be half of it; when
    the file grows it is read from the beginning.
    """
    marks = _marks(start.head, tail, offset)
    return {"reader": reader, "offset": offset, "marks": marks, "state": dict(state), "ends_in_line": ends_in_line}


def last_bytes(before: bytes, content: bytes, end: int) -> bytes:
    """Of what was read so far and a piece's first `end` bytes, as many as a position remembers."""
    piece = content[max(0, end - TAIL) : end]
    return (before + piece)[-TAIL:] if len(piece) < TAIL else piece


def _is_usable(position: Position, size: int, reader: str) -> bool:
    offset = position.get("offset")
    if type(offset) is not int or not 0 <= offset <= size or position.get("reader") != reader:
        return False
    return not (position.get("ends_in_line") and size > offset)


def _marks(head: bytes, tail: bytes, offset: int) -> list[int]:
    return [crc32c(head[: min(_HEAD, offset)]), crc32c(tail[-min(TAIL, offset) :] if offset else b"")]

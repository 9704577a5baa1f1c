"""Many records of an event file at once: those of one form differ in their time, step and values alone.

The first record of a form is parsed (`event_message`), and the places of what may differ are remembered. All records of
the same length whose other bytes are the same tell the same tags: their columns are cut out of the bytes by NumPy. This
takes a tenth of the time of parsing each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from core.base.errors import FormatError
from core.metrics.event_message import Event, parse_event
from core.metrics.records import Floats

_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_Indices = npt.NDArray[np.int64]
_FEW = 48  # of so few records of one length each is parsed
_MOST_LAYOUTS = 64  # of one length that are tried
_MOST_STEP = 9  # bytes: so many varints are never negative and never too long
_LONGEST = 1 << 16


class ScalarColumn(NamedTuple):
    """Values of one tag: the number of each one's record, and columns of its step, wall time and value."""

    tag: bytes
    records: _Indices
    steps: _Indices
    wall_times: Floats
    values: Floats


class Odd(NamedTuple):
    """A record that was parsed by itself: its number, and what it tells or what is wrong with it."""

    record: int
    event: Event | FormatError


class _Layout:
    """A form of records: its bytes as words, of which those under `mask` are the same in all."""

    def __init__(self, content: bytes, event: Event) -> None:
        self.event = event
        masks = np.full(_padded(len(content)), 0xFF, np.uint8)
        masks[len(content) :] = 0
        holes = [(one.place, 8 if one.is_wide else 4) for one in event.scalars if one.place is not None]
        if event.wall_place is not None:
            holes.append((event.wall_place, 8))
        for start, width in holes:
            masks[start : start + width] = 0
        if event.step_places is not None:
            masks[slice(*event.step_places)] = 0x80  # only whether the number goes on
        bytes_ = np.zeros(len(masks), np.uint8)
        bytes_[: len(content)] = np.frombuffer(content, np.uint8)
        self.mask: _Words = masks.view(np.uint64)
        self.words: _Words = bytes_.view(np.uint64) & self.mask

    def matches(self, rows: _Words) -> npt.NDArray[np.bool_]:
        """Which rows are of this form."""
        differs = np.zeros(len(rows), np.uint64)
        for number, (word, mask) in enumerate(zip(self.words, self.mask, strict=True)):
            if mask:
                differs |= (rows[:, number] & mask) ^ word
        is_of: npt.NDArray[np.bool_] = differs == 0
        return is_of

    def columns(self, rows: _Bytes, records: _Indices) -> Iterator[ScalarColumn]:
        """The values of rows of this form."""
        event, count = self.event, len(rows)
        steps = np.zeros(count, np.int64)
        if event.step_places is not None:
            for shift, place in enumerate(range(*event.step_places)):
                steps |= (rows[:, place] & 0x7F).astype(np.int64) << (7 * shift)
        walls = np.zeros(count) if event.wall_place is None else _cut(rows, event.wall_place, "<f8")
        for one in event.scalars:
            if one.place is not None:
                yield ScalarColumn(
                    one.tag, records, steps, walls, _cut(rows, one.place, "<f8" if one.is_wide else "<f4")
                )


class EventDecoder:
    """Decodes the records of one file, remembering the forms that it has seen."""

    def __init__(self) -> None:
        self._layouts: dict[int, list[_Layout]] = {}

    def decode(
        self, data: bytes, starts: _Indices, lengths: _Indices, records: _Indices
    ) -> Iterator[ScalarColumn | Odd]:
        """What the records at some places of `data` tell; `records` are their numbers. In no order."""
        padded = np.frombuffer(data + bytes(8), np.uint8)
        kinds, group = np.unique(lengths, return_inverse=True)
        for number, length in enumerate(kinds.tolist()):
            chosen = np.flatnonzero(group == number)
            if len(chosen) < _FEW or length > _LONGEST or not length:
                yield from _each(data, starts[chosen], length, records[chosen])
            else:
                yield from self._alike(data, padded, starts[chosen], length, records[chosen])

    def _alike(
        self, data: bytes, padded: _Bytes, starts: _Indices, length: int, records: _Indices
    ) -> Iterator[ScalarColumn | Odd]:
        """The same for records of one length."""
        windows = np.lib.stride_tricks.sliding_window_view(padded, _padded(length))
        rows = np.ascontiguousarray(windows[starts])
        known = self._layouts.setdefault(length, [])
        tried = 0
        while len(rows):
            if tried == len(known):
                content = data[starts[0] : starts[0] + length]
                event = _parsed(content)
                if tried >= _MOST_LAYOUTS or not _is_layout(event):
                    yield Odd(int(records[0]), event)
                    rows, starts, records = rows[1:], starts[1:], records[1:]
                    if tried >= _MOST_LAYOUTS:
                        yield from _each(data, starts, length, records)
                        return
                    continue
                known.append(_Layout(content, event))
            layout = known[tried]
            is_of = layout.matches(rows.view(np.uint64))
            tried += 1
            if is_of.any():
                yield from layout.columns(rows[is_of], records[is_of])
                rest = ~is_of
                rows, starts, records = rows[rest], starts[rest], records[rest]


def _each(data: bytes, starts: _Indices, length: int, records: _Indices) -> Iterator[Odd]:
    for start, record in zip(starts.tolist(), records.tolist(), strict=True):
        yield Odd(record, _parsed(data[start : start + length]))


def _parsed(content: bytes) -> Event | FormatError:
    try:
        return parse_event(content)
    except FormatError as error:
        return error


def _is_layout(event: Event | FormatError) -> TypeGuard[Event]:
    if isinstance(event, FormatError) or not event.is_uniform or not event.scalars:
        return False
    return event.step_places is None or event.step_places[1] - event.step_places[0] <= _MOST_STEP


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def _cut(rows: _Bytes, place: int, kind: str) -> Floats:
    width = np.dtype(kind).itemsize
    return np.ascontiguousarray(rows[:, place : place + width]).view(kind).reshape(-1).astype(np.float64)

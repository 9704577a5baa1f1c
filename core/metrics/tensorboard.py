"""TensorBoard's event files, of TensorFlow 1 and 2, PyTorch and others: scalars, texts, hyperparameters, restarts.

Frames are told by `record_frames`, records decoded by `event_layouts`. A record whose checksum does not hold is left
out; where a length's does not, nothing behind it can be told. Read on from the last whole record.
"""

from __future__ import annotations

import numpy as np

from core.base.errors import FormatError, TooLargeError
from core.metrics.event_layouts import EventDecoder, Odd, ScalarColumn
from core.metrics.event_message import Event
from core.metrics.hparams_plugin import START_TAG, hyperparameters
from core.metrics.limits import MOST_BYTES_A_CALL, MOST_NAME, MOST_TAGS, MOST_TEXTS
from core.metrics.parameters import bounded
from core.metrics.positions import TAIL, Start, last_bytes, position_at, start_at
from core.metrics.problems import Problems
from core.metrics.record_frames import HEAD, Frames, broken, content_error, cut_off, frames_in
from core.metrics.records import ParamValue, Position, ProblemKind, Reading, Restart, Series, Text, XKind
from core.metrics.spec import MetricSource, Place
from core.metrics.text_table import table_parameters
from core.metrics.x_names import told_times
from core.stores.store import Store

READER = "tensorboard/1"
_MARK = ".tfevents."
_PIECE = 8 << 20  # bytes that are read at once
_MOST_RECORD = 64 << 20  # of a longer one, an image or a graph, nothing is told
_EPOCH = "epoch_"  # Keras' callback counts epochs for these tags


def recognises(place: Place) -> bool:
    """By the mark that TensorBoard looks for, too."""
    return _MARK in place.name


def read(store: Store, path: str, position: Position | None) -> Reading:
    """What was logged since a position."""
    start = start_at(store, path, position, READER)
    found = _File(store, path, start)
    found.read()
    return Reading(
        series=found.series(),
        parameters=found.parameters,
        texts=tuple(found.texts),
        restarts=tuple(sorted(found.restarts, key=lambda one: one.offset)),
        problems=found.problems.all(),
        position=position_at(start, found.at, found.tail, READER, {}),
        is_anew=start.is_anew,
        has_more=found.has_more,
    )


class _File:
    """What one call finds in a file: `at` is how far it came, `tail` what it read last before that."""

    def __init__(self, store: Store, path: str, start: Start) -> None:
        self._store, self._path, self._size = store, path, start.size
        self._stop = min(start.size, start.offset + MOST_BYTES_A_CALL)
        self.at, self.tail = start.offset, start.tail
        self.has_more = False
        self.problems = Problems(path)
        self.parameters: dict[str, ParamValue] = {}
        self.texts: list[Text] = []
        self.restarts: list[Restart] = []
        self._decoder = EventDecoder()
        self._columns: dict[bytes, list[ScalarColumn]] = {}
        self._is_full = False
        self._records = 0

    def read(self) -> None:
        """Read up to the limit of a call, or to what cannot be read."""
        need, size = _PIECE, self._size
        while self.at < size:
            if self.at >= self._stop:
                self.has_more = True
                return
            (data,) = self._store.read_ranges(self._path, [(self.at, min(need, size - self.at))])
            frames = frames_in(data, self.at)
            self._decode(data, frames)
            self.at += frames.end
            self.tail = last_bytes(self.tail, data, frames.end)
            if frames.fault is not None:
                self.problems.add_error(frames.fault)
                return
            there = size - self.at
            if frames.end:
                need = _PIECE
            elif frames.cut is None or frames.cut > there:
                self.problems.add_error(cut_off(self.at, there, frames.cut))
                return
            elif frames.cut > _MOST_RECORD:
                error = TooLargeError(f"it has {frames.cut:,} bytes", section="record", offset=self.at)
                self.problems.add_error(error)
                self.at += frames.cut
                (self.tail,) = self._store.read_ranges(self._path, [(max(0, self.at - TAIL), min(TAIL, self.at))])
            else:
                need = frames.cut

    def _decode(self, data: bytes, frames: Frames) -> None:
        """Take what the records of some bytes tell, those left out whose content is broken."""
        offsets = self.at + frames.starts - HEAD
        bad = broken(data, frames)
        for number in bad.tolist():
            self.problems.add_error(content_error(int(offsets[number])))
        numbers = np.delete(np.arange(len(offsets), dtype=np.int64), bad)
        for one in self._decoder.decode(data, frames.starts[numbers], frames.lengths[numbers], numbers):
            if isinstance(one, ScalarColumn):
                self._add(one._replace(records=one.records + self._records))
            else:
                self._take_odd(one, int(offsets[one.record]))
        self._records += len(offsets)

    def _take_odd(self, odd: Odd, offset: int) -> None:
        event = odd.event
        if isinstance(event, FormatError):
            self.problems.add_error(event, offset + HEAD)
            return
        record = np.array([odd.record + self._records], np.int64)
        step, wall = np.array([event.step], np.int64), np.array([event.wall_time])
        for one in event.scalars:
            self._add(ScalarColumn(one.tag, record, step, wall, np.array([one.value], np.float64)))
        if event.is_start:
            self.restarts.append(Restart(event.step, event.wall_time, offset))
        self._take_plugins(event, offset)

    def _take_plugins(self, event: Event, offset: int) -> None:
        for tag, text in event.texts[: MOST_TEXTS - len(self.texts)]:
            told = bounded(text.decode("utf-8", "backslashreplace"))
            self.parameters.update(table_parameters(_name(tag), text))
            self.texts.append(Text(_name(tag), event.step, event.wall_time, told))
        for tag, content in event.hparams:
            if tag == START_TAG:
                try:
                    self.parameters.update(hyperparameters(content))
                except FormatError as error:
                    self.problems.add(ProblemKind.CORRUPT, f"hyperparameters: {error.message}", offset)

    def _add(self, column: ScalarColumn) -> None:
        known = self._columns.get(column.tag)
        if known is None:
            if len(self._columns) >= MOST_TAGS or len(column.tag) > MOST_NAME:
                if not self._is_full:
                    why = f"more than {MOST_TAGS:,} tags, or one of more than {MOST_NAME} bytes"
                    self.problems.add(ProblemKind.TOO_LARGE, f"{why}: what goes beyond is left out")
                self._is_full = True
                return
            known = self._columns[column.tag] = []
        known.append(column)

    def series(self) -> tuple[Series, ...]:
        """What was found, in the order in which the tags came."""
        merged = [_merged(parts) for parts in self._columns.values()]
        return tuple(_series(one) for one in sorted(merged, key=lambda one: one.records[0]))


def _merged(parts: list[ScalarColumn]) -> ScalarColumn:
    """One tag's columns in the order of its records."""
    records = np.concatenate([part.records for part in parts])
    order = np.argsort(records, kind="stable")
    return ScalarColumn(
        parts[0].tag,
        records[order],
        np.concatenate([part.steps for part in parts])[order],
        np.concatenate([part.wall_times for part in parts])[order],
        np.concatenate([part.values for part in parts])[order],
    )


def _series(column: ScalarColumn) -> Series:
    tag = _name(column.tag)
    kind = XKind.EPOCH if tag.startswith(_EPOCH) else XKind.STEP
    return Series(tag=tag, x_kind=kind, x=column.steps, wall_time=told_times(column.wall_times), values=column.values)


def _name(tag: bytes) -> str:
    return bounded(tag[:MOST_NAME].decode("utf-8", "backslashreplace"))


SOURCE = MetricSource(
    name="tensorboard",
    label="TensorBoard",
    files="`*.tfevents.*`",
    tells=(
        "scalars of TensorFlow 1 and 2, PyTorch and others; texts; where training began again; "
        "hyperparameters of the hparams plugin, and of a text that is named so and is a table"
    ),
    recognises=recognises,
    read=read,
    grows=True,
)

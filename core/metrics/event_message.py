"""One record of an event file: TensorFlow's Event, read field by field without its schema's code.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto and
…/core/framework/{summary,tensor}.proto. A scalar is a `simple_value` (TensorFlow 1, PyTorch) or a tensor of one number
whose plugin is `scalars` or none (TensorFlow 2). It is told with the place of its bytes, so that other records of the
same form can be read without parsing them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from core.metrics.tensor_scalar import number_of, strings_of
from core.metrics.wire_fields import BYTES, FIXED32, FIXED64, VARINT, Field, fields, signed

_WALL, _STEP, _SUMMARY, _SESSION_LOG = 1, 2, 5, 7  # of Event
_TAG, _SIMPLE, _TENSOR, _METADATA = 1, 2, 8, 9  # of Summary.Value
_START = 1  # of SessionLog.status
_HPARAMS, _TEXT, _SCALARS = b"hparams", b"text", b"scalars"


class Scalar(NamedTuple):
    """A tag's value; `place` is where its bytes stand (in 32 or 64 bits), None where it is stored in another way."""

    tag: bytes
    value: float
    place: int | None
    is_wide: bool = False


class Event(NamedTuple):
    """What a record tells; `wall_place` and `step_places` are where these stand. `is_uniform`: no other bytes than
    those of time, step and values say what it tells.
    """

    wall_time: float
    step: int
    wall_place: int | None
    step_places: tuple[int, int] | None
    scalars: tuple[Scalar, ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    hparams: tuple[tuple[bytes, bytes], ...] = ()
    is_start: bool = False
    is_uniform: bool = True


def parse_event(data: bytes) -> Event:
    """The event that a record's content is. TruncatedError, CorruptError."""
    wall_time, step, wall_place, step_places = 0.0, 0, None, None
    scalars: list[Scalar] = []
    texts: list[tuple[bytes, bytes]] = []
    hparams: list[tuple[bytes, bytes]] = []
    is_start, repeated = False, False
    for field in fields(data, 0, len(data)):
        if field.number == _WALL and field.kind == FIXED64:
            repeated = repeated or wall_place is not None
            (wall_time,), wall_place = struct.unpack_from("<d", data, field.start), field.start
        elif field.number == _STEP and field.kind == VARINT:
            repeated = repeated or step_places is not None
            step, step_places = signed(field.value), (field.start, field.end)
        elif field.number == _SUMMARY and field.kind == BYTES:
            for value in fields(data, field.start, field.end):
                if value.number == 1 and value.kind == BYTES:
                    _take_value(data, value, scalars, texts, hparams)
        elif field.number == _SESSION_LOG and field.kind == BYTES:
            is_start = any(one.number == 1 and one.value == _START for one in fields(data, field.start, field.end))
    is_uniform = not (repeated or is_start or texts or hparams or any(one.place is None for one in scalars))
    return Event(
        wall_time=wall_time,
        step=step,
        wall_place=wall_place,
        step_places=step_places,
        scalars=tuple(scalars),
        texts=tuple(texts),
        hparams=tuple(hparams),
        is_start=is_start,
        is_uniform=is_uniform,
    )


def _take_value(
    data: bytes,
    value: Field,
    scalars: list[Scalar],
    texts: list[tuple[bytes, bytes]],
    hparams: list[tuple[bytes, bytes]],
) -> None:
    """Add what a Summary.Value tells."""
    tag, plugin, content = b"", b"", b""
    simple: int | None = None
    tensor: Field | None = None
    for field in fields(data, value.start, value.end):
        if field.number == _TAG and field.kind == BYTES:
            tag = data[field.start : field.end]
        elif field.number == _SIMPLE and field.kind == FIXED32:
            simple, tensor = field.start, None
        elif field.number == _TENSOR and field.kind == BYTES:
            simple, tensor = None, field
        elif field.number == _METADATA and field.kind == BYTES:
            plugin, content = _plugin(data, field)
    if simple is not None:
        scalars.append(Scalar(tag, struct.unpack_from("<f", data, simple)[0], simple))
    elif plugin == _HPARAMS:
        hparams.append((tag, content))
    elif tensor is not None and plugin == _TEXT:
        texts.append((tag, b"\n".join(strings_of(data, tensor.start, tensor.end))))
    elif tensor is not None and plugin in (_SCALARS, b""):
        number = number_of(data, tensor.start, tensor.end)
        if number is not None:
            scalars.append(Scalar(tag, *number))


def _plugin(data: bytes, metadata: Field) -> tuple[bytes, bytes]:
    """The name and the content of a SummaryMetadata's plugin data."""
    name, content = b"", b""
    for part in fields(data, metadata.start, metadata.end):
        if part.number == 1 and part.kind == BYTES:
            for field in fields(data, part.start, part.end):
                if field.number == 1 and field.kind == BYTES:
                    name = data[field.start : field.end]
                elif field.number == 2 and field.kind == BYTES:
                    content = data[field.start : field.end]
    return name, content

"""A number, or texts, out of a TensorProto in an event file.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor.proto. Values stand in
`tensor_content` or in a repeated field of their type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from core.formats.varint import read_varint
from core.metrics.wire_fields import BYTES, FIXED32, FIXED64, VARINT, Field, fields, signed

_DTYPE, _SHAPE, _CONTENT, _STRINGS = 1, 2, 4, 8
_FLOAT, _DOUBLE, _INT32, _INT64, _BOOL, _BFLOAT16, _HALF = 1, 2, 3, 9, 10, 14, 19
# The repeated field of each type, and how its bytes stand in tensor_content.
_FIELDS = {_FLOAT: 5, _DOUBLE: 6, _INT32: 7, _INT64: 10, _BOOL: 11, _BFLOAT16: 13, _HALF: 13}
_LAYOUTS = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q", _BOOL: "<?", _BFLOAT16: "<H", _HALF: "<e"}
Found = tuple[float, int | None, bool]


def number_of(data: bytes, start: int, end: int) -> Found | None:
    """The one number of a tensor, where its bytes stand (32 bits, or 64 where it says so), None as the place for types
    that are rarely written. None for other tensors.
    """
    dtype, content, values, is_one = 0, None, [], True
    for field in fields(data, start, end):
        if field.number == _DTYPE and field.kind == VARINT:
            dtype = field.value
        elif field.number == _SHAPE and field.kind == BYTES:
            is_one = _is_of_one(data, field)
        elif field.number == _CONTENT and field.kind == BYTES:
            content = field
        else:
            values.append(field)
    layout = _LAYOUTS.get(dtype)
    if layout is None or not is_one:
        return None
    if content is not None and content.end > content.start:
        if content.end - content.start != struct.calcsize(layout):
            return None
        return _found(dtype, struct.unpack_from(layout, data, content.start)[0], content.start)
    mine = [field for field in values if field.number == _FIELDS[dtype]]
    return _repeated(data, dtype, mine) if mine else (0.0, None, False)


def strings_of(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """The strings of a tensor of strings."""
    for field in fields(data, start, end):
        if field.number == _STRINGS and field.kind == BYTES:
            yield data[field.start : field.end]


def _is_of_one(data: bytes, shape: Field) -> bool:
    """Whether a shape is that of one number: no dimension, or only such of size 1."""
    for dim in fields(data, shape.start, shape.end):
        if dim.number == 2 and dim.kind == BYTES:
            sizes = [one.value for one in fields(data, dim.start, dim.end) if one.number == 1]
            if sizes != [1]:
                return False
    return True


def _repeated(data: bytes, dtype: int, found: list[Field]) -> Found | None:
    """The one value of a repeated field, packed or not."""
    if len(found) != 1:
        return None
    field = found[0]
    if dtype in (_FLOAT, _DOUBLE):
        width = 4 if dtype == _FLOAT else 8
        if field.end - field.start != width or field.kind not in (BYTES, FIXED32, FIXED64):
            return None
        return _found(dtype, struct.unpack_from(_LAYOUTS[dtype], data, field.start)[0], field.start)
    value = field.value
    if field.kind == BYTES:
        value, end = read_varint(data, field.start, section="event")
        if end != field.end:
            return None
    if dtype == _HALF:
        return float(struct.unpack("<e", (value & 0xFFFF).to_bytes(2, "little"))[0]), None, False
    return _found(dtype, value if dtype == _BFLOAT16 else signed(value), None)


def _found(dtype: int, value: float, place: int | None) -> Found:
    if dtype == _BFLOAT16:
        bits = np.array([int(value) & 0xFFFF], np.uint32) << np.uint32(16)
        return float(bits.view(np.float32)[0]), None, False
    return float(value), place if dtype in (_FLOAT, _DOUBLE) else None, dtype == _DOUBLE

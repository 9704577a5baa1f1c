"""Hyperparameters that TensorBoard's hparams plugin keeps in an event file.

https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto and api.proto: the
plugin's data of the tag `_hparams_/session_start_info` is a HParamsPluginData, whose SessionStartInfo maps names to
google.protobuf.Value.
"""

from __future__ import annotations

import struct

from core.metrics.limits import DEEPEST, MOST_NAME, MOST_PARAMETERS
from core.metrics.parameters import as_parameter, bounded
from core.metrics.records import ParamValue
from core.metrics.wire_fields import BYTES, FIXED64, VARINT, Field, fields

START_TAG = b"_hparams_/session_start_info"
_START_INFO, _HPARAMS = 3, 1  # of HParamsPluginData, of SessionStartInfo
_KEY, _VALUE = 1, 2  # of a map's entry
_NUMBER, _STRING, _BOOL, _STRUCT, _LIST = 2, 3, 4, 5, 6  # of Value; 1 is null


def hyperparameters(content: bytes) -> dict[str, ParamValue]:
    """The hyperparameters in a plugin's data. FormatError."""
    found: dict[str, ParamValue] = {}
    for info in _parts(content, 0, len(content), _START_INFO):
        for entry in _parts(content, info.start, info.end, _HPARAMS):
            name, value = b"", None
            for field in fields(content, entry.start, entry.end):
                if field.number == _KEY and field.kind == BYTES:
                    name = content[field.start : field.end]
                elif field.number == _VALUE and field.kind == BYTES:
                    value = _value(content, field, DEEPEST)
            if len(name) <= MOST_NAME and len(found) < MOST_PARAMETERS:
                found[bounded(name.decode("utf-8", "backslashreplace"))] = as_parameter(value)
    return found


def _parts(content: bytes, start: int, end: int, number: int) -> list[Field]:
    return [field for field in fields(content, start, end) if field.number == number and field.kind == BYTES]


def _value(content: bytes, message: Field, depth: int) -> object:
    """What a google.protobuf.Value holds; a whole number is an int, for it was one where it was set."""
    value: object = None
    for field in fields(content, message.start, message.end):
        if field.number == _NUMBER and field.kind == FIXED64:
            (number,) = struct.unpack_from("<d", content, field.start)
            value = int(number) if number.is_integer() and abs(number) < 1 << 53 else number
        elif field.number == _STRING and field.kind == BYTES:
            value = content[field.start : field.end].decode("utf-8", "backslashreplace")
        elif field.number == _BOOL and field.kind == VARINT:
            value = bool(field.value)
        elif field.number == _LIST and field.kind == BYTES and depth:
            value = [_value(content, one, depth - 1) for one in _parts(content, field.start, field.end, 1)]
        elif field.number == _STRUCT and field.kind == BYTES and depth:
            value = "{…}"
    return value

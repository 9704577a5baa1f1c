"""The shapes of the variables that a SavedModel's object graph describes, and whether the bundle beside it has them.

A `saved_model.pb` of one export beside the variables of another is refused by TensorFlow. Format:
https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/saved_object_graph.proto.
"""

import io
from collections.abc import Iterable
from typing import BinaryIO

from core.base.errors import FormatError
from core.base.facts import Variable
from core.formats.message_fields import Field, fields
from core.formats.varint import read_varint

MAX_OBJECTS = 16 << 20  # bytes of an object graph; of a larger one nothing is known
_SECTION = "object graph"
_NODES, _VARIABLE, _SHAPE, _NAME, _DIMENSION = 1, 7, 2, 6, 2
_UNKNOWN_RANK = b"\x18"  # a field of TensorShapeProto
_PARTS = b"/part_"  # of a partitioned variable, which the bundle keeps whole

Shape = tuple[int, ...]


def shapes(file: BinaryIO, graph: Field) -> tuple[Shape, ...] | None:
    """The shapes of its variables, those of unknown extents not among them; None where it cannot be read."""
    if graph.end - graph.start > MAX_OBJECTS:
        return None
    file.seek(graph.start)
    content = io.BytesIO(file.read(graph.end - graph.start))
    try:
        nodes = [node for node in _parts(content, Field(0, 0, graph.end - graph.start)) if node.number == _NODES]
        variables = [part for node in nodes for part in _parts(content, node) if part.number == _VARIABLE]
        found = [_shape(content, variable) for variable in variables]
    except FormatError:
        return None
    return tuple(shape for shape in found if shape is not None)


def misfit(wanted: Iterable[Shape] | None, stored: Iterable[Variable]) -> str | None:
    """Why variables cannot be those that a model's object graph describes; None where nothing speaks against it."""
    held = [one.shape for one in stored]
    if wanted is None or None in held:
        return None
    missing = sorted(set(wanted) - set(held))
    if not missing:
        return None
    return f"it is of another export: no variable beside it has the shape {missing[0]}, which the model's have"


def _shape(content: BinaryIO, variable: Field) -> Shape | None:
    shape = None
    for part in _parts(content, variable):
        content.seek(part.start)
        if part.number == _NAME and _PARTS in content.read(part.end - part.start):
            return None
        if part.number == _SHAPE:
            if part.end == part.start + 2 and content.read(1) == _UNKNOWN_RANK:
                return None
            shape = [_extent(content, dim) for dim in _parts(content, part) if dim.number == _DIMENSION]
    return tuple(shape) if shape is not None and max(shape, default=0) < 1 << 63 else None


def _extent(content: BinaryIO, dimension: Field) -> int:
    content.seek(dimension.start)
    data = content.read(dimension.end - dimension.start)
    return read_varint(data, 1, section=_SECTION)[0] if data[:1] == b"\x08" else 0


def _parts(content: BinaryIO, within: Field) -> list[Field]:
    return list(fields(content, within.start, within.end, _SECTION))

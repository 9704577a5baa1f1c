"""The variables that a SavedModel's object graph describes, and whether the bundle beside it has them.

A `saved_model.pb` of one export beside the variables of another is refused by TensorFlow: it walks both object graphs
from their roots by the names of children, and every variable of the model must meet one of the bundle, of its shape and
type. Formats: https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/saved_object_graph.proto
and trackable_object_graph.proto; the walk is that of tensorflow/python/checkpoint/checkpoint.py,
assert_existing_objects_matched.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from google.protobuf.message import DecodeError

from core.base.errors import FormatError, TooLargeError
from core.base.facts import Variable
from core.formats import dtypes
from core.formats.bundle_index import BundleEntry
from core.formats.message_fields import Field, fields
from core.formats.object_graph import VALUE_SUFFIX
from core.formats.varint import read_varint
from core.formats.wire.tensor_bundle_pb2 import TensorShapeProto
from core.formats.wire.trackable_object_graph_pb2 import TrackableObjectGraph

MAX_OBJECTS = 16 << 20  # bytes of an object graph; of a larger one nothing is known
MAX_PARTS = 200_000  # fields that are looked at
_SECTION = "object graph"
_NODES = 1
_CHILD, _VARIABLE, _SAVERS = 1, 7, 11  # of an object
_CLOSED = {5, 6, 8, 9, 12}  # assets, functions, constants: TensorFlow looks for no variables below them
_SHAPE, _NAME = 2, 6  # of a variable; its data type is the number that it begins with
_DTYPE_TAG = b"\x08"
_PARTS = b"/part_"  # of a partitioned variable, which the bundle keeps whole
_VALUE = VALUE_SUFFIX.rsplit("/", 1)[-1]

Shape = tuple[int, ...]
_Reference = TrackableObjectGraph.TrackableObject.ObjectReference


class SavedVariable(NamedTuple):
    """A variable as the model has it: its shape, -1 for an extent that is not known, and the name of its type."""

    shape: Shape | None
    dtype: str | None


@dataclass(slots=True)
class SavedNode:
    """An object of the model: its children by name, and what of it a bundle holds."""

    children: dict[str, int] = field(default_factory=dict)
    variable: SavedVariable | None = None
    has_savers: bool = False  # a table that can change
    is_closed: bool = False


class Bundle(NamedTuple):
    """What lies beside the model: the bundle's own object graph and its tensors by key."""

    graph: TrackableObjectGraph
    entries: Mapping[str, BundleEntry]


def nodes(file: BinaryIO, graph: Field) -> tuple[SavedNode, ...] | None:
    """The objects of a model; None where they cannot be read, or are too many."""
    size = graph.end - graph.start
    if size > MAX_OBJECTS:
        return None
    file.seek(graph.start)
    content = _Content(file.read(size))
    try:
        found = tuple(_node(content, node) for node in content.parts(Field(0, 0, size)) if node.number == _NODES)
    except (FormatError, DecodeError):
        return None
    return found if all(0 <= child < len(found) for node in found for child in node.children.values()) else None


def misfit(model: tuple[SavedNode, ...] | None, bundle: Bundle | None, stored: Iterable[Variable]) -> str | None:
    """Why variables cannot be those of a model; None where nothing speaks against it. Without a bundle's object graph
    their shapes tell.
    """
    if not model:
        return None
    why = _shapes_misfit(model, stored) if bundle is None or not bundle.graph.nodes else _walk_misfit(model, bundle)
    return None if why is None else f"it is of another export: {why}"


def _walk_misfit(model: tuple[SavedNode, ...], bundle: Bundle) -> str | None:
    """The first variable of a model that meets none of the bundle, or one of another shape or type."""
    met: dict[int, int] = {0: 0}  # the bundle's object: the model's; the first one to come has it
    waiting = [0]
    for number in waiting:
        children = model[met[number]].children
        for child in bundle.graph.nodes[number].children:
            if child.local_name in children and child.node_id not in met:
                met[child.node_id] = children[child.local_name]
                waiting.append(child.node_id)
    fitting = set(met.values())
    for number, path in _reached(model).items():
        if number not in fitting and (model[number].variable is not None or model[number].has_savers):
            return f"the variables beside it have none called {'.'.join(path) or 'root'}, which the model's have"
    for number, mine in met.items():
        wanted = model[mine].variable
        for attribute in bundle.graph.nodes[number].attributes if wanted is not None else ():
            if attribute.name == _VALUE and (why := _unlike(wanted, bundle.entries.get(attribute.checkpoint_key))):
                return f"{attribute.checkpoint_key.removesuffix(VALUE_SUFFIX)} beside it {why}"
    return None


def _unlike(wanted: SavedVariable | None, entry: BundleEntry | None) -> str | None:
    if entry is None:
        return "is missing"
    if wanted is None:
        return None
    if wanted.dtype not in (None, entry.dtype):
        return f"is of type {entry.dtype}, the model's of {wanted.dtype}"
    if wanted.shape is None or entry.shape is None:
        return None
    same_rank = len(wanted.shape) == len(entry.shape)
    if same_rank and all(mine in (-1, held) for mine, held in zip(wanted.shape, entry.shape, strict=True)):
        return None
    return f"has the shape {entry.shape}, the model's {wanted.shape}"


def _reached(model: tuple[SavedNode, ...]) -> dict[int, tuple[str, ...]]:
    """The objects that TensorFlow finds from the root, with the shortest way there."""
    paths: dict[int, tuple[str, ...]] = {0: ()}
    waiting = [0]
    for number in waiting:
        for name, child in model[number].children.items() if not model[number].is_closed else ():
            if child not in paths:
                paths[child] = (*paths[number], name)[-8:]  # an object graph may be one long chain
                waiting.append(child)
    return paths


def _shapes_misfit(model: tuple[SavedNode, ...], stored: Iterable[Variable]) -> str | None:
    held = [one.shape for one in stored]
    if None in held:
        return None
    wanted = {node.variable.shape for node in model if node.variable is not None and node.variable.shape is not None}
    missing = sorted(shape for shape in wanted - set(held) if -1 not in shape)
    return f"no variable beside it has the shape {missing[0]}, which the model's have" if missing else None


class _Content:
    """An object graph's bytes; counts the fields that are looked at."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._left = MAX_PARTS

    def parts(self, within: Field) -> Iterator[Field]:
        """A message's fields. TooLargeError beyond MAX_PARTS of all messages together."""
        for part in fields(self._file, within.start, within.end, _SECTION):
            self._left -= 1
            if self._left < 0:
                raise TooLargeError(f"more than {MAX_PARTS:,} fields", section=_SECTION)
            yield part

    def of(self, part: Field) -> bytes:
        """The bytes of a field."""
        self._file.seek(part.start)
        return self._file.read(part.end - part.start)


def _node(content: _Content, within: Field) -> SavedNode:
    node = SavedNode()
    for part in content.parts(within):
        if part.number == _CHILD:
            child = _Reference.FromString(content.of(part))
            node.children[child.local_name] = child.node_id
        elif part.number == _VARIABLE:
            node.variable = _variable(content, part)
        node.has_savers = node.has_savers or part.number == _SAVERS
        node.is_closed = node.is_closed or part.number in _CLOSED
    return node


def _variable(content: _Content, within: Field) -> SavedVariable | None:
    """None for a part of a partitioned variable."""
    shape: Shape | None = None
    for part in content.parts(within):
        if part.number == _NAME and _PARTS in content.of(part):
            return None
        if part.number == _SHAPE:
            found = TensorShapeProto.FromString(content.of(part))
            shape = None if found.unknown_rank else tuple(dim.size for dim in found.dim)
    start = content.of(Field(0, within.start, min(within.end, within.start + 11)))
    number = read_varint(start, 1, section=_SECTION)[0] if start[:1] == _DTYPE_TAG else None
    return SavedVariable(shape, None if number is None else dtypes.name_of(number))

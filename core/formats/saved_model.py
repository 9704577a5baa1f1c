"""SavedModel folders: `saved_model.pb` or `.pbtxt`, and a bundle under `variables/`.

saved_model.pb is a SavedModel message; of it only lengths are read, and the meta_info_def's version, never the graph:
https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/saved_model.proto, meta_graph.proto.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from core.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.formats.fingerprint import fingerprint, parameters
from core.formats.varint import read_varint
from core.fs.storage import Storage
from core.model import Contents, Facts, RoleBytes, Variable

BINARY = "saved_model.pb"
TEXT = "saved_model.pbtxt"
INDEX = "variables/variables.index"
KERAS = "keras_metadata.pb"
COPIES = "_all_variables/"
NO_STEP = "an export keeps no training state"
UNREAD = "its variables could not be read"
MAX_FIELDS = 10_000
META_GRAPHS, META_INFO, TF_VERSION = 2, 1, 5
_FIXED = {1: 8, 5: 4}  # bytes by wire type; 0 is a varint, 2 a length and that many bytes


class Field(NamedTuple):
    """A length-delimited field: its number and the range of its content."""

    number: int
    start: int
    end: int


def read(
    storage: Storage, folder: str, names: Collection[str], bundle: tuple[Facts, tuple[Variable, ...]] | None
) -> tuple[Facts, tuple[Variable, ...]]:
    """A SavedModel's facts. `names` are its files relative to `folder`; `bundle` is what its index says.

    `bundle` None: it has no variables, or (where `names` has an index) they could not be read.
    """
    version = _version(storage, folder) if BINARY in names else None
    writer = _writer(version, is_keras=KERAS in names)
    if bundle is None:
        if INDEX in names:
            return Facts(contents_reason=UNREAD, step_reason=UNREAD, writer=writer), ()
        held = sorted(name for name in names if name.startswith("variables/"))
        if held:
            raise TruncatedError(f"it is missing; {held[0]} is there", section=INDEX)
        facts = Facts(variables=0, parameters=0, role_bytes=RoleBytes(), fingerprint=fingerprint(()))
        return _export(facts, writer, is_keras=KERAS in names), ()
    facts, variables = bundle
    if facts.has_optimizer:
        return facts._replace(contents=Contents.FULL_MODEL, has_architecture=True, writer=writer), variables
    if facts.contents is Contents.UNKNOWN:
        return facts._replace(has_architecture=KERAS in names, writer=writer), variables
    variables = _copies_uncounted(variables)
    facts = facts._replace(parameters=parameters(variables))
    return _export(facts, writer, is_keras=KERAS in names), variables


def _copies_uncounted(variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
    """Keras 3's model.export stores the weights twice, a second time in a list of its own: counted once."""
    if not any(variable.name.startswith("variables/") for variable in variables):
        return variables
    return tuple(
        replace(variable, parameters=0) if variable.name.startswith(COPIES) else variable for variable in variables
    )


def _export(facts: Facts, writer: str | None, *, is_keras: bool) -> Facts:
    return facts._replace(
        contents=Contents.EXPORT,
        contents_reason=None,
        has_architecture=is_keras,
        step_reason=None if facts.step else NO_STEP,
        writer=writer,
    )


def _writer(version: str | None, *, is_keras: bool) -> str | None:
    parts = [f"TensorFlow {version}"] if version else []
    if is_keras:
        parts.append("Keras 2")  # only Keras 2 and tf-keras write keras_metadata.pb
    return ", ".join(parts) or None


def _version(storage: Storage, folder: str) -> str | None:
    """The version of the TensorFlow that wrote it, from the first graph's meta_info_def."""
    with storage.open(f"{folder}/{BINARY}" if folder else BINARY) as file:
        length = file.seek(0, 2)
        if length == 0:
            raise TruncatedError("the file is empty", section=BINARY, offset=0)
        graphs = [field for field in fields(file, 0, length, BINARY) if field.number == META_GRAPHS]
        if not graphs:
            raise TruncatedError("it ends before its first graph", section=BINARY, offset=length)
        for info in fields(file, graphs[0].start, graphs[0].end, "meta graph"):
            if info.number == META_INFO:
                return _text(file, info)
    return None


def _text(file: BinaryIO, info: Field) -> str | None:
    for part in fields(file, info.start, info.end, "meta info"):
        if part.number == TF_VERSION and part.end - part.start <= 100:
            file.seek(part.start)
            return file.read(part.end - part.start).decode("utf-8", "replace")
    return None


def fields(file: BinaryIO, start: int, end: int, section: str) -> Iterator[Field]:
    """A message's length-delimited fields, their contents stepped over. Raises where one leaves the message."""
    at = start
    for _ in range(MAX_FIELDS):
        if at == end:
            return
        file.seek(at)
        head = file.read(min(20, end - at))
        try:
            tag, used = read_varint(head, 0, section=section)
            number, kind = tag >> 3, tag & 7
            if number == 0 or kind not in (0, 1, 2, 5):
                raise CorruptError(f"field {number} of wire type {kind}", section=section)
            size = _FIXED.get(kind, 0)
            if kind in (0, 2):
                value, used = read_varint(head, used, section=section)
                size = value if kind == 2 else 0
        except FormatError as error:
            raise type(error)(error.message, section=section, offset=at) from error
        if at + used + size > end:
            raise TruncatedError(
                f"field {number} has {end - at - used:,} of {size:,} bytes", section=section, offset=at + used
            )
        if kind == 2:
            yield Field(number, at + used, at + used + size)
        at += used + size
    raise TooLargeError(f"more than {MAX_FIELDS:,} fields", section=section, offset=at)

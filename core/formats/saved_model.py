"""SavedModel folders: `saved_model.pb` or `.pbtxt`, and a bundle under `variables/`.

saved_model.pb is a SavedModel message; of it only lengths are read, the meta_info_def's version and the assets' names,
never the graph:
https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/saved_model.proto, meta_graph.proto.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.base.facts import Contents, Facts, RoleBytes, Variable
from core.formats import saved_model_text
from core.formats.fingerprint import fingerprint, parameters
from core.formats.saved_model_text import TEXT
from core.formats.varint import read_varint
from core.stores.store import Store

BINARY = "saved_model.pb"
MARKS = (BINARY, TEXT)
INDEX = "variables/variables.index"
KERAS = "keras_metadata.pb"
ASSETS = "assets"
COPIES = "_all_variables/"
NO_STEP = "an export keeps no training state"
UNREAD = "its variables could not be read"
NO_VARIABLES = "it is missing: TensorFlow 2 writes it for every model, and loads none without it"
MAX_FIELDS = 10_000
META_GRAPHS, META_INFO, ASSET_FILE, OBJECT_GRAPH = 2, 1, 6, 7
TF_VERSION = 5  # of a meta_info_def
ASSET_NAME = 2  # of an asset_file_def
MAX_ASSETS = 10_000
_FIXED = {1: 8, 5: 4}  # bytes by wire type; 0 is a varint, 2 a length and that many bytes


class Header(NamedTuple):
    """What saved_model.pb says beside its graph: TensorFlow's version, the assets' names, whether TensorFlow 2's
    object graph is there.
    """

    version: str | None = None
    assets: tuple[str, ...] = ()
    has_objects: bool = False


class Field(NamedTuple):
    """A length-delimited field: its number and the range of its content."""

    number: int
    start: int
    end: int


def read(
    store: Store, folder: str, names: Collection[str], bundle: tuple[Facts, tuple[Variable, ...]] | None
) -> tuple[Facts, tuple[Variable, ...]]:
    """A SavedModel's facts. `names` are its files relative to `folder`; `bundle` is what its index says.

    `bundle` None: it has no variables, or (where `names` has an index) they could not be read.
    """
    header = _header(store, folder) if BINARY in names else _text_header(store, folder, names)
    is_keras = KERAS in names and _is_whole(store, folder, KERAS)
    writer = _writer(header.version, is_keras=KERAS in names)
    for asset in header.assets:
        if f"{ASSETS}/{asset}" not in names:
            raise TruncatedError("it is missing", section=f"{ASSETS}/{asset}")
    if bundle is None:
        if INDEX in names:
            return Facts(contents_reason=UNREAD, step_reason=UNREAD, writer=writer), ()
        held = sorted(name for name in names if name.startswith("variables/"))
        if held:
            raise TruncatedError(f"it is missing; {held[0]} is there", section=INDEX)
        if header.has_objects:
            raise TruncatedError(NO_VARIABLES, section=INDEX)
        facts = Facts(variables=0, parameters=0, role_bytes=RoleBytes(), fingerprint=fingerprint(()))
        return _export(facts, writer, is_keras=is_keras), ()
    facts, variables = bundle
    if facts.has_optimizer:
        return facts._replace(contents=Contents.FULL_MODEL, has_architecture=True, writer=writer), variables
    if facts.contents is Contents.UNKNOWN:
        return facts._replace(has_architecture=is_keras, writer=writer), variables
    variables = _copies_uncounted(variables)
    facts = facts._replace(parameters=parameters(variables))
    return _export(facts, writer, is_keras=is_keras), variables


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


def _header(store: Store, folder: str) -> Header:
    """What saved_model.pb says of its first graph."""
    with store.open(f"{folder}/{BINARY}" if folder else BINARY) as file:
        length = file.seek(0, 2)
        if length == 0:
            raise TruncatedError("the file is empty", section=BINARY, offset=0)
        graphs = [field for field in fields(file, 0, length, BINARY) if field.number == META_GRAPHS]
        if not graphs:
            raise TruncatedError("it ends before its first graph", section=BINARY, offset=length)
        version: str | None = None
        assets: list[str] = []
        has_objects = False
        for part in fields(file, graphs[0].start, graphs[0].end, "meta graph"):
            if part.number == META_INFO:
                version = _text(file, part, TF_VERSION, 100, errors="backslashreplace")
            elif part.number == ASSET_FILE and len(assets) < MAX_ASSETS:
                name = _text(file, part, ASSET_NAME, 4_096, errors="surrogateescape")  # as listings spell names
                assets += [name] if name else []
            has_objects = has_objects or part.number == OBJECT_GRAPH
        return Header(version, tuple(assets), has_objects)


def _text_header(store: Store, folder: str, names: Collection[str]) -> Header:
    """What saved_model.pbtxt says, which TensorFlow reads where there is no saved_model.pb."""
    if TEXT not in names:
        return Header()
    with store.open(f"{folder}/{TEXT}" if folder else TEXT) as file:
        content = file.read(saved_model_text.MAX_TEXT + 1)
    return Header() if len(content) > saved_model_text.MAX_TEXT else Header(*saved_model_text.read(content))


def _text(file: BinaryIO, within: Field, number: int, most: int, *, errors: str) -> str | None:
    """The first text field of a number in a message, if it has no more than so many bytes."""
    for part in fields(file, within.start, within.end, "meta graph"):
        if part.number == number and part.end - part.start <= most:
            file.seek(part.start)
            return file.read(part.end - part.start).decode("utf-8", errors)
    return None


def _is_whole(store: Store, folder: str, name: str) -> bool:
    """Whether a file is a protocol buffers message to its end, as far as lengths tell."""
    with store.open(f"{folder}/{name}" if folder else name) as file:
        try:
            return sum(1 for _ in fields(file, 0, file.seek(0, 2), name)) > 0
        except FormatError:
            return False


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


def unread(names: Collection[str]) -> str:
    """What of a SavedModel a verification does not look at, as a sentence."""
    parts = [f"the graph in {name}" for name in MARKS if name in names]
    parts += ["keras_metadata.pb, which only Keras' load_model reads"] if KERAS in names else []
    parts += ["what its assets hold"] if any(name.startswith(f"{ASSETS}/") for name in names) else []
    return f"Not told: {', '.join(parts)}."

"""SavedModel folders: `saved_model.pb` or `.pbtxt`, and a bundle under `variables/`.

saved_model.pb is a SavedModel message; of it only lengths are read, the meta_info_def's version and the assets' names,
never the graph:
https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/protobuf/saved_model.proto, meta_graph.proto.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from core.base.errors import CorruptError, FormatError, TruncatedError
from core.base.facts import Contents, Facts, RoleBytes, Variable
from core.formats import saved_model_fingerprint, saved_model_objects, saved_model_text
from core.formats.fingerprint import fingerprint, parameters
from core.formats.message_fields import Field, fields
from core.formats.saved_model_fingerprint import FINGERPRINT
from core.formats.saved_model_text import TEXT
from core.stores.store import Store

BINARY = "saved_model.pb"
MARKS = (BINARY, TEXT)
INDEX = "variables/variables.index"
KERAS = "keras_metadata.pb"
ASSETS = "assets"
COPIES = "_all_variables/"
NO_STEP = "an export keeps no training state"
UNREAD = "its variables could not be read"
NO_VARIABLES = "it is missing: the model's graph has a saver, and TensorFlow loads it from there"
META_GRAPHS, META_INFO, SAVER, ASSET_FILE, OBJECT_GRAPH = 2, 1, 3, 6, 7
TF_VERSION = 5  # of a meta_info_def
ASSET_NAME = 2  # of an asset_file_def
MAX_ASSETS = 10_000


class Header(NamedTuple):
    """What saved_model.pb says beside its graph: TensorFlow's version, the assets' names, whether it restores variables
    (TensorFlow 2's always do, those of TensorFlow 1 where there are any).
    """

    version: str | None = None
    assets: tuple[str, ...] = ()
    has_variables: bool = False


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
        if header.has_variables:
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
        has_variables = False
        for part in fields(file, graphs[0].start, graphs[0].end, "meta graph"):
            if part.number == META_INFO:
                version = _text(file, part, TF_VERSION, 100, errors="backslashreplace")
            elif part.number == ASSET_FILE and len(assets) < MAX_ASSETS:
                name = _text(file, part, ASSET_NAME, 4_096, errors="surrogateescape")  # as listings spell names
                assets += [name] if name else []
            has_variables = has_variables or part.number in (SAVER, OBJECT_GRAPH)
        return Header(version, tuple(assets), has_variables)


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


def check_variables(
    store: Store, folder: str, variables: Collection[Variable], bundle: saved_model_objects.Bundle | None
) -> None:
    """CorruptError where `saved_model.pb` describes a model whose variables cannot be these; `bundle` is None where
    they have no object graph that can be read.
    """
    with store.open(f"{folder}/{BINARY}" if folder else BINARY) as file:
        graphs = [field for field in fields(file, 0, file.seek(0, 2), BINARY) if field.number == META_GRAPHS]
        parts = fields(file, graphs[0].start, graphs[0].end, "meta graph")
        found = next((part for part in parts if part.number == OBJECT_GRAPH), None)
        model = None if found is None else saved_model_objects.nodes(file, found)
    if (why := saved_model_objects.misfit(model, bundle, variables)) is not None:
        raise CorruptError(why, section=BINARY)


def unread(store: Store, folder: str, names: Collection[str]) -> str:
    """What of a SavedModel a verification does not look at, or cannot tell, in a sentence or two."""
    parts = [f"the graph in {name}" for name in MARKS if name in names]
    parts += ["keras_metadata.pb, which only Keras' load_model reads"] if KERAS in names else []
    parts += ["what its assets hold"] if any(name.startswith(f"{ASSETS}/") for name in names) else []
    is_own = saved_model_fingerprint.fits(store, folder, INDEX, names)
    parts += ["whether the variables are those of this export"] if is_own is None and INDEX in names else []
    other = (
        "" if is_own is not False else f"The variables are of another save than {FINGERPRINT}: TensorFlow loads them. "
    )
    return f"{other}Not told: {', '.join(parts)}."

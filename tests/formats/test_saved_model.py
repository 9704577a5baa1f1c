"""SavedModel folders, as TensorFlow, Keras 3 and tf-keras write them."""

import io
import shutil
from pathlib import Path

import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.base.facts import Contents, Facts, Role, Sourced, Variable
from core.formats import message_fields, saved_model
from core.formats.fingerprint import fingerprint
from core.stores.local import LocalStore
from tests.support import builders, keras_files

WEIGHT = Variable(name="variables/0", dtype="float32", shape=(2,), bytes=8, role=Role.WEIGHT, parameters=2)
WEIGHTS_ONLY = Facts(contents=Contents.WEIGHTS_ONLY, step_reason="no counter", variables=1, parameters=2)
WITH_OPTIMIZER = Facts(
    contents=Contents.WEIGHTS_AND_OPTIMIZER, has_optimizer=True, step=Sourced(value=8, source="optimizer/_iterations")
)


def read(root: Path, folder: str, bundle: Facts | None) -> Facts:
    names = keras_files.names(root / folder)
    given = None if bundle is None else (bundle, (WEIGHT,))
    facts, variables = saved_model.read(LocalStore(str(root)), folder, names, given)
    assert variables == (() if given is None else (WEIGHT,))
    return facts


@pytest.mark.parametrize(
    ("folder", "bundle", "contents", "has_architecture", "writer"),
    [
        ("export", WEIGHTS_ONLY, Contents.EXPORT, False, "TensorFlow {tensorflow}"),
        ("saved_model", WITH_OPTIMIZER, Contents.FULL_MODEL, True, "TensorFlow {tensorflow}"),
        ("tfk_saved_model", WITH_OPTIMIZER, Contents.FULL_MODEL, True, "TensorFlow {tensorflow}, Keras 2"),
        ("tfk_saved_model", WEIGHTS_ONLY, Contents.EXPORT, True, "TensorFlow {tensorflow}, Keras 2"),
    ],
)
def test_contents_follow_the_variables(
    folder: str, bundle: Facts, contents: Contents, has_architecture: bool, writer: str
) -> None:
    facts = read(keras_files.folder(), folder, bundle)
    assert facts.contents is contents
    assert facts.has_architecture is has_architecture
    assert facts.step == bundle.step
    assert facts.writer == writer.format(**keras_files.expected())


def test_unknown_contents_stay_unknown_with_their_reason() -> None:
    bundle = Facts(contents_reason="the shard with the object graph is missing", step_reason="the same")
    facts = read(keras_files.folder(), "export", bundle)
    assert (facts.contents, facts.contents_reason) == (Contents.UNKNOWN, bundle.contents_reason)


def without(content: bytes, *numbers: int) -> bytes:
    """A saved_model.pb whose first graph lacks some fields."""
    (graph, *_) = [
        field for field in message_fields.fields(io.BytesIO(content), 0, len(content), "") if field.number == 2
    ]
    kept = b""
    for part in message_fields.fields(io.BytesIO(content), graph.start, graph.end, ""):
        if part.number not in numbers:
            body = content[part.start : part.end]
            kept += bytes([part.number << 3 | 2]) + builders.varint(len(body)) + body
    return b"\x12" + builders.varint(len(kept)) + kept


def test_without_variables_it_is_an_export(tmp_path: Path) -> None:
    shutil.copytree(keras_files.folder() / "export", tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "variables")
    with pytest.raises(TruncatedError, match="has a saver"):
        read(tmp_path, "a", None)
    content = (tmp_path / "a" / "saved_model.pb").read_bytes()
    (tmp_path / "a" / "saved_model.pb").write_bytes(without(content, saved_model.OBJECT_GRAPH))
    with pytest.raises(TruncatedError, match="has a saver"):  # TensorFlow 1's has one where there are variables
        read(tmp_path, "a", None)
    (tmp_path / "a" / "saved_model.pb").write_bytes(without(content, saved_model.OBJECT_GRAPH, saved_model.SAVER))
    facts = read(tmp_path, "a", None)
    assert (facts.contents, facts.variables, facts.fingerprint) == (Contents.EXPORT, 0, fingerprint(()))
    assert facts.step_reason == "an export keeps no training state"


@pytest.mark.parametrize(
    ("graph", "variables"), [("module", "export"), ("export", "module"), ("saved_model", "export")]
)
def test_a_graph_beside_another_exports_variables_is_found_as_tensorflow_refuses_it(
    tmp_path: Path, graph: str, variables: str
) -> None:
    tf = pytest.importorskip("tensorflow")
    shutil.copytree(keras_files.folder() / variables, tmp_path / "a")
    shutil.copy(keras_files.folder() / graph / "saved_model.pb", tmp_path / "a" / "saved_model.pb")
    with pytest.raises((AssertionError, KeyError, ValueError)):
        tf.saved_model.load(str(tmp_path / "a"))
    (found,) = keras_files.checkpoints(tmp_path)["a"].findings
    assert (found.rule, "it is of another export" in found.reason) == ("unreadable-file", True)


@pytest.mark.parametrize("kind", ["own", "renamed", "deeper", "retyped", "fewer", "more", "other table"])
def test_names_and_types_tell_variables_of_another_export_as_tensorflow_does(tmp_path: Path, kind: str) -> None:
    tf = pytest.importorskip("tensorflow")

    def save(place: str, *, other: bool) -> None:
        module, inner = tf.Module(), tf.Module()
        value = tf.Variable(tf.zeros((3, 2)), dtype=tf.float32)
        setattr(module, "third" if other and kind == "renamed" else "first", value)
        module.part = inner
        inner.second = tf.Variable(tf.zeros((3, 2), tf.float64 if other and kind == "retyped" else tf.float32))
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        setattr(module, "names" if other and kind == "other table" else "table", table)
        if other and kind == "deeper":
            inner.first = value
            del module.first
        if other and kind == "fewer":
            del inner.second
        if other and kind == "more":
            inner.fourth = tf.Variable(tf.zeros((3, 2)))
        tf.saved_model.save(module, place)

    save(str(tmp_path / "runs" / "a"), other=False)
    save(str(tmp_path / "b"), other=True)
    shutil.rmtree(tmp_path / "runs" / "a" / "variables")
    shutil.copytree(tmp_path / "b" / "variables", tmp_path / "runs" / "a" / "variables")
    try:
        tf.saved_model.load(str(tmp_path / "runs" / "a"))
        loads = True
    except (AssertionError, ValueError, tf.errors.OpError):
        loads = False
    found = keras_files.checkpoints(tmp_path / "runs")["a"]
    assert found.restorable is loads, found.findings
    assert loads is (kind in ("own", "more"))
    assert all("it is of another export" in one.reason for one in found.findings)


def test_a_graph_beside_its_own_variables_is_found_whole() -> None:
    found = keras_files.checkpoints(keras_files.folder())
    names = ("module", "export", "saved_model", "plain_saved_model", "tfk_saved_model")
    assert [one.path for name in names if (one := found[name]).findings] == []


def test_unread_variables_leave_contents_unknown() -> None:
    facts = read(keras_files.folder(), "export", None)
    assert (facts.contents, facts.contents_reason) == (Contents.UNKNOWN, "its variables could not be read")


def test_variables_without_their_index_are_truncated(tmp_path: Path) -> None:
    shutil.copytree(keras_files.folder() / "export", tmp_path / "a")
    (tmp_path / "a" / "variables" / "variables.index").unlink()
    with pytest.raises(TruncatedError) as caught:
        read(tmp_path, "a", None)
    assert caught.value.section == "variables/variables.index"


def test_a_graph_cut_anywhere_is_truncated(tmp_path: Path) -> None:
    content = (keras_files.folder() / "export" / "saved_model.pb").read_bytes()
    (tmp_path / "a").mkdir()
    for length in keras_files.cuts(len(content), 200):
        (tmp_path / "a" / "saved_model.pb").write_bytes(content[:length])
        with pytest.raises(TruncatedError):
            read(tmp_path, "a", Facts())
    (tmp_path / "a" / "saved_model.pb").write_bytes(content)
    assert read(tmp_path, "a", Facts()).writer is not None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", TruncatedError),
        (b"\x12" + b"\xff" * 12, CorruptError),
        (b"\x00\x00", CorruptError),
        (b"\x0b", CorruptError),
        (b"\x0a\x00" * 10_001, TooLargeError),
        (b"\x08\x01", TruncatedError),
        (b"\x12\x00", None),
        (b"\x09" + b"\0" * 8 + b"\x0d" + b"\0" * 4 + b"\x12\x05\x0a\x03\x2a\x01\xff", None),
    ],
    ids=["beyond", "long-number", "field-0", "group", "many", "no-graph", "empty-graph", "no-text"],
)
def test_hostile_graphs_are_typed_errors(tmp_path: Path, content: bytes, error: type[FormatError] | None) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)
    store = LocalStore(str(tmp_path))
    if error is None:
        assert saved_model.read(store, "", ["saved_model.pb"], None)[0].contents is Contents.EXPORT
        return
    with pytest.raises(error):
        saved_model.read(store, "", ["saved_model.pb"], None)


def test_a_text_graph_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pbtxt").write_text("meta_graphs {}")
    facts, _ = saved_model.read(LocalStore(str(tmp_path)), "", ["saved_model.pbtxt"], None)
    assert (facts.contents, facts.writer) == (Contents.EXPORT, None)


@pytest.mark.parametrize(
    ("corpus", "folder", "writer"),
    [
        ("keras-2.12", "full_tf/cp-0003", "TensorFlow 2.12.1, Keras 2"),
        ("tf2-TIL", "saved_models/1582785290", "TensorFlow 2."),
    ],
)
def test_corpus(corpus: str, folder: str, writer: str) -> None:
    store = keras_files.corpus(corpus)
    names = keras_files.names(Path(store.absolute(folder)))
    facts, _ = saved_model.read(store, folder, names, (WITH_OPTIMIZER, (WEIGHT,)))
    assert (facts.writer or "").startswith(writer)
    assert facts.contents is Contents.FULL_MODEL

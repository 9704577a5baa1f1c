"""Our protocol buffers against TensorFlow's own: the same fields, the same bytes, the same text."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from core.formats.wire import (
    checkpoint_state_pb2,
    saved_tensor_slice_pb2,
    tensor_bundle_pb2,
    trackable_object_graph_pb2,
)

ROOT = Path(__file__).parents[2]
MODULES = (checkpoint_state_pb2, saved_tensor_slice_pb2, tensor_bundle_pb2, trackable_object_graph_pb2)
# TensorFlow's descriptors come from its own Python modules.
IMPORTS = """
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, tensor_slice_pb2, versions_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2, trackable_object_graph_pb2
from tensorflow.core.util import saved_tensor_slice_pb2
from tensorflow.python.training import checkpoint_state_pb2
"""


def messages(file: FileDescriptor) -> Iterator[Descriptor]:
    """Every message of a file, nested ones too."""
    waiting = list(file.message_types_by_name.values())
    while waiting:
        message = waiting.pop()
        waiting += message.nested_types
        yield message


OURS = {
    message.full_name.removeprefix("waypoint.tf."): message
    for module in MODULES
    for message in messages(module.DESCRIPTOR)
}


@pytest.fixture(scope="module")
def theirs() -> dict[str, Descriptor]:
    """TensorFlow's messages by their names without the package."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    scope: dict[str, object] = {}
    exec(IMPORTS, scope)
    files = [module.DESCRIPTOR for name, module in scope.items() if name.endswith("_pb2")]  # type: ignore[attr-defined]
    return {message.full_name.removeprefix("tensorflow."): message for file in files for message in messages(file)}


def fields(message: Descriptor, among: set[int] | None = None) -> list[tuple[object, ...]]:
    """What makes a field: name, number, type (an enum is an int32 on the wire), label, oneof, message."""
    return [
        (
            field.name,
            field.number,
            FieldDescriptor.TYPE_INT32 if field.type == FieldDescriptor.TYPE_ENUM else field.type,
            field.is_repeated,
            field.is_packed,
            field.has_presence,
            field.containing_oneof.name if field.containing_oneof else None,
            field.message_type.full_name.removeprefix("waypoint.tf.").removeprefix("tensorflow.")
            if field.message_type
            else None,
        )
        for field in sorted(message.fields, key=lambda field: field.number)
        if among is None or field.number in among
    ]


@pytest.mark.parametrize("name", sorted(OURS))
def test_fields_are_tensorflows(name: str, theirs: dict[str, Descriptor]) -> None:
    ours = OURS[name]
    assert fields(ours) == fields(theirs[name], {field.number for field in ours.fields})


# A tensor's resources and variants are never in a checkpoint's tables.
@pytest.mark.parametrize("name", sorted(set(OURS) - {"TensorProto"}))
def test_no_field_of_tensorflow_is_missing(name: str, theirs: dict[str, Descriptor]) -> None:
    assert {field.number for field in theirs[name].fields} == {field.number for field in OURS[name].fields}


def test_the_fields_of_a_tensor_that_are_left_out(theirs: dict[str, Descriptor]) -> None:
    ours = {field.number for field in OURS["TensorProto"].fields}
    left_out = [field.name for field in theirs["TensorProto"].fields if field.number not in ours]
    assert left_out == ["resource_handle_val", "variant_val"]


def test_enum_values_are_tensorflows(theirs: dict[str, Descriptor]) -> None:
    ours, other = (
        {value.name: value.number for value in found["BundleHeaderProto"].enum_types_by_name["Endianness"].values}
        for found in (OURS, theirs)
    )
    assert ours == other == {"LITTLE": 0, "BIG": 1}


def fill(message: Message, seed: int) -> None:
    """Set every field of a message to a value of its own; two items in each repeated field."""
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]  # or its twin in C
    for number, field in enumerate(descriptor.fields, start=seed):
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_MESSAGE:
            place = getattr(message, field.name)
            for index, item in enumerate((place.add(), place.add()) if field.is_repeated else (place,)):
                fill(item, number + 7 * index)
            continue
        values = {
            FieldDescriptor.CPPTYPE_STRING: f"näme-{number}"
            if field.type == FieldDescriptor.TYPE_STRING
            else b"\xff\0",
            FieldDescriptor.CPPTYPE_BOOL: True,
            FieldDescriptor.CPPTYPE_DOUBLE: number + 0.1,
            FieldDescriptor.CPPTYPE_FLOAT: number + 0.5,
            FieldDescriptor.CPPTYPE_ENUM: 1,
            FieldDescriptor.CPPTYPE_INT64: 2**40 + number,
            FieldDescriptor.CPPTYPE_UINT64: 2**63 + number,
            FieldDescriptor.CPPTYPE_UINT32: 2**31 + number,
            FieldDescriptor.CPPTYPE_INT32: number,
        }
        if field.is_repeated:
            getattr(message, field.name).extend([values[kind]] * 2)
        else:
            setattr(message, field.name, values[kind])


@pytest.mark.parametrize("name", sorted(OURS))
def test_bytes_mean_the_same_to_tensorflow(name: str, theirs: dict[str, Descriptor]) -> None:
    ours = GetMessageClass(OURS[name])()
    fill(ours, 1)
    data = ours.SerializeToString(deterministic=True)
    other = GetMessageClass(theirs[name]).FromString(data)
    assert other.SerializeToString(deterministic=True) == data
    assert json_format.MessageToDict(ours, use_integers_for_enums=True) == json_format.MessageToDict(
        other, use_integers_for_enums=True
    )


def test_a_negative_or_unknown_dtype_is_not_lost(theirs: dict[str, Descriptor]) -> None:
    for dtype in (-1, 99, 101, 2**31 - 1):
        data = tensor_bundle_pb2.BundleEntryProto(dtype=dtype).SerializeToString()
        entry = GetMessageClass(theirs["BundleEntryProto"]).FromString(data)
        assert entry.dtype == dtype  # type: ignore[attr-defined]


def test_a_length_of_zero_is_not_an_absent_length() -> None:
    extents = tensor_bundle_pb2.TensorSliceProto(extent=[{"start": 0, "length": 0}, {"start": 0}]).extent
    assert [extent.HasField("length") for extent in extents] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n', id="usual"),
        pytest.param("", id="empty"),
        pytest.param('model_checkpoint_path: "a\\303\\244\\n"', id="escapes"),
        pytest.param("all_model_checkpoint_timestamps: 1.5 last_preserved_timestamp: 2", id="one line"),
        pytest.param("all_model_checkpoint_timestamps: [1.5, inf, nan]", id="list"),
        pytest.param('model_checkpoint_path: "ckpt-2', id="cut in a string"),
        pytest.param("model_checkpoint_path:", id="cut after a name"),
        pytest.param('surprise: "x"', id="unknown field"),
        pytest.param('model_checkpoint_path: "a" model_checkpoint_path: "b"', id="twice"),
        pytest.param("version https://git-lfs.github.com/spec/v1", id="pointer"),
    ],
)
def test_text_is_read_and_refused_as_by_tensorflow(text: str, theirs: dict[str, Descriptor]) -> None:
    results = []
    for kind in (checkpoint_state_pb2.CheckpointState, GetMessageClass(theirs["CheckpointState"])):
        try:
            results.append(text_format.MessageToString(text_format.Parse(text, kind())))
        except text_format.ParseError as error:
            results.append(f"refused: {error}".replace("waypoint.tf.", "tensorflow."))
    assert results[0] == results[1]


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "tensorflow first"])
def test_both_load_in_one_process_without_a_warning(ours_first: bool) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    ours = "".join(f"import {module.__name__}\n" for module in MODULES)
    program = ours + IMPORTS if ours_first else IMPORTS + ours
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + "print('loaded')"],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


def test_the_committed_code_is_what_the_compiler_makes(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    sources = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "core/formats/wire").glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, *sources], cwd=ROOT, check=True, capture_output=True)
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*_pb2.py*")}
    assert len(made) == 2 * len(sources) == 8
    assert {path: (ROOT / path).read_text() for path in made} == made

"""TensorFlow 1's single-file checkpoints, with its Saver as the oracle; cut, flipped and forged ones."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.base.facts import Contents, Facts, Format, Role, Sourced, Variable
from core.formats import v1
from core.formats.wire.saved_tensor_slice_pb2 import SavedTensorSlices
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderTask
from core.runs.walk import look
from core.stores.local import LocalStore
from tests.support.builders import table
from tests.support.written import written_folder

NAME = "model.ckpt-3"
STEP_KEY = b"\0global_step\0\1\0"
HUGE = (1 << 63) - 1
Meta = tuple[str, int, tuple[int, ...]]


def folder() -> Path:
    """The folder that write_v1.py filled, once for all tests of a process."""
    return written_folder(("write_v1.py",))


def read(path: Path) -> tuple[Facts, tuple[Variable, ...]]:
    return v1.read(LocalStore(str(path.parent)), path.name, path.stat().st_size)


def meta_of(tensors: Iterable[Meta]) -> bytes:
    """The list of variables, given as (name, type, shape)."""
    found = SavedTensorSlices()
    for name, kind, shape in tensors:
        tensor = found.meta.tensor.add(name=name, type=kind)
        tensor.shape.SetInParent()
        for extent in shape:
            tensor.shape.dim.add(size=extent)
    return found.SerializeToString()


def counter_of(value: int) -> bytes:
    found = SavedTensorSlices()
    found.data.name = "global_step"
    found.data.data.int64_val.append(value)
    return found.SerializeToString()


def write(path: Path, *entries: tuple[bytes, bytes]) -> Path:
    path.write_bytes(table(entries))
    return path


def test_names_shapes_and_dtypes_are_tensorflows() -> None:
    _, variables = read(folder() / NAME)
    expected = json.loads((folder() / "expected.json").read_text(encoding="utf-8"))
    assert {v.name: [list(v.shape or ()), v.dtype] for v in variables} == expected
    assert {"part", "labels", "half"} <= set(expected)


def test_contents_step_and_sums_are_what_was_saved() -> None:
    facts, variables = read(folder() / NAME)
    assert facts.contents is Contents.WEIGHTS_AND_OPTIMIZER
    assert facts.has_optimizer
    assert (facts.step, facts.step_reason) == (Sourced(3, "global_step"), None)
    roles = {v.name: v.role for v in variables}
    assert {name for name, role in roles.items() if role is Role.WEIGHT} == {"part", "dense/kernel", "half"}
    assert {name for name, role in roles.items() if role is Role.OTHER} == {"labels", "global_step"}
    assert facts.parameters == 40 + 6 + 3
    assert (facts.role_bytes.weights, facts.role_bytes.optimizer) == (4 * 40 + 4 * 6 + 2 * 3, 4 * (2 * 6 + 2))
    assert {(v.shard, v.offset) for v in variables} == {(None, None)}


def test_a_folder_lists_it_with_its_graph() -> None:
    store = LocalStore(str(folder()))
    asked = FolderTask(root="r", run="", listing=look(store, ""), known=(), now_ns=4 * 10**18, grace_ns=0)
    result = read_folder(store, asked)
    (item,) = result.checkpoints
    assert (item.path, item.format, item.findings) == (NAME, Format.TF_V1, ())
    assert [file.name for file in item.files] == [NAME, f"{NAME}.meta"]
    assert [state.latest for state in result.states] == [str(folder() / NAME)]


def test_a_file_cut_anywhere_is_a_typed_error(tmp_path: Path) -> None:
    content = (folder() / NAME).read_bytes()
    kinds = []
    for length in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(FormatError) as caught:
            read(tmp_path / "cut")
        kinds.append((type(caught.value), caught.value.section))
    assert kinds[:48] == [(TruncatedError, "footer")] * 48
    assert set(kinds[48:]) == {(CorruptError, "footer")}


def test_a_file_with_a_flipped_byte_is_read_alike_or_refused(tmp_path: Path) -> None:
    content = (folder() / NAME).read_bytes()
    whole = read(folder() / NAME)
    outcomes: set[bool | str] = set()
    for place in range(len(content)):
        (tmp_path / "bent").write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            outcomes.add(read(tmp_path / "bent") == whole)
        except FormatError as error:
            outcomes.add(error.kind)
    assert outcomes == {True, "corrupt", "truncated"}


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ([("w", 1, (HUGE, HUGE))], CorruptError, "adding up to"),
        ([("w", 1, (1 << 50,)), ("v", 2, (1 << 50,))], CorruptError, "adding up to"),
        ([("w", 1, (-1,))], CorruptError, "below 0"),
        ([("w", 1, (HUGE,) * 254)], CorruptError, "adding up to"),
        ([("w", 1, (1,) * 255)], CorruptError, "255 axes"),
        ([(f"w{number}", 1, ()) for number in range(v1.MAX_VARIABLES + 1)], TooLargeError, "100,001 variables"),
        ([("w" * v1.MAX_META, 1, ())], TooLargeError, "bytes, more than 5,242,880"),
    ],
    ids=["product", "sum", "negative", "digits", "axes", "variables", "bytes"],
)
def test_forged_lists_are_refused(tmp_path: Path, tensors: list[Meta], error: type[FormatError], message: str) -> None:
    write(tmp_path / "model", (b"", meta_of(tensors)))
    with pytest.raises(error, match=message) as caught:
        read(tmp_path / "model")
    assert caught.value.section == "data block"


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\xff", b"\x0a\x02\x0a\x7f"], ids=["tag", "length", "inner"])
def test_a_list_that_is_none_is_corrupt(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptError, match="not a SavedTensorSlices"):
        read(write(tmp_path / "model", (b"", content)))


def test_a_table_without_a_list_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="a key is missing"):
        read(write(tmp_path / "model", (b"a", b"")))


@pytest.mark.parametrize(
    ("entries", "step", "reason"),
    [
        ([(STEP_KEY, counter_of(7))], Sourced(7, "global_step"), None),
        ([(STEP_KEY, counter_of(HUGE))], Sourced(HUGE, "global_step"), None),
        ([(STEP_KEY, b"")], None, "the file has no counter of steps"),
        ([(STEP_KEY, b"\xff")], None, "the step cannot be read: data block: not a SavedTensorSlices"),
        ([(STEP_KEY, bytes(2000))], None, "the step cannot be read: data block: 2,000 bytes, more than 1,024"),
        ([], None, "the step cannot be read: data block: a key is missing"),
    ],
    ids=["counter", "largest", "empty", "garbage", "long", "missing"],
)
def test_the_counter_is_a_number_or_a_reason(
    tmp_path: Path, entries: list[tuple[bytes, bytes]], step: Sourced | None, reason: str | None
) -> None:
    facts, _ = read(write(tmp_path / "model", (b"", meta_of([("global_step", 9, ()), ("w", 1, (2,))])), *entries))
    assert (facts.step, facts.step_reason, facts.contents) == (step, reason, Contents.WEIGHTS_ONLY)

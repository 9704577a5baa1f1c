"""Reading a unit: files of other tools, placeholders, empty files, and what the name tells."""

import shutil
from pathlib import Path

import h5py
import pytest

from core.base.facts import Contents, Format, Sourced
from core.base.files import FileStat
from core.base.records import EPOCH_IN_NAME, STEP_IN_NAME
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.spec import Reading, Unit
from core.stores.local import LocalStore
from tests.support import builders, bundle_files, keras_files
from tests.support.builders import GRAPH_KEY, SAVES, Node
from tests.support.bundle_files import put

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 3\n"


def unit(root: Path, name: str, kind: Format, folder: str = "") -> Unit:
    """All files of a folder as one unit."""
    path = f"{folder}/{name}" if folder and name else folder or name
    files = {file.name: file for file in LocalStore(str(root)).members(folder).files}
    return Unit(folder, name, path, kind, files)


def read(root: Path, name: str, kind: Format = Format.TF_BUNDLE, *, is_named: bool = False) -> Reading | None:
    return read_unit(LocalStore(str(root)), unit(root, name, kind), BundleCache(), is_named=is_named)


def found(root: Path, name: str, kind: Format = Format.TF_BUNDLE, *, is_named: bool = False) -> Reading:
    reading = read(root, name, kind, is_named=is_named)
    assert reading is not None
    return reading


def counterless(prefix: str) -> dict[str, bytes]:
    """A bundle of one weight without any counter."""
    graph = builders.graph([Node(children={"w": 1}), Node(keys={"w": "w"})])
    return builders.bundle([builders.text(GRAPH_KEY, graph), builders.floats("w", 3)], prefix)


@pytest.mark.parametrize(
    "content",
    [b"a text\n", b"\0" * 100, b"x" * 47, b"\xff" * 200],
    ids=["text", "zeros", "short", "binary"],
)
def test_an_index_of_another_tool_is_foreign(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, {"output.index": content})
    assert read(tmp_path, "output") is None


def test_the_same_beside_a_shard_or_named_by_a_state_file_is_damaged(tmp_path: Path) -> None:
    put(tmp_path, {"output.index": b"a text\n" * 20})
    reading = found(tmp_path, "output", is_named=True)
    assert reading.facts.problem is not None
    assert (reading.facts.problem.kind, reading.facts.problem.file) == ("corrupt", "output.index")
    put(tmp_path, {"output.data-00000-of-00001": b"x"})
    assert found(tmp_path, "output") == reading


def test_a_cut_index_beside_its_shard_is_truncated_or_corrupt(tmp_path: Path) -> None:
    files = put(tmp_path, builders.bundle(builders.trained()))
    content = (files / "ckpt.index").read_bytes()
    kinds = []
    for length in range(1, len(content)):
        (files / "ckpt.index").write_bytes(content[:length])
        reading = found(tmp_path, "ckpt")
        assert reading.facts.problem is not None
        assert reading.facts.contents is Contents.UNKNOWN
        assert reading.facts.contents_reason == f"ckpt.index: {reading.facts.problem.detail}"
        kinds.append(reading.facts.problem.kind)
    assert kinds == ["truncated"] * 47 + ["corrupt"] * (len(content) - 48)


@pytest.mark.parametrize(
    ("name", "kind", "file"),
    [
        ("ckpt", Format.TF_BUNDLE, "ckpt.index"),
        ("m.keras", Format.KERAS, "m.keras"),
        ("m.h5", Format.HDF5, "m.h5"),
        ("m.weights.h5", Format.WEIGHTS_H5, "m.weights.h5"),
        ("m.weights.json", Format.WEIGHTS_H5_SHARDED, "m.weights.json"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
@pytest.mark.parametrize(("content", "problem"), [(b"", "empty"), (LFS, "lfs-pointer")], ids=["empty", "lfs"])
def test_placeholders_are_said_by_name(
    tmp_path: Path, name: str, kind: Format, file: str, content: bytes, problem: str
) -> None:
    put(tmp_path, {file: content})
    facts = found(tmp_path, name, kind).facts
    assert facts.problem is not None
    assert (facts.problem.kind, facts.problem.file) == (problem, file)
    assert (facts.contents, facts.step) == (Contents.UNKNOWN, None)
    assert facts.contents_reason == f"{file}: {facts.problem.detail}"


def test_a_pointer_in_the_place_of_a_shard_keeps_the_variables(tmp_path: Path) -> None:
    put(tmp_path, builders.bundle(builders.trained()) | {"ckpt.data-00000-of-00001": LFS})
    reading = found(tmp_path, "ckpt")
    assert reading.facts.problem is not None
    assert (reading.facts.problem.kind, len(reading.variables)) == ("lfs-pointer", 5)


def test_an_empty_shard_is_no_pointer(tmp_path: Path) -> None:
    put(tmp_path, builders.bundle(builders.trained()) | {"ckpt.data-00000-of-00001": b""})
    facts = found(tmp_path, "ckpt").facts
    assert facts.problem is None
    assert [(shard.actual, shard.actual == shard.expected) for shard in facts.shards] == [(0, False)]


@pytest.mark.parametrize(
    ("prefix", "step", "epoch"),
    [
        ("model.ckpt-100", None, None),
        ("model_step-100", 100, None),
        ("epoch-03", None, 3),
        ("best", None, None),
        ("epoch-" + "9" * 40, None, None),
    ],
    ids=["number", "step", "epoch", "none", "endless"],
)
def test_without_a_counter_a_word_in_the_name_tells(
    tmp_path: Path, prefix: str, step: int | None, epoch: int | None
) -> None:
    put(tmp_path, counterless(prefix))
    facts = found(tmp_path, prefix).facts
    assert facts.step == (None if step is None else Sourced(step, STEP_IN_NAME))
    assert facts.epoch == (None if epoch is None else Sourced(epoch, EPOCH_IN_NAME))
    assert facts.step_reason is not None, "the content tells none"


def test_a_counter_is_trusted_more_than_the_name(tmp_path: Path) -> None:
    put(tmp_path, builders.bundle(builders.trained(step=70, saves=3), "epoch-9-100"))
    facts = found(tmp_path, "epoch-9-100").facts
    assert (facts.step, facts.epoch) == (Sourced(70, "optimizer/iter"), Sourced(9, EPOCH_IN_NAME))


def test_with_a_counter_of_saves_the_number_in_the_name_is_no_step(tmp_path: Path) -> None:
    nodes = [Node(children={"w": 1, "save_counter": 2}), Node(keys={"w": "w"}), Node(keys={SAVES: "save_counter"})]
    tensors = [builders.floats("w", 3), builders.integer(SAVES, 7)]
    put(tmp_path, builders.bundle([*tensors, builders.text(GRAPH_KEY, builders.graph(nodes))], "ckpt-7"))
    facts = found(tmp_path, "ckpt-7").facts
    assert (facts.step, facts.save_counter) == (None, Sourced(7, "save_counter"))


def test_a_damaged_file_takes_no_step_from_its_name(tmp_path: Path) -> None:
    put(tmp_path, {"ckpt-7.index": b"x" * 60, "ckpt-7.data-00000-of-00001": b""})
    assert found(tmp_path, "ckpt-7").facts.step is None


def test_a_file_that_went_away_is_said_to_the_caller(tmp_path: Path) -> None:
    gone = Unit("", "ckpt", "ckpt", Format.TF_BUNDLE, {"ckpt.index": FileStat("ckpt.index", 10, 1)})
    with pytest.raises(FileNotFoundError):
        read_unit(LocalStore(str(tmp_path)), gone, BundleCache())


def test_a_folder_in_a_files_place_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "ckpt.index").mkdir()
    bent = Unit("", "ckpt", "ckpt", Format.TF_BUNDLE, {"ckpt.index": FileStat("ckpt.index", 10, 1)})
    reading = read_unit(LocalStore(str(tmp_path)), bent, BundleCache())
    assert reading is not None
    assert reading.facts.problem is not None
    assert (reading.facts.problem.kind, reading.facts.problem.detail) == ("unreadable", "Is a directory")


def test_a_file_beside_a_meta_that_is_no_table_is_foreign(tmp_path: Path) -> None:
    put(tmp_path, {"data": b"x" * 100, "data.meta": b"y"})
    assert read(tmp_path, "data", Format.TF_V1) is None


def test_hdf5_under_another_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    shutil.copyfile(keras_files.folder() / "tfk_new.h5", tmp_path / "m.keras")
    reading = found(tmp_path, "m.keras", Format.KERAS)
    assert (reading.format, reading.facts.contents) == (Format.HDF5, Contents.FULL_MODEL)


def test_an_hdf5_file_of_something_else_is_foreign(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = [1.0, 2.0]
    assert read(tmp_path, "data.h5", Format.HDF5) is None


def test_what_is_no_hdf5_under_that_name_is_damage(tmp_path: Path) -> None:
    """A crash leaves zeros: they are never taken for another tool's file."""
    put(tmp_path, {"m.h5": bytes(5000)})
    facts = found(tmp_path, "m.h5", Format.HDF5).facts
    assert facts.problem is not None
    assert (facts.problem.kind, facts.problem.file) == ("corrupt", "m.h5")


def test_a_bundle_in_a_folder_is_read_there() -> None:
    root = bundle_files.folder()
    one = unit(root, "ckpt-2", Format.TF_BUNDLE, "series")
    reading = read_unit(LocalStore(str(root)), one, BundleCache())
    assert reading is not None
    assert reading.facts.step == Sourced(4, "optimizer/_iterations")
    assert reading.facts.save_counter == Sourced(2, "save_counter")

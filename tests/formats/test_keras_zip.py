"""Keras 3's `.keras` zips, with Keras and h5py as oracles; broken ones and bombs."""

import io
import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError
from core.base.facts import Contents, Role, Sourced
from core.formats import hdf5, keras_zip, zip_members
from core.stores.local import LocalStore
from tests.support import keras_files

COUNTER = "optimizer/vars/0 (iterations)"


def repack(path: Path, change: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> LocalStore:
    """adam.keras again with some members replaced (None: left out)."""
    with zipfile.ZipFile(keras_files.folder() / "adam.keras") as old, zipfile.ZipFile(path, "w", compression) as new:
        members: dict[str, bytes | None] = {name: old.read(name) for name in old.namelist()}
        members.update(change)
        for name, content in members.items():
            if content is not None:
                new.writestr(name, content)
    return LocalStore(str(path.parent))


@pytest.mark.parametrize(
    ("name", "step", "optimizer"),
    [
        ("adam", Sourced(value=8, source=COUNTER), "optimizer Adam"),
        ("nested", Sourced(value=8, source=COUNTER), "optimizer AdamW"),
        ("plain", None, None),
        ("gathered", Sourced(value=2, source=f"{COUNTER}; 8 batches, of which 3 make a step"), "optimizer Adam"),
        (
            "scaled",
            Sourced(value=8, source="optimizer/inner_optimizer/vars/0 (iterations)"),
            "optimizer LossScaleOptimizer(Adam)",
        ),
    ],
)
def test_reads_what_keras_saved(name: str, step: Sourced | None, optimizer: str | None) -> None:
    facts, variables = keras_zip.read(keras_files.store(), f"{name}.keras")
    expected = keras_files.expected()
    assert facts.contents is Contents.FULL_MODEL
    assert facts.has_architecture
    assert facts.has_optimizer is (step is not None)
    assert facts.step == step
    assert facts.saved_at is None
    assert facts.writer == ", ".join(filter(None, [f"Keras {expected['keras']}", optimizer]))
    assert facts.parameters == expected[name]["parameters"]
    weights = sorted([list(v.shape or ()), v.dtype] for v in variables if v.role is Role.WEIGHT)
    assert weights == expected[name]["weights"]


def test_the_weights_inside_are_those_of_the_weights_file() -> None:
    inside, variables = keras_zip.read(keras_files.store(), "adam.keras")
    beside, others = hdf5.read(keras_files.store(), "adam.weights.h5")
    assert inside.fingerprint == beside.fingerprint
    assert inside.role_bytes == beside.role_bytes
    assert [v.name for v in variables] == [v.name for v in others]


def test_offsets_are_those_in_the_zip() -> None:
    path = keras_files.folder() / "adam.keras"
    content = path.read_bytes()
    _, variables = keras_zip.read(keras_files.store(), path.name)
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        for variable in variables:
            assert variable.offset is not None
            value = np.asarray(file[variable.name]).tobytes()
            assert content[variable.offset : variable.offset + variable.bytes] == value


@pytest.mark.parametrize(
    ("name", "has_optimizer", "optimizer"),
    [("tfk_new", True, "optimizer Adam"), ("tfk_legacy", False, "optimizer Adam")],
)
def test_reads_what_tf_keras_saved(name: str, has_optimizer: bool, optimizer: str) -> None:
    facts, _ = keras_zip.read(keras_files.store(), f"{name}.keras")
    assert (facts.contents, facts.has_optimizer) == (Contents.FULL_MODEL, has_optimizer)
    assert facts.writer == f"Keras 2.21.0, {optimizer}"


def test_deflated_members_are_read_too(tmp_path: Path) -> None:
    store = repack(tmp_path / "a.keras", {}, zipfile.ZIP_DEFLATED)
    facts, variables = keras_zip.read(store, "a.keras")
    original, _ = keras_zip.read(keras_files.store(), "adam.keras")
    assert facts == original
    assert {variable.offset for variable in variables} == {None}


def test_a_zip_cut_anywhere_is_truncated(tmp_path: Path) -> None:
    content = (keras_files.folder() / "plain.keras").read_bytes()
    store = LocalStore(str(tmp_path))
    for length in keras_files.cuts(len(content), 300):
        (tmp_path / "cut.keras").write_bytes(content[:length])
        with pytest.raises(TruncatedError):
            keras_zip.read(store, "cut.keras")


def test_a_directory_damaged_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    content = (keras_files.folder() / "tfk_legacy.keras").read_bytes()
    start = content.index(b"PK\x01\x02")
    paths = [f"{place}.keras" for place in [*range(120), *range(start, len(content))]]
    for path in paths:
        damaged = bytearray(content)
        damaged[int(path.partition(".")[0])] ^= 0xFF
        (tmp_path / path).write_bytes(damaged)
    results = list(keras_zip.read_many(LocalStore(str(tmp_path)), paths))
    assert len(results) == len(paths)
    assert all(isinstance(result, tuple | FormatError) for result in results)
    assert sum(isinstance(result, CorruptError) for result in results) > 20
    assert sum(isinstance(result, tuple) for result in results) > 20


def test_a_member_that_reaches_into_the_directory_is_truncated(tmp_path: Path) -> None:
    content = bytearray((keras_files.folder() / "adam.keras").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    size = struct.unpack_from("<L", content, entry + 20)[0]
    struct.pack_into("<2L", content, entry + 20, size + 100, size + 100)
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(TruncatedError, match="beyond the members' end"):
        keras_zip.read(LocalStore(str(tmp_path)), "a.keras")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_zip, "MAX_CONFIG", 1 << 20)
    store = repack(tmp_path / "config.keras", {"config.json": b" " * (2 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(TooLargeError) as caught:
        keras_zip.read(store, "config.keras")
    assert caught.value.section == "config.json"
    monkeypatch.setattr(keras_zip, "MAX_UNPACKED", 1 << 20)
    store = repack(tmp_path / "weights.keras", {"model.weights.h5": b"\0" * (2 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsupportedError, match="deflated weights"):
        keras_zip.read(store, "weights.keras")
    with zipfile.ZipFile(tmp_path / "many.keras", "w") as archive:
        for number in range(zip_members.MAX_MEMBERS + 1):
            archive.writestr(str(number), b"")
    with pytest.raises(TooLargeError, match="10,001 members"):
        keras_zip.read(store, "many.keras")


@pytest.mark.parametrize(
    ("change", "error", "section"),
    [
        ({"config.json": b'{"module": "ker'}, TruncatedError, "config.json"),
        ({"config.json": b"[]"}, CorruptError, "config.json"),
        ({"config.json": b"[" * 100_000}, CorruptError, "config.json"),
        ({"config.json": b'{"class_name": "Sequential"}'}, CorruptError, "config.json"),
        ({"model.weights.h5": b""}, TruncatedError, "superblock"),
        ({"model.weights.h5": b"no HDF5 at all, but some text"}, CorruptError, "superblock"),
        ({"model.weights.h5": None}, CorruptError, "members"),
        ({"model.weights.h5": None, "model.weights.npz": b"PK"}, UnsupportedError, "members"),
        ({"model.weights.h5": None, "config.json": None}, CorruptError, "members"),
    ],
    ids=["cut", "list", "deep", "no-config", "no-bytes", "text", "no-weights", "npz", "foreign"],
)
def test_broken_members_are_typed_errors(
    tmp_path: Path, change: dict[str, bytes | None], error: type[FormatError], section: str
) -> None:
    store = repack(tmp_path / "a.keras", change)
    with pytest.raises(error) as caught:
        keras_zip.read(store, "a.keras")
    assert caught.value.section == section


def test_weights_of_something_else_are_corrupt(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = np.zeros(3)
    store = repack(tmp_path / "a.keras", {"model.weights.h5": (tmp_path / "data.h5").read_bytes()})
    with pytest.raises(CorruptError, match="not a Keras file"):
        keras_zip.read(store, "a.keras")


def test_without_its_config_a_model_is_none(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="load_model cannot make the model"):
        keras_zip.read(repack(tmp_path / "a.keras", {"config.json": None}), "a.keras")


@pytest.mark.parametrize("flag", [0x01, 0x20, 0x40], ids=["encrypted", "patch", "strongly encrypted"])
def test_members_that_nobody_unpacks_are_not_told(tmp_path: Path, flag: int) -> None:
    store = repack(tmp_path / "m.keras", {})
    content = bytearray((tmp_path / "m.keras").read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(keras_zip.WEIGHTS.encode()))
    content[entry + 8] |= flag
    (tmp_path / "m.keras").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive, pytest.raises((RuntimeError, NotImplementedError)):
        archive.open(keras_zip.WEIGHTS)
    with pytest.raises(UnsupportedError, match=keras_zip.WEIGHTS):
        keras_zip.read(store, "m.keras")


def test_one_bad_file_does_not_hide_the_rest(tmp_path: Path) -> None:
    store = repack(tmp_path / "a.keras", {})
    repack(tmp_path / "deflated.keras", {}, zipfile.ZIP_DEFLATED)
    (tmp_path / "bad.keras").write_bytes(b"no")
    results = list(keras_zip.read_many(store, ["bad.keras", "a.keras", "deflated.keras", "gone.keras", "a.keras"]))
    assert [type(result) for result in results] == [CorruptError, tuple, tuple, FileNotFoundError, tuple]
    assert results[1] == results[4]


def test_versions_are_compared_with_the_files_own_word() -> None:
    with zipfile.ZipFile(keras_files.folder() / "adam.keras") as archive:
        assert json.loads(archive.read("metadata.json"))["keras_version"] == keras_files.expected()["keras"]


def test_corpus_of_keras_2_12_has_hdf5_by_that_name() -> None:
    facts, variables = keras_zip.read(keras_files.corpus("keras-2.12"), "full_keras/03.keras")
    assert (facts.contents, facts.step) == (
        Contents.FULL_MODEL,
        Sourced(value=6, source="optimizer_weights/iteration:0"),
    )
    assert facts.writer == "Keras 2.12.0, optimizer Adam"
    assert len(variables) == 21

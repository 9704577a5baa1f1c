"""Verifying what is no bundle: Keras' files, V1 checkpoints, Orbax; whole as the frameworks wrote them, and damaged."""

import shutil
import zipfile
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from core.base.facts import Format
from core.base.records import Checkpoint
from core.formats.sstable import block_places
from core.verify.hdf5 import blocks
from core.verify.results import Outcome, Verification
from core.verify.run import verify
from core.verify.trial import try_restore
from tests.formats import test_v1
from tests.support import hostile_hdf5, keras_files
from tests.support.hostile_files import DEFLATED, STORED, zip_of
from tests.support.hostile_hdf5 import hdf5
from tests.support.writers import run_together

ORBAX = """
import os, sys
os.environ["JAX_PLATFORMS"] = "cpu"
import numpy as np
import orbax.checkpoint as ocp
bad = np.ones(5000, "float32")
bad[[3, 4999]] = np.nan, np.inf
tree = {"trainable_variables": {"good": np.random.default_rng(1).random((300, 50)), "bad": bad},
        "optimizer_variables": {"m": np.float32("inf")}, "metrics_variables": {"loss": np.float32("nan")}}
ocp.PyTreeCheckpointer().save(sys.argv[1] + "/ocdbt/1", tree)
ocp.PyTreeCheckpointer(use_ocdbt=False).save(sys.argv[1] + "/plain/1", tree)
"""


def only(root: Path) -> Checkpoint:
    """The one checkpoint below a folder."""
    (found,) = keras_files.checkpoints(root).values()
    return found


def verified(root: Path) -> Verification:
    """The result for the one checkpoint below a folder."""
    return verify(str(root), only(root))


def bad(result: Verification) -> set[tuple[str, str, int]]:
    """Rule, name and count of each problem."""
    return {(item.rule.value, item.name, item.count) for item in result.problems}


# Bundles, V1 and Keras' folders have tests of their own; the others are not verified.
FORMATS = (
    Format.SAVED_MODEL,
    Format.KERAS,
    Format.HDF5,
    Format.WEIGHTS_H5,
    Format.WEIGHTS_H5_SHARDED,
    Format.ORBAX,
)


@pytest.mark.parametrize("form", FORMATS)
def test_what_the_frameworks_wrote_passes(form: Format) -> None:
    found = [one for one in keras_files.written().values() if one.format is form]
    assert found
    for checkpoint in found[:: 1 + len(found) // 8]:
        result = verify(str(keras_files.folder()), checkpoint)
        assert (result.outcome, result.problems) == (Outcome.VERIFIED, ()), (checkpoint.path, result.detail)
        assert result.tensors >= (checkpoint.facts.variables or 0) - len(result.unverifiable)
        assert result.holds_for(checkpoint.files)


@pytest.mark.parametrize("path", ["adam.keras", "adam.h5", "sharded.weights.json", "orbax/1", "saved_model"])
def test_the_library_that_restores_it_reads_it_too(path: str) -> None:
    checkpoint = keras_files.written()[path]
    answer = try_restore(str(keras_files.folder()), checkpoint)
    assert answer.ok, answer.detail
    assert answer.tensors >= (checkpoint.facts.variables or 0)
    assert answer.detail.startswith(f"{answer.library} read all {answer.tensors} tensors")


def flip(path: Path, place: int) -> None:
    """Turn one byte of a file around."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_a_flipped_byte_in_a_zips_member_names_the_member(tmp_path: Path) -> None:
    shutil.copy(keras_files.folder() / "adam.keras", tmp_path)
    with zipfile.ZipFile(tmp_path / "adam.keras") as archive:
        start = archive.getinfo("model.weights.h5").header_offset
        size = archive.getinfo("model.weights.h5").file_size
    variables = keras_files.reading(tmp_path, only(tmp_path)).variables
    place = max(variable.offset or 0 for variable in variables if variable.bytes)
    assert start < place < start + size + 100
    flip(tmp_path / "adam.keras", place)
    result = verified(tmp_path)
    assert (result.outcome, bad(result)) == (Outcome.DAMAGED, {("checksum-mismatch", "model.weights.h5", 0)})
    assert "Bad CRC-32" in result.problems[0].detail


def test_deflated_weights_are_verified_from_a_copy(tmp_path: Path) -> None:
    with hdf5_at(tmp_path / "w.h5") as file:
        file["layers/dense/vars/0"] = np.array([1, np.nan], "float32")
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "w.h5", "model.weights.h5")
        archive.writestr("config.json", '{"class_name": "Sequential", "config": {}}')
    (tmp_path / "w.h5").unlink()
    result = verified(tmp_path)
    assert bad(result) == {("non-finite", "layers/dense/vars/0", 1)}
    with (
        zipfile.ZipFile(keras_files.folder() / "adam.keras") as stored,
        zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in stored.namelist():
            archive.writestr(name, stored.read(name))
    answer = try_restore(str(tmp_path), only(tmp_path))
    assert (answer.ok, answer.tensors) == (True, only(tmp_path).facts.variables), answer.detail


def hdf5_at(path: Path) -> h5py.File:
    return h5py.File(path, "w", libver="latest")


def test_numbers_that_are_none_in_hdf5(tmp_path: Path) -> None:
    values = np.ones((300, 1000), "float32")
    values[[0, 299], [0, 999]] = np.nan, np.inf
    small = np.array([1, np.nan, np.inf], ml_dtypes.bfloat16)
    with hdf5_at(tmp_path / "model.weights.h5") as file:
        file["layers/a/vars/0"] = values
        file["layers/b/vars/0"] = values.astype(">f8")
        file["layers/c/vars/0"] = values.astype("complex64")
        file["layers/d/vars/0"] = small.view("V2")
        file["layers/d/vars/0"].attrs["dtype"] = "bfloat16"
        file.create_dataset("layers/e/vars/0", data=values, chunks=(7, 130), compression="gzip")
        file.create_dataset("layers/never/vars/0", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,))
        file["optimizer/vars/0"] = np.int64(5)
        file["optimizer/vars/1"] = np.float16("inf")
        file["layers/loss_tracker/vars/0"] = np.float32("nan")
        file["layers/words/vars/0"] = ["a", "bc"]
    result = verified(tmp_path)
    assert bad(result) == {
        *(("non-finite", f"layers/{layer}/vars/0", 2) for layer in "abcde"),
        ("non-finite", "optimizer/vars/1", 1),
    }
    assert (result.tensors, result.unverifiable) == (10, ())


def test_a_flipped_byte_under_fletcher32_names_the_dataset(tmp_path: Path) -> None:
    with hdf5_at(tmp_path / "model.weights.h5") as file:
        file["layers/a/vars/0"] = np.arange(1000.0)
        summed = file.create_dataset("layers/b/vars/0", data=np.arange(1000.0), chunks=(100,), fletcher32=True)
        place = summed.id.get_chunk_info(3).byte_offset
    assert verified(tmp_path).outcome is Outcome.VERIFIED
    flip(tmp_path / "model.weights.h5", place + 11)
    result = verified(tmp_path)
    assert (result.outcome, bad(result)) == (Outcome.DAMAGED, {("checksum-mismatch", "layers/b/vars/0", 0)})
    assert not try_restore(str(tmp_path), only(tmp_path)).ok


def test_one_shard_of_several_is_named(tmp_path: Path) -> None:
    for path in keras_files.folder().glob("sharded*"):
        shutil.copy(path, tmp_path)
    name = min(tmp_path.glob("*_*.weights.h5"))
    name.unlink()
    result = verified(tmp_path)
    assert result.outcome is Outcome.DAMAGED
    assert f"{name.name} is missing." in result.detail


@pytest.mark.parametrize("shape", [(), (1,), (7,), (0,), (3, 0), (5, 3, 4), (2, 40, 3), (17, 1)])
@pytest.mark.parametrize("most", [1, 6, 1000])
def test_blocks_cover_a_shape_once(shape: tuple[int, ...], most: int) -> None:
    seen = np.zeros(shape, int)
    for start, extents in blocks(shape, most):
        assert np.prod(extents) <= most
        seen[tuple(slice(at, at + extent) for at, extent in zip(start, extents, strict=True))] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("make", [hostile_hdf5.loops, hostile_hdf5.odd_names])
def test_hdf5_that_wants_to_lead_out_of_the_file_is_verified_inside_it(tmp_path: Path, make: object) -> None:
    hdf5(make)(tmp_path)  # type: ignore[arg-type]
    result = verified(tmp_path)
    assert (result.outcome, result.problems) == (Outcome.VERIFIED, ())
    assert result.bytes < 10_000


@pytest.mark.parametrize("make", [hostile_hdf5.borrowed_counter, hostile_hdf5.links])
def test_values_of_other_files_are_not_read(tmp_path: Path, make: object) -> None:
    hdf5(make)(tmp_path)  # type: ignore[arg-type]
    result = verified(tmp_path)
    assert result.outcome is Outcome.NOT_TOLD
    assert "it lies in another file, which is not followed" in result.detail


def test_the_library_follows_no_file_of_values_either(tmp_path: Path) -> None:
    hdf5(hostile_hdf5.borrowed_counter)(tmp_path)
    assert "which is not followed" in try_restore(str(tmp_path), only(tmp_path)).detail


def test_a_chunk_that_unpacks_to_gigabytes_is_not_read(tmp_path: Path) -> None:
    with hdf5_at(tmp_path / "model.weights.h5") as file:
        file["layers/a/vars/0"] = np.zeros(3)
        side = {"chunks": (1 << 24,), "compression": "gzip"}
        file.create_dataset("layers/b/vars/0", shape=(1 << 24,), dtype="f4", fillvalue=1, **side)[0] = 2
    result = verified(tmp_path)
    assert (result.outcome, result.tensors) == (Outcome.VERIFIED, 1)
    assert result.unverifiable == (("layers/b/vars/0", "Its chunks have more than 32 MiB each."),)


def test_a_zip_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    content = zip_of([("model.weights.h5", STORED, b"\x89HDF", 4), ("config.json", DEFLATED, b"nonsense", 4)])
    (tmp_path / "bad.keras").write_bytes(content)
    result = verified(tmp_path)
    assert result.outcome is Outcome.DAMAGED
    assert result.detail.startswith("bad.keras: ")


def test_every_block_of_a_v1_file_is_checked(tmp_path: Path) -> None:
    for path in test_v1.folder().iterdir():
        if path.name.startswith(test_v1.NAME):
            shutil.copy(path, tmp_path)
    path = tmp_path / test_v1.NAME
    good = verified(tmp_path)
    assert (good.outcome, good.tensors) == (Outcome.VERIFIED, only(tmp_path).facts.variables)
    assert "checksums of blocks" in good.detail
    answer = try_restore(str(tmp_path), only(tmp_path))
    assert (answer.ok, answer.tensors) == (True, good.tensors - 2)
    assert answer.detail.endswith(f"of {good.tensors} tensors; it has no way to read half, part.")
    content = path.read_bytes()
    places = list(block_places(len(content), lambda offset, length: content[offset : offset + length]))
    last = places[-1]
    flip(path, last.offset + last.size // 2)
    found = verified(tmp_path)
    assert found.outcome is Outcome.DAMAGED
    assert f"byte {last.offset:,}" in found.detail or bad(found) == {
        ("checksum-mismatch", f"the block at byte {last.offset:,}", 0)
    }


@pytest.fixture(scope="module")
def orbax(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints that Orbax saved."""
    root = tmp_path_factory.mktemp("orbax")
    program = root / "program.py"
    program.write_text(ORBAX)
    run_together([[str(program), str(root)]])
    program.unlink()
    return root


@pytest.mark.parametrize("kind", ["ocdbt", "plain"])
def test_numbers_that_are_none_in_orbax(orbax: Path, kind: str) -> None:
    result = verified(orbax / kind)
    assert bad(result) == {
        ("non-finite", "trainable_variables/bad", 2),
        ("non-finite", "optimizer_variables/m", 1),
    }
    assert result.tensors == 4


def test_a_flipped_byte_in_a_chunk_names_the_array(orbax: Path, tmp_path: Path) -> None:
    shutil.copytree(orbax / "plain", tmp_path / "plain")
    (chunk,) = tmp_path.glob("plain/1/trainable_variables.good/0.0")
    flip(chunk, 0)  # of the compressed frame's magic number
    result = verified(tmp_path)
    assert ("checksum-mismatch", "trainable_variables/good", 0) in bad(result)
    assert "trainable_variables/bad" in {item.name for item in result.problems}
    assert result.problem_count == 3


def test_without_tensorstore_it_is_told_what_to_install(
    orbax: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorstore.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = verified(orbax / "ocdbt")
    assert result.outcome is Outcome.FAILED
    assert "pip install orbax-checkpoint" in result.detail


def test_without_tensorflow_the_trial_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no tensorflow here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = try_restore(str(keras_files.folder()), keras_files.written()["saved_model"])
    assert not answer.ok
    assert "no tensorflow here" in answer.detail

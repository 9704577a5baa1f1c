"""Keras' HDF5 files, with h5py and Keras themselves as oracles; broken and hostile ones."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError
from core.base.facts import Contents, Format, Role, Sourced, Variable
from core.formats import h5_tree, hdf5
from core.formats.fingerprint import fingerprint
from core.stores.local import LocalStore
from core.workers.h5 import objects
from tests.support import keras_files

LEGACY, WEIGHTS = Format.HDF5, Format.WEIGHTS_H5
FULL, BOTH, ONLY = Contents.FULL_MODEL, Contents.WEIGHTS_AND_OPTIMIZER, Contents.WEIGHTS_ONLY
NEW_COUNTER = "optimizer/vars/0 (iterations)"
INNER_COUNTER = "optimizer/inner_optimizer/vars/0 (iterations)"


def stored(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Every dataset's shape and dtype, by h5py."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, str(item.attrs.get("dtype", item.dtype)))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def seen(variables: tuple[Variable, ...]) -> dict[str, tuple[tuple[int, ...] | None, str]]:
    return {variable.name: (variable.shape, variable.dtype) for variable in variables}


def write(path: Path, **contents: object) -> LocalStore:
    with h5py.File(path, "w") as file:
        for name, value in contents.items():
            file[name.replace("__", "/")] = value
    return LocalStore(str(path.parent))


@pytest.mark.parametrize(
    ("name", "form", "contents", "step", "writer"),
    [
        (
            "adam.h5",
            LEGACY,
            FULL,
            Sourced(value=8, source="optimizer_weights/adam/iteration"),
            "Keras 3, optimizer Adam",
        ),
        ("plain.h5", LEGACY, FULL, None, "Keras 3"),
        ("adam.weights.h5", WEIGHTS, BOTH, Sourced(value=8, source=NEW_COUNTER), None),
        ("nested.weights.h5", WEIGHTS, BOTH, Sourced(value=8, source=NEW_COUNTER), None),
        ("plain.weights.h5", WEIGHTS, ONLY, None, None),
        ("bfloat.weights.h5", WEIGHTS, ONLY, None, None),
        ("tfk_new.h5", LEGACY, FULL, Sourced(value=8, source="optimizer_weights/iteration:0"), "tf-keras"),
        ("tfk_legacy.h5", LEGACY, FULL, Sourced(value=8, source="optimizer_weights/Adam/iter:0"), "tf-keras"),
        ("tfk_new.weights.h5", WEIGHTS, BOTH, Sourced(value=8, source=NEW_COUNTER), None),
        ("tfk_legacy.weights.h5", WEIGHTS, ONLY, None, None),
        ("tfk_weights.h5", LEGACY, ONLY, None, "tf-keras"),
        ("backup/latest.weights.h5", WEIGHTS, BOTH, Sourced(value=8, source=NEW_COUNTER), None),
    ],
)
def test_reads_what_keras_saved(
    name: str, form: Format, contents: Contents, step: Sourced | None, writer: str | None
) -> None:
    found = hdf5.read_found(keras_files.store(), name)
    assert found.format is form
    assert found.facts.contents is contents
    assert found.facts.contents_reason is None
    assert found.facts.step == step
    assert (found.facts.step_reason is None) == (step is not None)
    assert found.facts.has_optimizer is (step is not None)
    assert found.facts.has_architecture is (contents is FULL)
    assert seen(found.variables) == stored(keras_files.folder() / name)
    assert found.facts.variables == len(found.variables)
    assert found.facts.fingerprint == fingerprint(found.variables)
    versions = {"Keras 3": "Keras 3.", "tf-keras": "Keras 2."}
    assert (found.facts.writer or "").startswith(versions[writer.partition(",")[0]] if writer else "")
    assert "optimizer Adam" in (found.facts.writer or "") or "optimizer" not in (writer or "")


@pytest.mark.parametrize(
    "name",
    [
        "adam.h5",
        "plain.h5",
        "adam.weights.h5",
        "plain.weights.h5",
        "scaled.h5",
        "scaled.weights.h5",
        "nested.weights.h5",
        "bfloat.weights.h5",
        "tfk_new.h5",
        "tfk_legacy.h5",
        "tfk_new.weights.h5",
        "tfk_scaled.h5",
        "tfk_scaled.weights.h5",
    ],
)
def test_weights_are_those_that_the_model_has(name: str) -> None:
    facts, variables = hdf5.read(keras_files.store(), name)
    model = keras_files.expected()[name.partition(".")[0]]
    weights = sorted([list(v.shape or ()), v.dtype] for v in variables if v.role is Role.WEIGHT)
    assert weights == model["weights"]
    assert facts.parameters == model["parameters"]
    if facts.has_optimizer:
        assert sum(v.role is Role.OPTIMIZER for v in variables) == model["optimizer"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("scaled.weights.h5", INNER_COUNTER),
        ("tfk_scaled.weights.h5", INNER_COUNTER),
        ("scaled.h5", "optimizer_weights/adam_1/iteration"),
        ("tfk_scaled.h5", "optimizer_weights/iteration:0"),
    ],
)
def test_under_loss_scaling_the_inner_counter_is_the_step(name: str, source: str) -> None:
    facts, _ = hdf5.read(keras_files.store(), name)
    assert facts.step == Sourced(value=8, source=source)


def test_inner_twins_are_counted_once() -> None:
    name = "scaled.weights.h5"
    _, variables = hdf5.read(keras_files.store(), name)
    twins = {f"optimizer/vars/{number}" for number in range(4, 18)}
    assert set(stored(keras_files.folder() / name)) - set(seen(variables)) == twins


def test_two_optimizers_give_the_larger_counter_and_name_the_other() -> None:
    facts, variables = hdf5.read(keras_files.store(), "gan.weights.h5")
    assert facts.contents is BOTH
    assert facts.step == Sourced(value=50, source="d_optimizer/vars/0 (iterations); g_optimizer/vars/0 is 30")
    assert {v.name.split("/")[0] for v in variables if v.role is Role.OPTIMIZER} == {"d_optimizer", "g_optimizer"}


def test_bytes_and_offsets_lead_to_the_values() -> None:
    path = keras_files.folder() / "adam.weights.h5"
    _, variables = hdf5.read(keras_files.store(), path.name)
    content = path.read_bytes()
    with h5py.File(path) as file:
        for variable in variables:
            assert variable.offset is not None
            assert (
                content[variable.offset : variable.offset + variable.bytes] == np.asarray(file[variable.name]).tobytes()
            )


def test_metrics_and_generators_are_no_weights(tmp_path: Path) -> None:
    store = write(
        tmp_path / "a.weights.h5",
        metrics__mean__vars__0=np.float32(0),
        layers__dropout__seed_generator__vars__0=np.zeros(2, "uint32"),
        layers__quantized__vars__0=np.zeros((3, 3), "int8"),
        layers__lookup__vars__0=np.arange(5),
        vars__0=np.zeros(3, "float16"),
    )
    _, variables = hdf5.read(store, "a.weights.h5")
    assert {v.name: v.role.value for v in variables} == {
        "metrics/mean/vars/0": "other",
        "layers/dropout/seed_generator/vars/0": "other",
        "layers/quantized/vars/0": "weight",
        "layers/lookup/vars/0": "other",
        "vars/0": "weight",
    }


SHARDS = [f"sharded_{number:05}.weights.h5" for number in range(4)]


def test_shards_together_are_the_whole_model() -> None:
    store = keras_files.store()
    facts, variables = hdf5.read_sharded(store, "sharded.weights.json", SHARDS)
    whole, whole_variables = hdf5.read(store, "adam.weights.h5")
    assert seen(variables) == seen(whole_variables)
    assert (facts.contents, facts.step, facts.fingerprint) == (BOTH, whole.step, whole.fingerprint)
    assert [(s.number, s.name, s.actual) for s in facts.shards] == [
        (number, name, (keras_files.folder() / name).stat().st_size) for number, name in enumerate(SHARDS)
    ]
    for variable in variables:
        assert variable.shard is not None
        assert variable.name in stored(keras_files.folder() / SHARDS[variable.shard])


def test_a_missing_shard_is_listed_and_contents_are_still_known() -> None:
    facts, variables = hdf5.read_sharded(keras_files.store(), "sharded.weights.json", [SHARDS[0], SHARDS[3]])
    assert [shard.actual is None for shard in facts.shards] == [False, True, True, False]
    assert facts.contents is BOTH
    assert (facts.step, facts.step_reason) == (None, "the shard that holds the iterations is missing")
    assert {variable.shard for variable in variables} == {0, 3}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", TruncatedError),
        ('{"weight_map": {"/layers"', TruncatedError),
        ("[]", CorruptError),
        ('{"weight_map": {"/vars": ["../../etc/passwd"]}}', CorruptError),
        ("[" * 100_000, CorruptError),
    ],
    ids=["empty", "cut", "list", "leads-out", "deep"],
)
def test_a_broken_weight_map_is_a_typed_error(tmp_path: Path, content: str, error: type[FormatError]) -> None:
    (tmp_path / "x.weights.json").write_text(content)
    with pytest.raises(error):
        hdf5.read_sharded(LocalStore(str(tmp_path)), "x.weights.json", [])


def test_backup_epoch() -> None:
    content = (keras_files.folder() / "backup" / "training_metadata.json").read_bytes()
    assert hdf5.backup_epoch(content, "training_metadata.json") == Sourced(value=2, source="training_metadata.json")
    for broken in (b"", b"[]", b'{"epoch": "3"}', b'{"epoch": true}', b'{"epoch": -1}', b"[" * 100_000, b"\xff"):
        assert hdf5.backup_epoch(broken, "training_metadata.json") is None


@pytest.mark.parametrize("name", ["adam.weights.h5", "tfk_legacy.h5"])
def test_a_file_cut_anywhere_is_truncated(tmp_path: Path, name: str) -> None:
    content = (keras_files.folder() / name).read_bytes()
    store = LocalStore(str(tmp_path))
    for length in keras_files.cuts(len(content), 200):
        (tmp_path / "cut.h5").write_bytes(content[:length])
        with pytest.raises(TruncatedError) as caught:
            hdf5.read(store, "cut.h5")
        assert caught.value.section == "superblock"


def test_a_file_damaged_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    content = (keras_files.folder() / "tfk_legacy.h5").read_bytes()
    paths = []
    for place in range(0, min(len(content), 6000), 29):
        paths.append(f"{place}.h5")
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        (tmp_path / paths[-1]).write_bytes(damaged)
    results = list(hdf5.read_many(LocalStore(str(tmp_path)), paths))
    assert len(results) == len(paths)
    assert {type(result) for result in results} <= {hdf5.Found, CorruptError, TruncatedError, UnsupportedError}
    assert sum(isinstance(result, hdf5.Found) for result in results) > 10


@pytest.mark.parametrize("version", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize("block", [0, 512, 2048])
def test_the_end_address_is_found_in_every_superblock(tmp_path: Path, version: str, block: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=(version, "latest"), userblock_size=block) as file:
        file["vars/0"] = np.zeros(3)
    size = path.stat().st_size
    with path.open("rb") as opened:
        assert h5_tree.check_end(opened, size) == size
    _, variables = hdf5.read(LocalStore(str(tmp_path)), "a.h5")
    assert seen(variables) == {"vars/0": ((3,), "float64")}
    os.truncate(path, size - 1)
    with pytest.raises(TruncatedError, match=f"{size - 1:,} of the {size:,} bytes"):
        hdf5.read(LocalStore(str(tmp_path)), "a.h5")


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_what_a_killed_writer_left_cannot_be_read(tmp_path: Path, version: str) -> None:
    """Keras flushes no file before it closes it."""
    program = f"""
import h5py, numpy, os
file = h5py.File({str(tmp_path / "a.h5")!r}, "w", libver=({version!r}, "latest"))
for number in range(9):
    file[f"vars/{{number}}"] = numpy.zeros(5000)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises((TruncatedError, CorruptError)):
        hdf5.read(LocalStore(str(tmp_path)), "a.h5")


def test_bytes_behind_the_end_of_a_file_are_nobodys(tmp_path: Path) -> None:
    store = write(tmp_path / "a.h5", vars__0=np.zeros(3))
    with (tmp_path / "a.h5").open("ab") as file:
        file.write(b"more")
    _, variables = hdf5.read(store, "a.h5")
    assert seen(variables) == {"vars/0": ((3,), "float64")}


def test_other_hdf5_files_are_nobodys(tmp_path: Path) -> None:
    store = write(tmp_path / "data.h5", images=np.zeros((4, 4)), labels__train=np.zeros(4))
    with pytest.raises(UnsupportedError, match="not a Keras file"):
        hdf5.read(store, "data.h5")


def test_text_is_no_hdf5(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CorruptError, match="no HDF5 signature"):
        hdf5.read(LocalStore(str(tmp_path)), "a.h5")


def test_links_and_cycles_are_not_followed(tmp_path: Path) -> None:
    store = write(tmp_path / "a.h5", vars__0=np.zeros(3))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["vars/again"] = file["vars"]
    _, variables = hdf5.read(store, "a.h5")
    assert seen(variables) == {"vars/0": ((3,), "float64")}
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["vars/2"] = h5py.SoftLink("/vars/0")
    with pytest.raises(UnsupportedError, match="newer Keras follows none"):
        hdf5.read(store, "a.h5")


def test_too_many_objects_and_too_deep_groups_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w", libver="latest") as file:
        for number in range(objects.MAX_OBJECTS + 1):
            h5py.h5g.create(file.id, str(number).encode())
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file.create_group("/".join("a" * (objects.MAX_DEPTH + 2)))
    store = LocalStore(str(tmp_path))
    with pytest.raises(TooLargeError, match="100,000 objects"):
        hdf5.read(store, "many.h5")
    with pytest.raises(TooLargeError, match="64 deep"):
        hdf5.read(store, "deep.h5")


def test_one_bad_file_does_not_hide_the_rest(tmp_path: Path) -> None:
    store = write(tmp_path / "good.h5", vars__0=np.zeros(3))
    (tmp_path / "bad.h5").write_bytes(b"no")
    results = list(hdf5.read_many(store, ["good.h5", "bad.h5", "gone.h5", "good.h5"]))
    assert [type(result) for result in results] == [hdf5.Found, CorruptError, FileNotFoundError, hdf5.Found]


def test_reading_does_not_lock_the_file_that_a_job_writes(tmp_path: Path) -> None:
    store = write(tmp_path / "a.weights.h5", vars__0=np.zeros(3))
    with h5py.File(tmp_path / "a.weights.h5", "a"):  # locked for writing by this process
        _, variables = hdf5.read(store, "a.weights.h5")
    assert seen(variables) == {"vars/0": ((3,), "float64")}


def test_the_library_is_not_loaded_here() -> None:
    program = (
        "import sys; import core.formats.hdf5, core.formats.keras_zip; print({'h5py', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "contents", "step", "writer"),
    [
        ("legacy_opt/full.h5", FULL, Sourced(value=2, source="optimizer_weights/Adam/iter:0"), "Adam"),
        ("uncompiled/w.h5", ONLY, None, "Keras 2.12.0"),
        ("w_h5/cp-0003.h5", ONLY, None, "Keras 2.12.0"),
        ("full_h5/cp-0003-0.285.h5", FULL, Sourced(value=6, source="optimizer_weights/iteration:0"), "Adam"),
    ],
)
def test_corpus_of_keras_2_12(name: str, contents: Contents, step: Sourced | None, writer: str) -> None:
    store = keras_files.corpus("keras-2.12")
    facts, variables = hdf5.read(store, name)
    assert (facts.contents, facts.step) == (contents, step)
    assert (facts.writer or "").startswith("Keras 2.12.0")
    assert (facts.writer or "").endswith(writer)
    assert seen(variables) == stored(Path(store.absolute(name)))


def test_corpus_of_determined() -> None:
    store = keras_files.corpus("determined")
    base = "harness/tests/experiment/fixtures/ancient-checkpoints"
    model, variables = hdf5.read(store, f"{base}/0.13.7-keras/determined-keras-model.h5")
    assert (model.contents, model.step) == (FULL, Sourced(value=1, source="optimizer_weights/SGD/iter:0"))
    assert model.writer == "Keras 2.4.0, optimizer SGD"
    assert seen(variables) == stored(Path(store.absolute(f"{base}/0.13.7-keras/determined-keras-model.h5")))
    alone, _ = hdf5.read(store, f"{base}/0.17.6-keras/determined-keras-optimizer-weights.h5")
    assert alone.contents is Contents.UNKNOWN
    assert alone.contents_reason == "it holds an optimizer's state alone; the weights are elsewhere"
    assert alone.step == Sourced(value=1, source="optimizer-0/optimizer_weights/SGD/iter:0")


def test_under_gradient_accumulation_the_step_is_the_one_that_keras_counts(tmp_path: Path) -> None:
    """Keras stores how many batches were seen, and its `iterations` are those divided."""
    shutil.copy(keras_files.folder() / "adam.h5", tmp_path)
    plain = keras_files.checkpoints(tmp_path)["adam.h5"].facts.step
    with h5py.File(tmp_path / "adam.h5", "r+") as file:
        config = json.loads(file.attrs["training_config"])
        config["optimizer_config"]["config"]["gradient_accumulation_steps"] = 4
        file.attrs["training_config"] = json.dumps(config)
    counted = keras_files.checkpoints(tmp_path)["adam.h5"].facts.step
    assert plain is not None
    assert counted is not None
    assert (counted.value, counted.source.partition("; ")[2]) == (
        plain.value // 4,
        f"{plain.value:,} batches, of which 4 make a step",
    )

"""Every format that Keras 3, tf-keras and TensorFlow write, as a scan reads it: the models say what they saved."""

import os
from pathlib import Path
from types import ModuleType

import h5py
import pytest

from core.base.facts import Contents, Facts, Format, Role, Sourced
from core.base.records import Checkpoint, SavedAtSource
from core.formats.bundle_index import GRAPH_KEY
from tests.formats.test_hdf5 import seen, stored
from tests.support import keras_files

FULL, BOTH, ONLY, EXPORT = (
    Contents.FULL_MODEL,
    Contents.WEIGHTS_AND_OPTIMIZER,
    Contents.WEIGHTS_ONLY,
    Contents.EXPORT,
)
ENDINGS = {".keras": Format.KERAS, ".h5": Format.HDF5, ".weights.h5": Format.WEIGHTS_H5}
MODELS = ["plain", "compiled", "momentum", "schedule", "rnn", "adam", "scaled", "mixed"]
MODELS += ["tfk_new", "tfk_legacy", "tfk_legacy_sgd", "tfk_adamw", "tfk_scaled", "tfk_plain"]
SAVED = [(model, ending) for model in MODELS for ending in ENDINGS]
SAVED += [("nested", ".keras"), ("nested", ".weights.h5"), ("bfloat", ".weights.h5")]
# tf-keras' legacy optimizers are left out of its .keras and .weights.h5, without a word.
DROPPED = {(model, ending) for model in ("tfk_legacy", "tfk_legacy_sgd") for ending in (".keras", ".weights.h5")}


@pytest.mark.parametrize(("model", "ending"), SAVED, ids=[model + ending for model, ending in SAVED])
def test_a_scan_reads_what_the_model_says_it_saved(model: str, ending: str) -> None:
    path = keras_files.folder() / (model + ending)
    found, told = keras_files.written()[path.name], keras_files.expected()[model]
    has_optimizer = told["class"] is not None and (model, ending) not in DROPPED
    assert found.format is ENDINGS[ending]
    is_weights = ending == ".weights.h5"
    assert found.facts.contents is ((BOTH if has_optimizer else ONLY) if is_weights else FULL)
    assert found.facts.has_optimizer is has_optimizer
    assert found.facts.has_architecture is not is_weights
    assert found.facts.parameters == told["parameters"]
    assert found.facts.role_bytes.weights == told["bytes"]
    assert found.saved_at_source is SavedAtSource.MTIME
    assert (found.restorable, found.findings, found.metric) == (True, (), None)
    check_step(path, found.facts, told["step"] if has_optimizer else None)
    check_writer(found.facts, is_weights=is_weights, optimizer=told["class"])
    variables = keras_files.reading(path.parent, found).variables
    weights = sorted([list(v.shape or ()), v.dtype] for v in variables if v.role is Role.WEIGHT)
    assert weights == told["weights"]
    if has_optimizer:
        assert sum(v.role is Role.OPTIMIZER for v in variables) == told["optimizer"]


def check_step(path: Path, facts: Facts, step: int | None) -> None:
    """The step is the optimizer's word, and stands where its source says."""
    assert (facts.step.value if facts.step else None) == step
    if facts.step is not None and path.suffix == ".h5":
        with h5py.File(path) as file:
            assert int(file[facts.step.source.split(" ")[0]][()]) == step


def check_writer(facts: Facts, *, is_weights: bool, optimizer: str | None) -> None:
    """The version and the optimizer's class, which weights files do not tell."""
    if is_weights:
        assert facts.writer is None
        return
    assert facts.writer is not None
    version, _, last = facts.writer.partition(", optimizer ")
    assert version.startswith("Keras ")
    names = {last, last.partition("(")[0]}
    if optimizer == "LossScaleOptimizer" and last == "Adam":
        return  # Keras wrapped it by itself, and keeps what compile() was given
    assert (optimizer or "") in names


@pytest.mark.parametrize("name", sorted(f"{model}{ending}" for model, ending in SAVED if ending != ".keras"))
def test_variables_are_those_that_h5py_finds(name: str) -> None:
    found = keras_files.reading(keras_files.folder(), keras_files.written()[name])
    datasets = stored(keras_files.folder() / name)
    listed = seen(found.variables)
    assert {name: datasets[name] for name in listed} == listed
    twins = set(datasets) - set(listed)  # an inner optimizer's, which stand in the file twice
    assert all(name.startswith("optimizer/vars/") for name in twins)
    assert bool(twins) is (name in ("scaled.weights.h5", "mixed.weights.h5", "tfk_scaled.weights.h5"))


def test_two_optimizers_and_the_architecture() -> None:
    found = keras_files.written()["gan.keras"]
    assert (found.facts.contents, found.facts.has_optimizer, found.facts.parameters) == (FULL, True, 180)
    assert found.facts.step == Sourced(50, "d_optimizer/vars/0 (iterations); g_optimizer/vars/0 is 30")
    assert found.facts.fingerprint == keras_files.written()["gan.weights.h5"].facts.fingerprint


def test_two_optimizers_beside_an_unused_one() -> None:
    found = keras_files.written()["trainer.weights.h5"]
    assert found.facts.step == Sourced(50, "d_optimizer/vars/0 (iterations); g_optimizer/vars/0 is 30")
    assert found.facts.parameters == keras_files.expected()["trainer"]["parameters"]


def test_hdf5_by_the_name_of_keras() -> None:
    found = keras_files.written()["tfk_hdf5.keras"]
    assert (found.format, found.facts.contents) == (Format.HDF5, FULL)
    assert found.facts.step == Sourced(8, "optimizer_weights/iteration:0")


def test_shards_are_one_checkpoint() -> None:
    found = keras_files.written()["sharded.weights.json"]
    told = keras_files.expected()["adam"]
    assert (found.format, len(found.files)) == (Format.WEIGHTS_H5_SHARDED, 5)
    assert (found.facts.contents, found.facts.parameters) == (BOTH, told["parameters"])
    assert found.facts.step == Sourced(told["step"], "optimizer/vars/0 (iterations)")


def test_a_double_backup_is_two_checkpoints_of_one_series() -> None:
    """A kill while the newer is overwritten leaves the older one alone, which the callback goes back to itself."""
    newer, older = (keras_files.written()[f"double/latest.weights.h5{ending}"] for ending in ("", ".bkp"))
    assert (newer.facts.step, newer.facts.epoch) == (
        Sourced(8, "optimizer/vars/0 (iterations)"),
        Sourced(2, "training_metadata.json"),
    )
    assert (older.facts.step, older.facts.epoch) == (
        Sourced(4, "optimizer/vars/0 (iterations)"),
        Sourced(1, "training_metadata.json.bkp"),
    )
    assert (newer.stem, newer.format, newer.facts.fingerprint) == (older.stem, older.format, older.facts.fingerprint)
    assert older.restorable


def test_the_backup_of_tf_keras() -> None:
    found = keras_files.written()["tfk_backup/chief/ckpt-2"]
    assert (found.format, found.facts.contents) == (Format.TF_BUNDLE, BOTH)
    assert found.facts.step == Sourced(8, "model/optimizer/_iterations")
    assert found.facts.epoch == Sourced(1, "ckpt_saved_epoch")
    assert found.facts.parameters == keras_files.expected()["tfk_backup"]["parameters"]
    assert found.saved_at_source is SavedAtSource.STATE_FILE


SAVED_MODELS: dict[str, tuple[Contents, bool, Sourced | None, int]] = {
    "saved_model": (FULL, True, Sourced(8, "optimizer/_iterations"), 90),
    "plain_saved_model": (EXPORT, False, None, 90),
    "export": (EXPORT, False, None, 90),
    "module": (EXPORT, False, None, 6),
    "tfk_saved_model": (FULL, True, Sourced(8, "optimizer/_iterations"), 10),
    "tfk_plain_saved_model": (EXPORT, True, None, 71),
}


@pytest.mark.parametrize("name", SAVED_MODELS)
def test_saved_models(name: str) -> None:
    contents, has_architecture, step, parameters = SAVED_MODELS[name]
    found = keras_files.written()[name]
    assert (found.facts.contents, found.facts.has_architecture) == (contents, has_architecture)
    assert found.facts.has_optimizer is (step is not None)
    assert (found.facts.step, found.facts.parameters) == (step, parameters)
    told = keras_files.expected()
    keras = ", Keras 2" if name.startswith("tfk") else ""
    assert found.facts.writer == f"TensorFlow {told['tensorflow']}{keras}"
    assert found.restorable


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found: ModuleType = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return found


@pytest.mark.parametrize("name", SAVED_MODELS)
def test_saved_models_have_the_variables_that_tensorflow_finds(tf: ModuleType, name: str) -> None:
    reader = tf.train.load_checkpoint(str(keras_files.folder() / name / "variables" / "variables"))
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    shapes.pop(GRAPH_KEY)
    variables = keras_files.reading(keras_files.folder(), keras_files.written()[name]).variables
    assert {v.name: list(v.shape or ()) for v in variables} == shapes
    assert {v.name: v.dtype for v in variables} == {key: types[key].name for key in shapes}
    assert all(v.bytes == reader.get_tensor(v.name).nbytes for v in variables)


def in_corpus(name: str) -> tuple[Path, dict[str, Checkpoint]]:
    root = Path(keras_files.corpus(name).absolute(""))
    return root, keras_files.checkpoints(root)


def test_all_hdf5_of_the_corpus_has_the_variables_that_h5py_finds() -> None:
    counts = {"keras-2.12": 11, "determined": 4}
    for name, count in counts.items():
        root, found = in_corpus(name)
        files = [one for one in found.values() if one.format in (Format.HDF5, Format.WEIGHTS_H5, Format.KERAS)]
        assert len(files) == count
        for one in files:
            assert seen(keras_files.reading(root, one).variables) == stored(root / one.path)
            assert (one.restorable, one.findings) == (True, ())


def test_keras_2_of_the_corpus_in_every_form() -> None:
    """Three epochs of two steps, by ModelCheckpoint; the step, parameters and metric of each."""
    _, found = in_corpus("keras-2.12")
    for epoch in (1, 2, 3):
        full = next(one for path, one in found.items() if path.startswith(f"full_h5/cp-000{epoch}-"))
        weights, hdf5 = found[f"w_h5/cp-000{epoch}.h5"], found[f"full_keras/0{epoch}.keras"]
        saved, bundle = found[f"full_tf/cp-000{epoch}"], found[f"w_tf/cp-000{epoch}.ckpt"]
        for one in (full, hdf5, saved, bundle):
            assert one.facts.step is not None
            assert (one.facts.step.value, one.facts.parameters) == (2 * epoch, 90)
        assert [one.facts.contents for one in (full, hdf5, saved, bundle, weights)] == [FULL, FULL, FULL, BOTH, ONLY]
        assert full.metric == ("metric", float(full.path[-8:-3]))
        assert (weights.facts.parameters, weights.facts.step) == (90, None)
        assert (saved.facts.writer or "").startswith("TensorFlow 2.12")


def test_saved_models_of_the_corpus() -> None:
    for name, path, step in (
        ("Algo-Trading", "saved_model_1/original_df_model", 5590),
        ("Algo-Trading", "saved_model_2/our_df_model", 1110),
    ):
        _, found = in_corpus(name)
        facts = found[path].facts
        assert (facts.contents, facts.parameters) == (FULL, 4897)
        assert facts.step is not None
        assert facts.step.value == step

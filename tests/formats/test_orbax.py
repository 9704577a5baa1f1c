"""Orbax folders, as Keras' OrbaxCheckpoint writes them and as a crash leaves them."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.base.facts import Contents, Facts, ReadProblem, Role, Sourced, Variable
from core.formats import orbax, orbax_json
from core.stores.local import LocalStore
from tests.support import keras_files


def read(root: Path, folder: str) -> tuple[Facts, tuple[Variable, ...]]:
    return orbax.read(LocalStore(str(root)), folder, keras_files.names(root / folder))


def copy(tmp_path: Path, source: str = "orbax/1", name: str = "1") -> Path:
    shutil.copytree(keras_files.folder() / source, tmp_path / name)
    return tmp_path / name


def test_reads_what_keras_saved() -> None:
    root = keras_files.folder()
    facts, variables = read(root, "orbax/1")
    model = keras_files.expected()["orbax"]
    written = json.loads((root / "orbax/1/_CHECKPOINT_METADATA").read_text())["commit_timestamp_nsecs"]
    assert facts.contents is Contents.FULL_MODEL
    assert (facts.has_optimizer, facts.has_architecture, facts.committed) == (True, True, True)
    assert facts.step == Sourced(value=model["step"] - 8, source="optimizer_variables/adam/iteration")
    assert facts.saved_at == datetime.fromtimestamp(written // 10**9, UTC).replace(microsecond=written % 10**9 // 1000)
    assert facts.writer == "Keras 3 (Orbax)"
    assert facts.parameters == model["parameters"]
    weights = sorted([list(v.shape or ()), v.dtype] for v in variables if v.role is Role.WEIGHT)
    assert weights == model["weights"]
    roles = [variable.role for variable in variables]
    assert roles.count(Role.WEIGHT) == len(model["weights"])
    assert roles.count(Role.OPTIMIZER) == model["optimizer"]
    assert facts.variables == len(variables)
    assert "trainable_variables/sequential/dense/kernel" in {variable.name for variable in variables}


def test_weights_only_and_the_series_of_two_steps() -> None:
    root = keras_files.folder()
    facts, variables = read(root, "orbax_weights/0")
    assert (facts.contents, facts.has_optimizer, facts.has_architecture) == (Contents.WEIGHTS_ONLY, False, False)
    assert {variable.name.split("/")[0] for variable in variables} == {"trainable_variables", "non_trainable_variables"}
    assert facts.fingerprint == read(root, "orbax_weights/1")[0].fingerprint
    assert facts.fingerprint != read(root, "orbax/1")[0].fingerprint


def test_keys_are_those_of_the_metadata() -> None:
    root = keras_files.folder()
    leaves = json.loads((root / "orbax/1/pytree/_METADATA").read_text())["tree_metadata"].values()
    keys = {"/".join(part["key"] for part in leaf["key_metadata"]) for leaf in leaves}
    assert {variable.name for variable in read(root, "orbax/1")[1]} == keys


def test_a_folder_that_was_not_renamed_is_not_committed(tmp_path: Path) -> None:
    folder = copy(tmp_path, name="7.orbax-checkpoint-tmp")
    (folder / "pytree").rename(folder / "pytree.orbax-checkpoint-tmp")
    facts, variables = read(tmp_path, folder.name)
    assert (facts.committed, facts.problem) == (False, None)
    assert (facts.step, facts.epoch) == (None, Sourced(value=7, source="folder name, counted from 0"))
    assert len(variables) == 24 + 1
    shutil.rmtree(folder / "pytree.orbax-checkpoint-tmp")
    (folder / "_CHECKPOINT_METADATA").unlink()
    facts, variables = read(tmp_path, folder.name)
    assert (facts.contents, facts.committed, variables) == (Contents.UNKNOWN, False, ())
    assert facts.contents_reason == "no _METADATA says what it holds"


def test_a_whole_one_lacks_only_its_rename(tmp_path: Path) -> None:
    folder = copy(tmp_path, name="7.orbax-checkpoint-tmp-1703334121930256")
    facts, variables = read(tmp_path, folder.name)
    assert facts.problem == ReadProblem(
        kind=orbax.UNRENAMED, file=folder.name, detail="every part of it is whole; its final name is 7"
    )
    assert (facts.committed, len(variables)) == (False, len(read(keras_files.folder(), "orbax/1")[1]))
    assert facts.step == read(keras_files.folder(), "orbax/1")[0].step


@pytest.mark.parametrize(
    ("gone", "section"), [("pytree", "pytree"), ("pytree/manifest.ocdbt", "pytree/manifest.ocdbt")]
)
def test_missing_parts_of_a_committed_one_are_truncated(tmp_path: Path, gone: str, section: str) -> None:
    folder = copy(tmp_path)
    shutil.rmtree(folder / gone) if (folder / gone).is_dir() else (folder / gone).unlink()
    with pytest.raises(TruncatedError) as caught:
        read(tmp_path, "1")
    assert caught.value.section == section


def test_a_tree_of_jax_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "model_300" / "default"
    folder.mkdir(parents=True)
    leaf = {
        "key_metadata": [{"key": "params", "key_type": 2}, {"key": 0, "key_type": 1}],
        "value_metadata": {"value_type": "jax.Array", "skip_deserialize": False, "write_shape": [3, 4]},
    }
    (folder / "params.0").mkdir()
    (folder / "params.0" / ".zarray").write_text('{"zarr_format": 2, "shape": [6, 4], "dtype": "<f4"}')
    (folder / "_METADATA").write_text(json.dumps({"tree_metadata": {"('params', 0)": leaf}}))
    facts, variables = read(tmp_path, "model_300")
    assert facts.contents is Contents.WEIGHTS_ONLY
    assert facts.step == Sourced(value=300, source="folder name")
    assert [(v.name, v.shape, v.role) for v in variables] == [("params/0", (6, 4), Role.WEIGHT)]
    assert facts.writer == "Orbax"


def test_a_folder_without_a_number_has_no_step(tmp_path: Path) -> None:
    source = keras_files.folder() / "jax_items/60/extra"
    for name in ("best", "checkpoint_-0.19632871448993683"):
        shutil.copytree(source, tmp_path / name / "extra")
        facts, _ = read(tmp_path, name)
        assert (facts.step, facts.step_reason) == (None, orbax.NO_STEP)


def test_without_an_optimizer_the_folders_number_is_keras_epoch() -> None:
    facts, _ = read(keras_files.folder(), "orbax_weights/1")
    assert (facts.step, facts.step_reason) == (None, orbax.NO_STEP_OF_KERAS)
    assert facts.epoch == Sourced(value=1, source="folder name, counted from 0")


def test_metrics_are_those_that_the_manager_kept() -> None:
    root = keras_files.folder()
    names = keras_files.names(root / "jax_manager/50")
    assert orbax.metrics(LocalStore(str(root)), "jax_manager/50", names) == {"loss": 0.3}
    (folder,) = [one for path, one in keras_files.written().items() if path == "jax_manager/50"]
    assert folder.metric == ("loss", 0.3)


def test_metadata_cut_anywhere_is_truncated(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    for name in ("_CHECKPOINT_METADATA", "pytree/_METADATA"):
        content = (folder / name).read_bytes()
        for length in keras_files.cuts(len(content), 100):
            (folder / name).write_bytes(content[:length])
            if name == "_CHECKPOINT_METADATA":  # no restore needs it
                facts, variables = read(tmp_path, "1")
                assert variables
                assert facts.saved_at is not None  # told by the database
                continue
            with pytest.raises(TruncatedError) as caught:
                read(tmp_path, "1")
            assert caught.value.section == name
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[]", CorruptError),
        ("{}", CorruptError),
        ('{"tree_metadata": {"a": 3}}', CorruptError),
        ('{"tree_metadata": {"a": {"key_metadata": 7, "value_metadata": {}}}}', CorruptError),
        ("[" * 200_000, CorruptError),
        ("9" * 10_000, CorruptError),
        (json.dumps({"tree_metadata": dict.fromkeys(map(str, range(200_001)))}), TooLargeError),
    ],
    ids=["list", "empty", "number", "keys", "deep", "digits", "many"],
)
def test_hostile_metadata_is_a_typed_error(tmp_path: Path, content: str, error: type[FormatError]) -> None:
    (copy(tmp_path) / "pytree" / "_METADATA").write_text(content)
    with pytest.raises(error) as caught:
        read(tmp_path, "1")
    assert caught.value.section == "pytree/_METADATA"


@pytest.mark.parametrize("value", ["null", "true", "-5", "1e9", str(1 << 62), '"now"'])
def test_a_senseless_time_is_no_time(tmp_path: Path, value: str) -> None:
    (copy(tmp_path) / "_CHECKPOINT_METADATA").write_text(f'{{"commit_timestamp_nsecs": {value}}}')
    assert read(tmp_path, "1")[0].saved_at is None


def test_bytes_beyond_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orbax_json, "MAX_JSON", 1000)
    copy(tmp_path)
    with pytest.raises(TooLargeError):
        read(tmp_path, "1")

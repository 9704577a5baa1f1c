"""A whole checkpoint under a name that nothing goes by: named by the catalog as by a job, and taken by no plan."""

import os
import shutil
import warnings
from pathlib import Path

import pytest

from core.catalog.filters import FindingFilter
from core.retention.policies import KeepLatest, Policy
from core.services import retention
from tests.client.test_client_training import opened
from waypoint_resume.inventory import lying_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras
    import tensorflow as tf

NAMES = ["model.keras.bak", "model.keras~", "model.keras.old.2", "model_before_lunch", "model.keras.tmp", "model.bin"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras model, its weights, and a bundle."""
    folder = tmp_path_factory.mktemp("whole")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    tf.train.Checkpoint(v=tf.Variable([1.0])).write(str(folder / "ckpt-3"))
    return folder


def told(root: Path, rule: str = "renamed-copy") -> dict[str, str]:
    """What health says of files under other names: path to reason."""
    workspace = opened(root)
    found = workspace.reader.findings(FindingFilter(), limit=None)
    workspace.close()
    return {one.finding.path: one.finding.reason for one in found if one.finding.rule == rule}


def test_a_copy_that_is_cut_is_said_to_replace_nothing(tmp_path: Path, whole: Path) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    shutil.copy(whole / "model.keras", run / "model.keras")
    for source, name in (("model.keras", "model.keras.bak"), ("model.weights.h5", "best.h5.old")):
        shutil.copy(whole / source, run / name)
        os.truncate(run / name, 2_000)
    (run / "notes.old").write_bytes((run / "model.keras.bak").read_bytes())  # nothing says that it was a model
    found = told(tmp_path, "damaged-copy")
    assert set(found) == {"run/model.keras.bak", "run/best.h5.old"}
    assert "cannot be read" in found["run/model.keras.bak"]
    assert told(tmp_path) == {}


@pytest.mark.parametrize("name", [*NAMES, "best.h5.old", "weights.save", "ckpt-3.index.bak"])
def test_both_sides_name_it_by_its_content(tmp_path: Path, whole: Path, name: str) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    shutil.copy(whole / "model.keras", run / "other.keras")
    os.truncate(run / "other.keras", 3000)
    if name.startswith("ckpt"):
        shutil.copy(whole / "ckpt-3.data-00000-of-00001", run)
        shutil.copy(whole / "ckpt-3.index", run / name)
    elif name in NAMES:
        shutil.copy(whole / "model.keras", run / name)
    else:
        shutil.copy(whole / "model.weights.h5", run / name)
    assert set(told(tmp_path)) == {f"run/{name}"}
    assert name in {found.path for found in lying_in(run)}


def test_the_only_good_one_is_said_where_nothing_can_be_restored_and_no_plan_takes_it(
    tmp_path: Path, whole: Path
) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    for name in ("model.keras", "model.keras.bak"):
        shutil.copy(whole / "model.keras", run / name)
    os.truncate(run / "model.keras", 3000)
    for path in run.iterdir():
        os.utime(path, (1.7e9, 1.7e9))
    workspace = opened(tmp_path)
    (reason,) = [
        one.finding.reason
        for one in workspace.reader.findings(FindingFilter(), limit=None)
        if one.finding.rule == "nothing-restorable"
    ]
    assert "run/model.keras.bak is whole, under another name" in reason
    plan = retention.plan(workspace, workspace.runs(), Policy(rules=(KeepLatest(1),)))
    workspace.close()
    assert [item.path for one in plan.runs for item in one.items] == []
    keras.models.load_model(shutil.move(run / "model.keras.bak", run / "found.keras"))


def test_what_is_cut_or_another_tools_is_no_copy(tmp_path: Path, whole: Path) -> None:
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    for name in ("model.keras", "cut.keras.bak"):
        shutil.copy(whole / "model.keras", run / name)
    os.truncate(run / "cut.keras.bak", 3000)
    shutil.make_archive(str(run / "notes"), "zip", whole)
    (run / "notes.zip").rename(run / "notes.docx")
    (run / "values.dat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    assert told(tmp_path) == {}

"""Rules of info and warning in real trainings: what is kept aside, what is old, what was lost; asked of TensorFlow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from core.catalog.filters import FindingFilter
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.health.test_health_state_files import tensorflow_latest
from tests.support.training import Trainings

SAVE_WEIGHTS = """
import sys
import keras
for number, compiled in ((1, True), (2, True), (3, False)):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    if compiled:
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
    model.save_weights(f"{sys.argv[1]}/w-{number}.weights.h5")
"""


def rules(workspace: Workspace) -> set[tuple[str, str]]:
    """Path and rule of every finding."""
    workspace.refresh()
    return {(item.finding.path, item.finding.rule) for item in workspace.reader.findings(FindingFilter())}


def test_what_no_state_file_lists_is_never_rotated(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    run = tmp_path / "root" / "run"
    trainings.run("manager", run, saves=3)
    for part in run.glob("ckpt-1.*"):
        shutil.copy2(part, run / part.name.replace("ckpt-1", "kept-1"))
    opened = workspace(tmp_path / "root")
    assert rules(opened) == {("run/kept-1", "untracked")}
    trainings.run("manager", run, saves=8, go_on=False)
    assert (run / "kept-1.index").exists()
    assert ("run/kept-1", "untracked") in rules(opened)


def test_without_a_state_file_tensorflow_finds_nothing(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    run = tmp_path / "root" / "run"
    trainings.run("manager", run, saves=2)
    (run / "checkpoint").unlink()
    assert tensorflow_latest(run) is None
    assert rules(workspace(tmp_path / "root")) == {("run", "no-state")}


def test_a_latest_that_was_set_by_hand_is_told(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    import tensorflow as tf

    run = tmp_path / "root" / "run"
    trainings.run("manager", run, saves=3)
    names = [f"ckpt-{number}" for number in (1, 2, 3)]
    tf.compat.v1.train.update_checkpoint_state(str(run), str(run / "ckpt-2"), [str(run / name) for name in names])
    assert tensorflow_latest(run) == f"{run}/ckpt-2"
    found = rules(workspace(tmp_path / "root"))
    assert ("run/checkpoint", "latest-not-newest") in found
    assert not {rule for _, rule in found} & {"dangling-latest", "dangling-history", "moved-run"}


def test_weights_alone_after_weights_with_an_optimizer(workspace: Opener, tmp_path: Path) -> None:
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", SAVE_WEIGHTS, run], check=True, capture_output=True, env=environment)
    for number in (1, 2, 3):
        os.utime(run / f"w-{number}.weights.h5", (1_700_000_000 + number * 60,) * 2)
    opened = workspace(tmp_path / "root", stale_after=1e9)
    assert rules(opened) == {("run/w-3.weights.h5", "optimizer-lost")}


def test_what_is_old_is_told_and_nothing_else(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    run = tmp_path / "root" / "run"
    trainings.run("manager", run, saves=3)
    for path in run.iterdir():
        os.utime(path, (path.stat().st_mtime - 86_400 * 30,) * 2)
    found = rules(workspace(tmp_path / "root"))
    assert ("run", "stale-run") in found
    assert {rule for _, rule in found} <= {"stale-run", "stale-checkpoint"}

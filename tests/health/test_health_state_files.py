"""State files of real trainings: a run that was moved, checkpoints that are kept outside of the rotation."""

import shutil
from pathlib import Path

from tests.conftest import Opener
from tests.support.training import Trainings, agree, look


def tensorflow_latest(folder: Path) -> str | None:
    """What TensorFlow takes for the latest checkpoint of a folder."""
    import tensorflow as tf

    found: str | None = tf.train.latest_checkpoint(str(folder))
    return found


def test_a_run_with_absolute_paths_is_whole_where_it_was_trained(
    trainings: Trainings, workspace: Opener, tmp_path: Path
) -> None:
    run = tmp_path / "root" / "run"
    trainings.run("saver", run, relative=False)
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == []
    assert tensorflow_latest(run) == f"{run}/model.ckpt-60"


def test_a_run_with_absolute_paths_that_was_moved(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    trained, run = tmp_path / "there" / "run", tmp_path / "root" / "run"
    trainings.run("saver", trained, relative=False)
    run.parent.mkdir()
    trained.rename(run)
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == [("run/checkpoint", "moved-run")]
    assert seen.findings[0].reason.startswith(f"The run was moved: its state file names 3 checkpoints in {trained}")
    assert tensorflow_latest(run) is None
    assert [item.path for item in seen.restorable] == [f"run/model.ckpt-{step}" for step in (40, 50, 60)]


def test_a_run_with_relative_paths_may_be_moved(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    trained, run = tmp_path / "there" / "run", tmp_path / "root" / "run"
    trainings.run("saver", trained, relative=True)
    run.parent.mkdir()
    trained.rename(run)
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == []
    assert tensorflow_latest(run) == f"{run}/model.ckpt-60"


def test_a_manager_writes_relative_paths(trainings: Trainings, workspace: Opener, tmp_path: Path) -> None:
    trained, run = tmp_path / "there" / "run", tmp_path / "root" / "run"
    trainings.run("manager", trained, saves=4)
    shutil.copytree(trained, run)
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == []
    assert tensorflow_latest(run) == f"{run}/ckpt-4"


def test_a_checkpoint_whose_files_went_without_the_state_file(
    trainings: Trainings, workspace: Opener, tmp_path: Path
) -> None:
    run = tmp_path / "root" / "run"
    trainings.run("manager", run, saves=3)
    for part in run.glob("ckpt-3.*"):
        part.unlink()
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == [("run/checkpoint", "dangling-latest")]
    assert tensorflow_latest(run) is None


def test_what_keep_checkpoint_every_n_hours_preserves_is_whole(
    trainings: Trainings, workspace: Opener, tmp_path: Path
) -> None:
    """The state file does not list it any more, and TensorFlow never deletes it."""
    run = tmp_path / "root" / "run"
    trainings.run("manager", run, keep=2, saves=8, hours=1e-9)
    listed = (run / "checkpoint").read_text(encoding="utf-8")
    seen = look(workspace(tmp_path / "root", write_grace=0))
    agree(tmp_path / "root", seen)
    assert seen.rules == []
    assert [item.path for item in seen.restorable] == [f"run/ckpt-{number}" for number in range(1, 9)]
    assert [number for number in range(1, 9) if f'paths: "ckpt-{number}"' not in listed] == list(range(1, 7))

"""The files of tf.data's cache in a run: no checkpoint for the dashboard, and none for a job."""

from pathlib import Path

import tensorflow as tf

from tests.conftest import Opener
from waypoint_resume.checkpoints import find_checkpoints
from waypoint_resume.data_cache import is_data_cache


def test_a_cache_of_tf_data_is_no_checkpoint(tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root" / "a"
    (run / "cache").mkdir(parents=True)
    rows = tf.data.Dataset.from_tensor_slices(([[1.0, 2.0]] * 12, list(range(12))))
    assert len(list(rows.cache(str(run / "cache" / "train")))) == 12
    # What a kill within the first epoch leaves.
    (run / "cache" / "gone_0.data-00000-of-00001.tempstate123").write_bytes(b"x" * 100)
    (run / "cache" / "gone_0.lockfile").write_bytes(b"")
    for name in ("0_0", "w"):  # variables may have such names
        tf.raw_ops.SaveV2(prefix=str(run / f"by-{name}"), tensor_names=[name], shape_and_slices=[""], tensors=[[1.0]])
    names = {"by-0_0", "by-w"}
    assert (run / "cache" / "train.index").exists()
    assert is_data_cache(run / "cache" / "train.index")
    assert {item.path for item in find_checkpoints(run)} == names
    opened = workspace(tmp_path / "root")
    opened.refresh()
    found = opened.find_run("a")
    assert {item.path.rpartition("/")[2] for item in opened.members(found.root, "a")} == names
    assert [run.path for run in opened.runs()] == ["a"]


def test_a_folder_of_nothing_but_a_cache_is_no_run(tmp_path: Path, workspace: Opener) -> None:
    (tmp_path / "root" / "data").mkdir(parents=True)
    assert list(tf.data.Dataset.range(3).cache(str(tmp_path / "root" / "data" / "train")))
    opened = workspace(tmp_path / "root")
    opened.refresh()
    assert not opened.runs()

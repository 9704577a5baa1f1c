"""A save of TensorFlow that was killed between its only part and the last rename: TensorFlow restores the part."""

from pathlib import Path

from core.fs.local import LocalStorage
from core.health.runs import judge_run
from core.index.folder import FolderTask, read_folder
from core.model import Leftover
from core.scan.walk import look
from tests.writers import run_together

PROGRAM = """
import os, sys
import tensorflow as tf
prefix = sys.argv[1] + "/ckpt-2_temp/part-00000-of-00001"
os.makedirs(os.path.dirname(prefix))
tf.train.Checkpoint(w=tf.Variable([2.0])).write(prefix)
found = tf.Variable([0.0])
tf.train.Checkpoint(w=found).read(prefix).assert_consumed()
assert found.numpy() == [2.0]
"""


def leftover(root: Path) -> Leftover:
    storage = LocalStorage(str(root))
    task = FolderTask(root="r", run="", listing=look(storage, ""), known=(), now_ns=1 << 62, grace_ns=0)
    (found,) = read_folder(storage, task).leftovers
    return found


def test_a_whole_part_is_no_leftover_of_a_save_that_did_not_finish(tmp_path: Path) -> None:
    run_together([["-c", PROGRAM, str(tmp_path)]])
    found = leftover(tmp_path)
    assert (found.path, found.rule) == ("ckpt-2_temp", "unrenamed-save")
    assert "ckpt-2_temp/part-00000-of-00001 has index and data" in found.reason
    assert list(judge_run(".", [], [found])) == []  # nobody is told to start the job anew
    (tmp_path / "ckpt-2_temp/part-00000-of-00001.index").unlink()
    assert leftover(tmp_path).rule == "interrupted-save"

"""A save of TensorFlow that was killed between its only part and the last rename: TensorFlow restores the part."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.base.records import Leftover
from core.cli.app import app
from core.health.runs import judge_run
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderTask
from core.runs.walk import look
from core.stores.local import LocalStore
from tests.support.pages import open_on, plain, show, values
from tests.support.writers import run_together
from waypoint_resume.names import short_id

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
    store = LocalStore(str(root))
    task = FolderTask(root="r", run="", listing=look(store, ""), known=(), now_ns=1 << 62, grace_ns=0)
    (found,) = read_folder(store, task).leftovers
    return found


def test_a_whole_part_is_no_leftover_of_a_save_that_did_not_finish(tmp_path: Path) -> None:
    run_together([["-c", PROGRAM, str(tmp_path)]])
    found = leftover(tmp_path)
    assert (found.path, found.rule) == ("ckpt-2_temp", "unrenamed-save")
    assert "ckpt-2_temp/part-00000-of-00001 has index and data" in found.reason
    assert list(judge_run(".", [], [found])) == []  # nobody is told to start the job anew
    (tmp_path / "ckpt-2_temp/part-00000-of-00001.index").unlink()
    assert leftover(tmp_path).rule == "interrupted-save"


def test_a_part_whose_data_were_renamed_says_where_its_index_belongs(tmp_path: Path) -> None:
    run_together([["-c", PROGRAM, str(tmp_path)]])
    part = tmp_path / "ckpt-2_temp/part-00000-of-00001"
    os.rename(f"{part}.data-00000-of-00001", tmp_path / "ckpt-2.data-00000-of-00001")
    store = LocalStore(str(tmp_path))
    task = FolderTask(root="r", run="", listing=look(store, ""), known=(), now_ns=1 << 62, grace_ns=0)
    found = read_folder(store, task).leftovers
    assert {one.path: one.rule for one in found} == dict.fromkeys(("ckpt-2", "ckpt-2_temp"), "unrenamed-save")
    assert all(f"{part.relative_to(tmp_path)}.index is: moved to ckpt-2.index" in one.reason for one in found)


def test_latest_and_the_run_page_tell_from_what_a_job_goes_on(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_together([["-c", PROGRAM, str(runs / "a")]])
    for path in (runs / "a/ckpt-2_temp", *(runs / "a/ckpt-2_temp").iterdir()):
        os.utime(path, (1e9, 1e9))
    told = (
        "ckpt-2_temp/part-00000-of-00001 has index and data: if whole, TensorFlow restores it by this prefix, and "
        "waypoint_resume goes on from it where nothing else can be restored."
    )
    page = show(open_on(monkeypatch, runs), "run.py", root=short_id(str(runs)), run="a")
    assert told in " ".join(map(plain, values(page, "info")))
    done = CliRunner().invoke(app, ["latest", "a", "--root", str(runs)])
    assert done.exit_code == 3
    assert f"No checkpoint of a can be restored. {told}" in " ".join(done.output.split())

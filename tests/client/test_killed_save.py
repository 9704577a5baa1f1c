"""The first save of a job, killed before TensorFlow gave it its name: the next start goes on from it by itself."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from tests.support.jobs import job_server
from waypoint_resume import MismatchError, ResumeError, resume
from waypoint_resume.checkpoints import name_of_save

JOB = Path(__file__).with_name("killed_save_job.py")
PART = "ckpts/ckpt-1_temp/part-00000-of-00001"
SHARD = "data-00000-of-00001"


def job(run: Path, killed: int = 0) -> tuple[int, dict[str, Any], str]:
    """One life of the job: how it ended, what it said of its start, and what it logged."""
    done = job_server("keras").run(JOB, run, run.parent / f"{run.name}.txt", killed)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def steps(run: Path) -> list[str]:
    """The losses that a job noted in all its lives."""
    return (run.parent / f"{run.name}.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first save was killed."""
    run = tmp_path_factory.mktemp("runs") / "killed"
    assert job(run, killed=1)[0] == -9
    assert sorted(path.name for path in (run / "ckpts").rglob("*") if path.is_file()) == [
        f"part-00000-of-00001.{SHARD}",
        "part-00000-of-00001.index",
    ]
    return run


def a_copy(killed: Path, target: Path) -> Path:
    """The same elsewhere, as a job on another machine finds it."""
    shutil.copytree(killed, target, ignore=shutil.ignore_patterns("lease*.json"))
    return target


def test_the_next_start_goes_on_from_it_and_leaves_it_where_it_is(killed: Path, tmp_path: Path) -> None:
    run = a_copy(killed, tmp_path / "again")
    before = {path: path.read_bytes() for path in (run / "ckpts/ckpt-1_temp").iterdir()}
    assert job(run, killed=1)[0] == -9  # in the first save of this life, ckpt-2
    assert {path: path.read_bytes() for path in before} == before
    shutil.rmtree(run / "ckpts/ckpt-2_temp")  # and that one lost: there is the former one still
    status, said, log = job(run)
    assert (status, said["source"], said["step"], said["is_exact"]) == (0, PART, 2, True)
    assert any("ckpts/ckpt-1, before TensorFlow gave it its name" in text for text in said["warnings"])
    assert f"Restored {PART}, step 2 (no manifest, and nothing else can be restored)" in log
    receipts = [json.loads(path.read_text()) for path in (run / ".waypoint/receipts").iterdir()]
    assert [(item["source"], item["step"], item["files"]) for item in receipts] == [(PART, 2, 2)] * 2
    unbroken = tmp_path / "unbroken"
    assert job(unbroken)[0] == 0
    trained = (killed.parent / "killed.txt").read_text().splitlines()
    assert sorted({*trained, *steps(run)}) == steps(unbroken)
    assert {path: path.read_bytes() for path in before} == before
    assert job(run)[1]["source"] == "ckpts/ckpt-3"  # what has its name goes first


def objects(units: int) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """What the job saves, with a model of so many units."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(units)])
    optimizer = keras.optimizers.Adam(0.1)
    return tf.train.Checkpoint(model=model, optimizer=optimizer, step=tf.Variable(0, dtype=tf.int64))


@pytest.mark.usefixtures("one_job")
def test_what_cannot_be_proven_is_refused_and_what_is_proven_damaged_is_a_fresh_start(
    killed: Path, tmp_path: Path
) -> None:
    def started(name: str, units: int = 2, folder: str = "ckpts") -> Any:  # noqa: ANN401 - a Start
        run = tmp_path / name
        manager = tf.train.CheckpointManager(objects(units), run / folder, max_to_keep=3)
        start = resume(run, manager=manager)
        start.give_back()
        return start

    a_copy(killed, tmp_path / "other-model")
    with pytest.raises(MismatchError, match=PART):
        started("other-model", units=3)
    a_copy(killed, tmp_path / "other-manager")
    with pytest.raises(ResumeError, match="ckpts/ckpt-1_temp: it is a whole save"):
        started("other-manager", folder="elsewhere")
    temp = a_copy(killed, tmp_path / "two-parts") / "ckpts/ckpt-1_temp"
    for path in list(temp.iterdir()):
        ending = path.name[len("part-00000-of-00001") :]
        for number in (0, 1):
            shutil.copy(path, temp / f"part-{number:05}-of-00002{ending}")
        path.unlink()
    with pytest.raises(ResumeError, match="ckpts/ckpt-1_temp: it is a whole save"):
        started("two-parts")
    shard = a_copy(killed, tmp_path / "damaged") / f"{PART}.{SHARD}"
    shard.write_bytes(bytes(len(shard.read_bytes())))
    start = started("damaged")
    assert start.source is None
    (told,) = start.warnings
    assert told.startswith(f"{PART} is passed over, it cannot be restored")


@pytest.mark.usefixtures("one_job")
def test_a_model_alone_takes_it_and_a_finished_save_goes_first(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "epoch-03_temp").mkdir(parents=True)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(run / "epoch-03_temp/part-00000-of-00001"))
    start = resume(run, model=model)
    start.give_back()
    assert (start.source, start.epoch) == ("epoch-03_temp/part-00000-of-00001", 3)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(run / "epoch-02"))
    start = resume(run, model=model)
    start.give_back()
    assert start.source == "epoch-02"


@pytest.mark.usefixtures("one_job")
def test_what_the_next_save_writes_over_is_kept_until_that_stands(killed: Path, tmp_path: Path) -> None:
    run = a_copy(killed, tmp_path / "one-name")

    def started() -> Any:  # noqa: ANN401 - a Start
        checkpoint = objects(2)
        start = resume(run, checkpoint=checkpoint)
        start.give_back()
        return start, checkpoint

    assert started()[0].source == PART
    shard = run / f"{PART}.{SHARD}"
    shard.unlink()
    shard.write_bytes(b"another save, killed in the midst")
    start, checkpoint = started()
    assert re.fullmatch(rf"\.waypoint/kept/killed-save-[0-9a-f]+/files/{PART}", start.source)
    assert start.step == 2
    checkpoint.write(str(run / "ckpts/ckpt-1"))
    start, _ = started()
    assert (start.source, list((run / ".waypoint/kept").iterdir())) == ("ckpts/ckpt-1", [])


def test_the_name_that_a_save_would_have_got() -> None:
    assert name_of_save(PART) == "ckpts/ckpt-1"
    assert name_of_save("a_temp/b_temp_0123456789abcdef0123456789abcdef/part-00000-of-00001") == "a_temp/b"
    assert name_of_save("ckpts/ckpt-1") == "ckpts/ckpt-1"

"""After a rewind CSVLogger's file and TensorBoard's show one attempt, as TensorBoard itself reads them."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from core.config.settings import load
from core.resume.manifest import Mode
from core.services.quarantine import undo_batch
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from waypoint_resume import Waypoint, resume
from waypoint_resume.event_files import read_events
from waypoint_resume.timeline import cut_timeline, take_back_cut

STEPS = 4
X, Y = np.linspace(-1, 1, 48, dtype="float32").reshape(16, 3), np.ones((16, 1), "float32")


pytestmark = pytest.mark.usefixtures("one_job")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of four epochs."""
    (tmp_path / "runs/a").mkdir(parents=True)
    fit(tmp_path / "runs/a", [])
    return tmp_path / "runs/a"


def fit(run: Path, more: list[Any], **how: Any) -> Any:  # noqa: ANN401
    """The job that people write: a checkpoint for each epoch, a CSV file, and TensorBoard with all that it logs."""
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callbacks = [
        keras.callbacks.ModelCheckpoint(run / "e-{epoch:02d}.keras"),
        keras.callbacks.CSVLogger(run / "log.csv", append=True),
        keras.callbacks.TensorBoard(run / "logs", update_freq=1, histogram_freq=1, write_graph=False),
    ]
    if how.pop("uses_resume", False):
        start = resume(run, model=model, steps_per_epoch=STEPS)
        callbacks.append(start.guard)
    data = {"batch_size": 4, "shuffle": False, "verbose": 0, "validation_data": (X, Y)}
    return model.fit(X, Y, epochs=how.pop("epochs", 4), callbacks=[*callbacks, *more], **data)


def rewind(run: Path, name: str) -> None:
    """Hand a checkpoint over with the dashboard's own code."""
    with opened(run) as workspace:
        found = workspace.find_run(run.name)
        (picked,) = [one for one in workspace.members(found.root, found.path) if one.path.endswith(name)]
        proposal = propose(workspace, picked, Mode.REWIND)
        resume_from(workspace, picked, proposal, note="", accepted=[w.id for w in proposal.warnings], confirm=run.name)


class opened:  # noqa: N801 - reads as a function
    """A workspace over the run's root, refreshed."""

    def __init__(self, run: Path) -> None:
        settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parent / ".home"})
        self._workspace = Workspace.open(settings)

    def __enter__(self) -> Workspace:
        self._workspace.refresh()
        return self._workspace

    def __exit__(self, *_: object) -> None:
        self._workspace.close()


def scalars(folder: Path) -> dict[str, list[int]]:
    """The steps of each series, as TensorBoard's own reader gives them."""
    reader = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    reader.Reload()
    return {tag: [event.step for event in reader.Tensors(tag)] for tag in reader.Tags()["tensors"]}


def epochs(run: Path) -> list[int]:
    """The first column of the CSV file."""
    with (run / "log.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("uses_resume", [False, True], ids=["Waypoint", "resume"])
def test_after_a_rewind_every_series_and_the_table_hold_one_attempt(run: Path, uses_resume: bool) -> None:
    unbroken = {name: scalars(run / "logs" / name) for name in ("train", "validation")}
    assert sorted(unbroken["train"]["epoch_loss"]) == [0, 1, 2, 3]
    assert len(unbroken["train"]["batch_loss"]) == 4 * STEPS
    rewind(run, "e-02.keras")
    fit(run, [] if uses_resume else [Waypoint(run)], uses_resume=uses_resume)
    assert epochs(run) == [0, 1, 2, 3]
    assert {name: scalars(run / "logs" / name) for name in unbroken} == unbroken


def test_undoing_the_rewind_brings_the_logs_of_before_back(run: Path) -> None:
    before = (run / "log.csv").read_bytes()
    files = {path.name for path in (run / "logs").rglob("*tfevents*")}
    rewind(run, "e-02.keras")
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    start = resume(run, model=model, steps_per_epoch=STEPS)
    assert epochs(run) == [0, 1]
    assert len(list((run / "logs").rglob("*waypoint-cut"))) == 2
    assert start._decision.lease is not None
    start._decision.lease.release()
    with opened(run) as workspace:
        (batch,) = (path.parent.name for path in (run / ".waypoint/rewound").glob("*/journal.json"))
        back = undo_batch(workspace, workspace.find_run(run.name), batch)
    assert back.problems == ()
    assert (run / "log.csv").read_bytes() == before
    assert {path.name for path in (run / "logs").rglob("*tfevents*")} == files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of two attempts that were never cut, and a line that a kill left unfinished."""
    (tmp_path / "log.csv").write_text("epoch,loss\n0,5\n1,4\n2,3\n1,3.5\n2,2.5\n3,2")
    return tmp_path


def test_rows_of_every_attempt_go_and_come_back_beside_what_was_logged_since(folder: Path) -> None:
    cut = cut_timeline(folder, folder, epoch=2, step=None, batch="b", job="night")
    assert cut.rows == {"log.csv": 3}
    assert (folder / "log.csv").read_text() == "epoch,loss\n0,5\n1,4\n1,3.5\n"
    with (folder / "log.csv").open("a") as file:
        file.write("2,9\n")
    (told,) = take_back_cut(folder, folder, "b")
    assert "log.csv was written since" in told
    (beside,) = folder.glob("log-superseded-*.csv")
    assert beside.read_text() == "epoch,loss\n2,3\n1,3.5\n2,2.5\n3,2"
    assert (folder / "log.csv").read_text().endswith("2,9\n")
    assert take_back_cut(folder, folder, "b") == []


@pytest.mark.parametrize(
    "text", ["epoch;loss\nnone;1\n", "step,epoch\n9,9\n", "epochs of note: 12\n", "", "epoch,loss\n0,1\n1,2\n"]
)
def test_other_files_are_left_alone(folder: Path, text: str) -> None:
    (folder / "log.csv").write_text(text)
    assert cut_timeline(folder, folder, epoch=2, step=None, batch=None, job="night").lines() == []
    assert (folder / "log.csv").read_text() == text
    assert not list((folder / ".waypoint").rglob("*.json"))


def test_a_job_of_its_own_loop_is_cut_by_steps_and_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with tf.summary.create_file_writer(str(logs)).as_default():
        for step in range(10):
            tf.summary.scalar("loss", float(step), step=step)
    (path,) = logs.iterdir()
    with path.open("ab") as file:
        file.write(b"\x40\0\0\0\0\0\0\0half")
    assert [event.step for event in read_events(path)] == list(range(10))
    cut = cut_timeline(tmp_path, tmp_path, epoch=1, step=6, batch=None, job="night")
    assert cut.folders == ["logs"]
    assert scalars(logs) == {"loss": [0, 1, 2, 3, 4, 5]}
    (record,) = (tmp_path / ".waypoint/superseded").glob("*.json")
    assert json.loads(record.read_text())["events"] == [f"logs/{path.name}.waypoint-cut"]

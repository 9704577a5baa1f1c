"""fit() itself is the oracle: each checkpoint has the values that it told when that was saved, before and after a
restart, by the job's side and by Keras' own loggers.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from core.services import metrics
from core.services.metrics import Way
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.jobs import job_server

JOB = Path(__file__).with_name("logging_job.py")


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that two starts trained."""
    folder = tmp_path_factory.mktemp(request.param)
    for epochs in (2, 4):
        done = job_server(request.param).run(JOB, request.param, folder, epochs)
        assert done.returncode == 0, done.stderr[-3_000:]
    return folder


@pytest.fixture
def opened(trained: Path, workspace: Opener) -> Workspace:
    found = workspace(trained)
    found.refresh(metrics_seconds=None)
    return found


def told_by(trained: Path) -> dict[str, Any]:
    return json.loads((trained / "history.json").read_text())  # type: ignore[no-any-return]


def test_each_checkpoint_has_what_fit_told_when_it_was_saved(trained: Path, opened: Workspace) -> None:
    run, told = opened.find_run("run"), told_by(trained)
    values = metrics.values_at_checkpoints(opened, run.root, run.path)
    assert len(told["epochs"]) == 4
    for epoch, logs in enumerate(told["epochs"], 1):
        (found,) = (values[path] for path in values if Path(path).name.startswith(f"epoch-{epoch:02}"))
        assert {name: found[name].value for name in logs} == pytest.approx(logs, rel=1e-7)
        assert {found[name].way for name in logs} == {Way.RECORDED}
    assert told["batches"].keys() == {"3", "4"}
    for name, loss in told["batches"].items():
        (middle,) = (values[path] for path in values if Path(path).name.startswith(f"mid-{name}"))
        assert middle["loss"].value == pytest.approx(loss, rel=1e-7)
        assert middle["loss"].way is Way.RECORDED


def test_without_the_jobs_side_its_loggers_tell_the_same(trained: Path, opened: Workspace) -> None:
    run, told = opened.find_run("run"), told_by(trained)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "recorded_logs", lambda *_: {})
        values = metrics.values_at_checkpoints(opened, run.root, run.path, ["val_loss", "loss"])
    for epoch, logs in enumerate(told["epochs"], 1):
        (found,) = (values[path] for path in values if Path(path).name.startswith(f"epoch-{epoch:02}"))
        assert found["val_loss"].value == pytest.approx(logs["val_loss"], rel=1e-6)
        assert found["val_loss"].way is Way.SAME_EPOCH


def test_tensorboard_and_csv_tell_one_metric_of_one_branch(trained: Path, opened: Workspace) -> None:
    run, told = opened.find_run("run"), told_by(trained)
    curve = metrics.curve(opened, run.root, run.path, "val_loss")
    assert curve is not None
    assert [point.value for point in curve.points()] == pytest.approx([one["val_loss"] for one in told["epochs"]])
    assert (len(curve.branches), curve.branches[0].x.tolist()) == (1, [0, 1, 2, 3])
    (best,) = (one for one in metrics.best_checkpoints(opened, run.root, run.path) if "epoch" in one.checkpoint.path)
    lowest = min(range(4), key=lambda epoch: told["epochs"][epoch]["val_loss"])
    assert Path(best.checkpoint.path).name.startswith(f"epoch-{lowest + 1:02}")

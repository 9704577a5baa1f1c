"""What pages and shell ask of a run's metrics: in short, as curves, at checkpoints, the best; runs and checkpoints side
by side.
"""

import json
import shutil
from pathlib import Path

import pytest

from core.services import comparing, metrics, resume
from core.services.metrics import ToldBy, Way
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import save

SAMPLES = Path(__file__).parents[2] / "sample_runs"
LOSSES = {"a": (0.9, 0.4, 0.2, 0.3), "b": (0.8, 0.7, 0.6, 0.5)}


def a_run(root: Path, name: str, losses: tuple[float, ...], lr: float) -> None:
    """A bundle for each of some epochs of 10 steps, Keras' table of them, and the job's settings."""
    for epoch in range(1, len(losses) + 1):
        save(root / name, 10 * epoch, name=f"epoch-{epoch:02}", at_ns=None)
    rows = [f"{epoch},{loss},{loss + 0.1}" for epoch, loss in enumerate(losses)]
    (root / name / "training.csv").write_text("\n".join(["epoch,loss,val_loss", *rows, ""]))
    (root / name / "params.json").write_text(json.dumps({"optimizer": {"lr": lr}, "batch": 32}))


@pytest.fixture
def opened(tmp_path: Path, workspace: Opener) -> Workspace:
    for lr, (name, losses) in enumerate(LOSSES.items(), 1):
        a_run(tmp_path / "runs", name, losses, lr / 100)
    found = workspace(tmp_path / "runs")
    found.refresh()
    return found


def test_a_run_in_short_names_its_best_metric_as_a_guess(opened: Workspace) -> None:
    run = opened.find_run("a")
    found = metrics.metrics(opened, run.root, run.path)
    loss = found.metric("val_loss")
    assert loss is not None
    assert (loss.count, loss.last.value, loss.min.value, loss.min.step, loss.mode) == (4, 0.4, 0.2 + 0.1, 2, "min")
    assert found.best is not None
    assert (found.best.tag, found.best.mode, found.best.told_by) == ("val_loss", "min", ToldBy.GUESS)
    assert {one.name: one.number for one in found.params} == {"optimizer.lr": 0.01, "batch": 32.0}


def test_each_checkpoint_has_the_value_of_its_epoch_and_the_best_is_restorable(opened: Workspace) -> None:
    run = opened.find_run("a")
    values = metrics.values_at_checkpoints(opened, run.root, run.path, ["val_loss"])
    told = {path: (found["val_loss"].value, found["val_loss"].way) for path, found in values.items()}
    assert told == {
        f"a/epoch-{epoch:02}": (round(loss + 0.1, 1), Way.SAME_EPOCH) for epoch, loss in enumerate(LOSSES["a"], 1)
    }
    (best,) = metrics.best_checkpoints(opened, run.root, run.path)
    assert (best.checkpoint.path, best.value.value, best.metric.tag) == ("a/epoch-03", 0.3, "val_loss")


def test_runs_side_by_side_tell_what_differs_first(opened: Workspace) -> None:
    found = comparing.compare_runs(opened, [opened.find_run("a"), opened.find_run("b")])
    assert [(row.name, row.texts, row.differs) for row in found.params] == [
        ("optimizer.lr", ("0.01", "0.02"), True),
        ("batch", ("32", "32"), False),
    ]
    assert [one[0].checkpoint.path for one in found.best] == ["a/epoch-03", "b/epoch-04"]
    row = next(row for row in found.metrics if row.tag == "loss")
    assert [one and one.min.value for one in row.of_runs] == [0.2, 0.5]


def test_two_checkpoints_side_by_side_name_what_a_load_would_miss(opened: Workspace) -> None:
    left, right = (opened.reader.checkpoint(opened.find_run("a").root, f"a/epoch-{number:02}") for number in (1, 2))
    found = comparing.compare_checkpoints(opened, left, right)
    assert found.fits
    assert found.same > 0
    assert found.facts[0].differs
    assert {fact.name for fact in found.facts if fact.differs} >= {"step", "epoch", "saved at"}


def test_what_is_handed_over_names_the_best_so_far(opened: Workspace) -> None:
    run = opened.find_run("a")
    told = {}
    for epoch in (1, 2, 4):
        proposal = resume.propose(opened, opened.reader.checkpoint(run.root, f"a/epoch-{epoch:02}"))
        assert proposal.restore.best_metric is not None
        told[epoch] = proposal.restore.best_metric.model_dump()
    assert told == {
        1: {"name": "val_loss", "value": 1.0, "mode": "min"},
        2: {"name": "val_loss", "value": 0.5, "mode": "min"},
        4: {"name": "val_loss", "value": 0.3, "mode": "min"},
    }
    first = opened.reader.checkpoint(run.root, "a/epoch-01")
    assert resume.propose(opened, first, weights_only=True).restore.best_metric is None


def test_the_value_in_a_name_tells_which_of_two_attempts_saved_it_where_no_time_does(
    tmp_path: Path, workspace: Opener
) -> None:
    """The sample was trained twice over the same epochs, and its files were copied within a moment."""
    shutil.copytree(SAMPLES / "churn-mlp", tmp_path / "runs" / "churn")
    opened = workspace(tmp_path / "runs")
    opened.refresh()
    run = opened.find_run("churn")
    values = metrics.values_at_checkpoints(opened, run.root, run.path, ["val_loss"])
    named = {item.path: item.metric[1] for item in opened.members(run.root, run.path) if item.metric is not None}
    assert len(set(named.values())) > 6  # epochs: several attempts saved the same ones
    assert {path: round(values[path]["val_loss"].value, 3) for path in named} == named

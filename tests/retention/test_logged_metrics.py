"""Plans by what jobs logged: the best by a metric stay, and so does the best that somebody named."""

from pathlib import Path

import pytest

from core.base.direction import Direction
from core.retention.policies import KeepBest, KeepLatest, Policy
from core.services import retention
from core.services.retention import ItemKind
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import save, write

LOSSES = (0.9, 0.2, 0.4, 0.3, 0.8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run of five epochs, the second the best, and a sixth save of which nothing was logged."""
    for epoch in range(1, 7):
        save(tmp_path / "runs" / "a", epoch, name=f"epoch-{epoch:02}")
    rows = [f"{epoch},{loss}\n" for epoch, loss in enumerate(LOSSES)]
    write(tmp_path / "runs" / "a", {"training.csv": ("epoch,val_loss\n" + "".join(rows)).encode()})
    return tmp_path / "runs"


def going(workspace: Workspace, *rules: KeepBest | KeepLatest) -> list[str]:
    """The checkpoints that a plan would move."""
    plan = retention.plan(workspace, workspace.runs(), Policy(rules=rules))
    return sorted(item.path for item in plan.runs[0].items if item.kind is ItemKind.CHECKPOINT)


def test_the_best_by_a_logged_metric_stay_and_so_does_what_was_not_logged(root: Path, workspace: Opener) -> None:
    opened = workspace(root)
    opened.refresh()
    assert going(opened, KeepBest(2, "val_loss", Direction.MIN)) == ["epoch-01", "epoch-03", "epoch-05"]
    assert going(opened, KeepBest(1, "val_loss", Direction.MAX)) == [f"epoch-0{number}" for number in (2, 3, 4, 5)]
    assert going(opened, KeepBest(2, "val_auc", Direction.MIN)) == []


def test_the_best_by_a_metric_that_somebody_named_stays_under_every_policy(root: Path, workspace: Opener) -> None:
    guessed = workspace(root)
    guessed.refresh()
    assert going(guessed, KeepLatest(1)) == [f"epoch-0{number}" for number in (1, 2, 3, 4, 5)]
    opened = workspace(root, metric={"name": "val_loss"})
    assert going(opened, KeepLatest(1)) == [f"epoch-0{number}" for number in (1, 3, 4, 5)]
    (stay,) = (one for one in retention.plan(opened, opened.runs()).runs[0].stays if one.path == "epoch-02")
    assert "the best: the lowest val_loss, 0.2" in stay.reasons

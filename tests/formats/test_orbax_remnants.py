"""A numbered folder in which nothing of a step is left: Orbax takes it for the latest, so it is no silent omission."""

import os
import shutil
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.base.records import SavedAtSource
from core.services.runs import series_choices
from tests.client.test_client_training import opened
from waypoint_resume.checkpoints import find_checkpoints
from waypoint_resume.damage import damage_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import orbax.checkpoint as ocp

TREE = {"params": {"w": np.arange(6.0)}}
TEMP = "default.orbax-checkpoint-tmp"


def saved(run: Path) -> None:
    with ocp.CheckpointManager(run) as manager:
        for step in (10, 20):
            manager.save(step, args=ocp.args.StandardSave(TREE), metrics={"loss": 0.5})
        manager.wait_until_finished()


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def only_a_temporary_item(folder: Path) -> None:
    emptied(folder)
    (folder / TEMP / "d").mkdir(parents=True)
    (folder / TEMP / "d" / "part").write_bytes(b"x")


def only_an_empty_item(folder: Path) -> None:
    emptied(folder)
    (folder / "default").mkdir()


def only_metrics(folder: Path) -> None:
    emptied(folder)
    (folder / "metrics").mkdir()
    (folder / "metrics" / "metrics").write_text('{"loss": 0.5}')


def only_its_mark(folder: Path) -> None:
    mark = (folder / "_CHECKPOINT_METADATA").read_bytes()
    emptied(folder)
    (folder / "_CHECKPOINT_METADATA").write_bytes(mark)


@pytest.mark.parametrize(
    "damage",
    [emptied, only_a_temporary_item, only_an_empty_item, only_metrics, only_its_mark],
    ids=lambda f: f.__name__,
)
def test_the_step_that_orbax_takes_and_cannot_restore_is_passed_over_with_its_reason(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    run = tmp_path / "runs" / "run"
    saved(run)
    damage(run / "20")
    os.utime(run / "20", (2e9, 2e9))  # whatever is left is newer than the step before
    with ocp.CheckpointManager(run) as manager:
        assert manager.latest_step() == 20
        with pytest.raises((ValueError, FileNotFoundError, KeyError)):
            manager.restore(20, args=ocp.args.StandardRestore())
    workspace = opened(tmp_path)
    (choice,) = series_choices(workspace, workspace.runs()[0].root, "run")
    workspace.close()
    assert choice.chosen is not None
    assert choice.chosen.path == "run/10"
    assert [one.checkpoint.path for one in choice.passed_over] == ["run/20"]
    assert choice.passed_over[0].reasons
    assert "20" in {one.path for one in find_checkpoints(run)}
    assert damage_of(run / "20", "orbax") == "none of its arrays is there"


def test_numbered_folders_are_nobodys_without_a_step_beside_them_and_with_anything_else_in_them(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    saved(run)
    (run / "other_40").mkdir()  # not of this manager's steps
    (run / "30" / "images").mkdir(parents=True)
    (run / "30" / "images" / "cat.png").write_bytes(b"x")
    (tmp_path / "runs" / "data" / "40").mkdir(parents=True)
    workspace = opened(tmp_path)
    assert [run.path for run in workspace.runs()] == ["run"]
    found = {item.path for item in workspace.members(workspace.runs()[0].root, "run")}
    workspace.close()
    assert found == {"run/10", "run/20"}
    assert {one.path for one in find_checkpoints(run)} == {"10", "20"}


def test_a_step_without_its_mark_has_the_time_that_its_database_tells(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    before = datetime.now(UTC)
    saved(run)
    (run / "10" / "_CHECKPOINT_METADATA").unlink()
    after = datetime.now(UTC)
    for path in (run / "10").rglob("*"):
        os.utime(path, (2e9, 2e9))  # as a copy does it
    workspace = opened(tmp_path)
    by_path = {item.path: item for item in workspace.members(workspace.runs()[0].root, "run")}
    (choice,) = series_choices(workspace, workspace.runs()[0].root, "run")
    workspace.close()
    assert by_path["run/10"].saved_at_source is SavedAtSource.FORMAT
    assert before <= by_path["run/10"].saved_at <= by_path["run/20"].saved_at <= after
    assert choice.chosen is not None
    assert choice.chosen.path == "run/20"

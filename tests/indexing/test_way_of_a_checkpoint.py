"""The way of a checkpoint from the disk to the Run page: what costs is done once for each folder, file or run."""

from pathlib import Path

import pytest

from core.services.runs import series_choices
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.traced import Way, traced
from tests.support.trees import save, state

FOLDERS, CHECKPOINTS, RUNS = 2, 3, 1


@pytest.fixture
def opened(tmp_path: Path, workspace: Opener) -> Workspace:
    """A root with one run of three checkpoints and a state file, at which nobody has looked."""
    for step in (1, 2, 3):
        save(tmp_path / "runs/a", step)
    state(tmp_path / "runs/a", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3", times=(1.0, 2.0, 3.0))
    return workspace(tmp_path / "runs")


@pytest.fixture
def way(opened: Workspace) -> Way:
    """From a look at the root to what the Run page says."""
    with traced() as way:
        opened.refresh()
        run = opened.find_run("a")
        (choice,) = series_choices(opened, run.root, run.path)
    assert [item.path for item in choice.members] == ["a/ckpt-3", "a/ckpt-2", "a/ckpt-1"]
    return way


def test_each_computation_is_made_once(way: Way) -> None:
    expected = {
        "core.runs.walk.look": FOLDERS,
        "core.runs.group.group": FOLDERS,
        "core.formats.state_file.read": 1,
        "core.formats.bundle_reader.read": CHECKPOINTS,
        "core.health.files.judge": CHECKPOINTS,
        "core.runs.series.arrange": RUNS,
        "core.indexing.rollup.roll_up": RUNS,
        "core.indexing.judging.judge": RUNS,
        "core.runs.choice.choose": RUNS,
    }
    assert {function: way.functions[function] for function in expected} == expected


def test_a_second_look_reads_what_came_and_judges_its_folder_once(opened: Workspace, tmp_path: Path) -> None:
    opened.refresh()
    save(tmp_path / "runs/a", 4)
    of_change = {
        "core.runs.group.group": 1,
        "core.formats.state_file.read": 1,
        "core.formats.bundle_reader.read": 1,
        "core.health.files.judge": CHECKPOINTS + 1,  # what stands beside a file may have changed, too
        "core.runs.series.arrange": RUNS,
        "core.indexing.judging.judge": RUNS,
    }
    for expected in (of_change, dict.fromkeys(of_change, 0)):
        with traced() as way:
            opened.refresh()
        assert {function: way.functions[function] for function in expected} == expected
        assert way.functions["core.runs.walk.look"] == FOLDERS

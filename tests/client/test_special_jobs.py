"""Jobs of other kinds, killed and started again in real trainings: what docs/resume.md says of each."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.resume.history import ManifestState
from core.resume.manifest import Mode
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.training import Trainings

KILLED_IN, STEPS = 3, 4
Told = dict[str, Any]


class Jobs:
    """Trainings of one kind of job in the run `a` below a root, and unbroken ones elsewhere."""

    def __init__(self, process: Trainings, folder: Path) -> None:
        self.process, self.folder, self.run = process, folder, folder / "root" / "a"

    def train(self, kind: str, run: Path | None = None, **arguments: object) -> Told:
        """One training to its end, by kill or not; what it noted, {} for a killed one."""
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        asked = {"kind": kind, "result": str(result), **arguments}
        self.process.start("train", run or self.run, **asked)
        assert self.process.end() == ("-9" if "kill" in arguments else "0")
        found: Told = json.loads(result.read_text()) if result.exists() else {}
        return found

    def whole(self, kind: str) -> Told:
        """Six epochs in one go."""
        return self.train(kind, self.folder / "whole")


@pytest.fixture
def process() -> Iterator[Trainings]:
    """The trainings of these tests; none goes on after its test."""
    made = Trainings("special_job.py")
    yield made
    made.stop()


@pytest.fixture
def jobs(process: Trainings, tmp_path: Path) -> Jobs:
    """Jobs in a folder of their own."""
    return Jobs(process, tmp_path)


HandOver = Callable[..., Workspace]


@pytest.fixture
def hand_over(tmp_path: Path, workspace: Opener) -> HandOver:
    """Hands a checkpoint of the run `a` over, by its file's name, with the dashboard's own code."""

    def handed(name: str, mode: Mode = Mode.CONTINUE, **overrides: float) -> Workspace:
        opened = workspace(tmp_path / "root")
        opened.refresh()
        found = opened.find_run("a")
        [picked] = [item for item in opened.members(found.root, "a") if Path(item.path).name == name]
        proposal = propose(opened, picked, mode)
        accepted = [warning.id for warning in proposal.warnings]
        resume_from(opened, picked, proposal, note="", accepted=accepted, overrides=overrides, confirm="a")
        return opened

    return handed


def state(workspace: Workspace) -> ManifestState:
    """What became of the run's newest manifest."""
    return run_manifests(workspace, workspace.find_run("a").root, "a")[0].state


def settings(told: Told) -> list[float]:
    """The loss scale or the learning rate after each step."""
    return [value for _, value in told["steps"]]


@pytest.mark.parametrize(
    ("kind", "picked"), [("mixed", "epoch-3.keras"), ("schedule", "epoch-3.keras"), ("loop", "ckpt-3")]
)
def test_it_goes_on_bit_for_bit(jobs: Jobs, hand_over: HandOver, kind: str, picked: str) -> None:
    whole = jobs.whole(kind)
    jobs.train(kind, kill=KILLED_IN)
    workspace = hand_over(picked)
    resumed = jobs.train(kind, goes_on=True)
    assert (Path(resumed["source"]).name, resumed["step"]) == (picked, KILLED_IN * STEPS)
    assert resumed["steps"] == whole["steps"][KILLED_IN * STEPS :]
    assert resumed["values"] == whole["values"]
    assert state(workspace) is ManifestState.FINISHED
    if kind != "loop":  # scale and learning rate had moved on before the kill, and did so afterwards
        assert len(set(settings(whole)[: KILLED_IN * STEPS])) > 1
        assert len(set(settings(resumed))) > 1


def test_an_override_of_a_scheduled_learning_rate_is_refused_and_trains_nothing(
    jobs: Jobs, hand_over: HandOver
) -> None:
    jobs.train("schedule", kill=1)
    workspace = hand_over("epoch-1.keras", learning_rate=0.5)
    refused = jobs.train("schedule", goes_on=True)
    assert "learning_rate: the optimizer follows a schedule, which cannot be assigned to" in refused["error"]
    assert refused["steps"] == []
    assert state(workspace) is ManifestState.CLAIMED
    hand_over("epoch-1.keras")
    assert jobs.train("schedule", goes_on=True)["step"] == STEPS


def test_dropout_gets_its_weights_and_optimizer_and_is_told_of_the_random_numbers(
    jobs: Jobs, hand_over: HandOver
) -> None:
    first = jobs.train("dropout", epochs=KILLED_IN)
    workspace = hand_over("epoch-3.keras")
    resumed = jobs.train("dropout", goes_on=True)
    assert resumed["step"] == KILLED_IN * STEPS
    assert resumed["restored"] == first["values"]
    told = "random generators begin anew (so Dropout and shuffling go another way)"
    assert any(told in text for text in resumed["warnings"])
    assert resumed["steps"] != jobs.whole("dropout")["steps"][KILLED_IN * STEPS :]  # other units are dropped
    assert state(workspace) is ManifestState.FINISHED


def test_backup_and_restore_does_not_restore_over_what_was_picked(jobs: Jobs, hand_over: HandOver) -> None:
    whole = jobs.whole("backup")
    jobs.train("backup", kill=KILLED_IN, backup=True)
    workspace = hand_over("epoch-2.keras")  # the backup is of the third epoch
    resumed = jobs.train("backup", goes_on=True, backup=True)
    assert (resumed["source"], resumed["steps"]) == ("models/epoch-2.keras", whole["steps"][2 * STEPS :])
    assert resumed["values"] == whole["values"]
    assert state(workspace) is ManifestState.FINISHED


def test_a_rewind_sets_the_backup_aside_and_the_job_keeps_its_callback(jobs: Jobs, hand_over: HandOver) -> None:
    whole = jobs.whole("backup")
    jobs.train("backup", kill=KILLED_IN, backup=True)
    backup = {path.name: path.read_bytes() for path in (jobs.run / "backup").iterdir()}
    hand_over("epoch-2.keras", Mode.REWIND)
    resumed = jobs.train("backup", goes_on=True, backup=True)
    assert (resumed["source"], resumed["steps"]) == ("models/epoch-2.keras", whole["steps"][2 * STEPS :])
    assert resumed["values"] == whole["values"]
    [aside] = (jobs.run / ".waypoint/rewound").glob("*/files/backup")
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == backup

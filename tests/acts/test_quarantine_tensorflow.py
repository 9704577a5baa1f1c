"""TensorFlow's CheckpointManager beside quarantine: a live one loses nothing, a later one rotates only its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.acts.batches import batches
from core.acts.journal import Stage
from core.acts.purge import purge
from core.base.facts import Format
from core.retention.planned import ItemKind
from core.retention.policies import KeepLatest, Policy
from core.runfolder.pins import pin
from core.runfolder.run_folder import RunFolder
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.quarantine_cases import Case, in_quarantine
from tests.support.resume_cases import NOW
from tests.support.training import Trainings, why_not
from tests.support.trees import START_NS, write

RUN = "a"


def prefixes(folder: Path) -> set[str]:
    return {name.removesuffix(".index") for name in os.listdir(folder) if name.endswith(".index")}


def let_age(folder: Path) -> None:
    """The run was last written long ago."""
    for number, path in enumerate(sorted(folder.rglob("*"), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, ns=(START_NS + number * 10**9, START_NS + number * 10**9))


@pytest.mark.soak
def test_a_manager_that_goes_on_saving_loses_nothing(
    tmp_path: Path, trainings: Trainings, workspace: Opener, more: int
) -> None:
    folder = tmp_path / "runs" / RUN
    opened: Workspace = workspace(tmp_path / "runs", write_grace=1.0)
    case = Case(
        root=tmp_path / "runs", run=RUN, policy=Policy(rules=(KeepLatest(1),), leftovers_after=3600.0), workspace=opened
    )
    trainings.start("manager", folder, keep=3)
    trainings.wait_for(3)
    for number in range(3 * more):
        write(folder, {f"ckpt-9{number:04}.data-00000-of-00002": b"orphan"})
        write(folder / f"ckpt-8{number:04}_temp", {"part-00000-of-00001.data-00000-of-00001": b"temp"})
        saves = trainings.saves
        plan = case.plan()
        assert plan.is_live
        assert {item.kind for item in plan.items} <= {ItemKind.LEFTOVER}
        assert {f"ckpt-9{number:04}", f"ckpt-8{number:04}_temp"} <= {item.path for item in plan.items}
        done = case.go(plan)
        assert done.journal is not None
        assert done.journal.states == ()
        assert {"ckpt-9", "ckpt-8"} == {name[:6] for name in in_quarantine(folder)}
        trainings.wait_for(saves + 4)
        if number % 2:
            case.undo(done.journal.id)
            shutil.rmtree(folder / f"ckpt-8{number:04}_temp")
            (folder / f"ckpt-9{number:04}.data-00000-of-00002").unlink()
        else:
            purge(case.run_folder, done.journal.id, confirm=RUN, actor="ada", now=NOW)
    saves = trainings.kill()
    # All that it kept: the last three, one more if the kill came between a save and the rotation.
    last = {f"ckpt-{number}" for number in range(saves - 2, saves + 1)}
    whole = {name for name in prefixes(folder) if why_not(folder / name) is None}
    assert len(last & whole) >= 2
    assert f"ckpt-{saves}" in whole
    assert whole <= {f"ckpt-{number}" for number in range(saves - 3, saves + 2)}
    assert {batch.stage for batch in batches(folder).batches} == {Stage.PURGED, Stage.UNDONE}


@pytest.fixture
def idle(tmp_path: Path, trainings: Trainings, workspace: Opener) -> Case:
    """A run that ended: ckpt-3 to ckpt-6 listed, and ckpt-90, which the manager does not know."""
    folder = tmp_path / "runs" / RUN
    trainings.run("manager", folder, keep=4, saves=6)
    for path in list(folder.glob("ckpt-3.*")):
        shutil.copy2(path, folder / path.name.replace("ckpt-3.", "ckpt-90."))
    let_age(folder)
    pin(RunFolder.alone(folder), "ckpt-90", Format.TF_BUNDLE, actor="ada", now=NOW)
    assert prefixes(folder) == {"ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6", "ckpt-90"}
    return Case(
        root=tmp_path / "runs", run=RUN, policy=Policy(rules=(KeepLatest(2),)), workspace=workspace(tmp_path / "runs")
    )


def went(case: Case) -> str:
    """Quarantine what the policy lets go."""
    done = case.go()
    assert done.journal is not None
    assert {item.path for item in done.journal.items} == {"ckpt-3", "ckpt-4"}
    return done.journal.id


def forward(case: Case) -> set[str]:
    """Quarantine; what a manager may delete from then on."""
    went(case)
    return {"ckpt-5", "ckpt-6"}


def there_and_back(case: Case) -> set[str]:
    case.undo(went(case))
    return {"ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6"}


@pytest.mark.parametrize("way", [forward, there_and_back])
def test_a_manager_started_afterwards_rotates_only_what_the_old_state_file_listed(
    idle: Case, trainings: Trainings, way: Callable[[Case], set[str]]
) -> None:
    listed = way(idle)
    held, before = in_quarantine(idle.folder), prefixes(idle.folder)
    assert trainings.run("manager", idle.folder, keep=3, saves=5, go_on=True) == 5
    deleted = before - prefixes(idle.folder)
    assert deleted == listed
    assert "ckpt-90" in prefixes(idle.folder)
    assert in_quarantine(idle.folder) == held
    assert len(prefixes(idle.folder)) == 1 + 3


def test_what_came_back_can_be_read(idle: Case) -> None:
    before = {name: why_not(idle.folder / name) for name in prefixes(idle.folder)}
    assert set(before.values()) == {None}
    batch = went(idle)
    gone = before.keys() - prefixes(idle.folder)
    assert gone
    assert all(why_not(idle.folder / name) is not None for name in gone)
    idle.undo(batch)
    assert {name: why_not(idle.folder / name) for name in prefixes(idle.folder)} == before

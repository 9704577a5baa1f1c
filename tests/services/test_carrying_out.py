"""What pages and commands share when they carry a plan out: run by run, each with its answer, by whoever acts."""

import shutil
from pathlib import Path

import pytest

from core.retention.policies import KeepLatest, Policy
from core.services import quarantine, retention
from tests.conftest import Opener
from tests.support.trees import save

KEEP_ONE = Policy(rules=(KeepLatest(1),))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs of two checkpoints each."""
    for run in ("a", "b", "c"):
        for step in (1, 2):
            save(tmp_path / "runs" / run, step)
    return tmp_path / "runs"


def test_a_run_that_fails_does_not_keep_the_others_from_theirs(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    plan = retention.plan(opened, opened.runs(), KEEP_ONE)
    shutil.rmtree(runs / "b")
    opened.refresh()
    parts = list(quarantine.carry_out(opened, plan.runs, policy=KEEP_ONE))
    assert [(part.planned.run, part.done is None, part.is_full) for part in parts] == [
        ("a", False, False),
        ("b", True, False),
        ("c", False, False),
    ]
    assert [part.problem is None for part in parts] == [True, False, True]
    assert sorted(path.name for path in runs.glob("[ac]/*.index")) == ["ckpt-2.index", "ckpt-2.index"]


def test_batches_of_several_runs_come_back_in_one_go(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    plan = retention.plan(opened, opened.runs(), KEEP_ONE)
    places = [
        (part.planned.root, part.planned.run, part.done.journal.id)
        for part in quarantine.carry_out(opened, plan.runs, policy=KEEP_ONE)
        if isinstance(part.done, quarantine.Quarantined) and part.done.journal is not None
    ]
    assert [back.files for back in quarantine.undo_batches(opened, places)] == [2, 2, 2]
    assert len(list(runs.glob("*/ckpt-1.index"))) == 3


def test_an_act_bears_the_name_of_whoever_acts(runs: Path, workspace: Opener) -> None:
    opened = workspace(runs)
    opened.refresh()
    plan = retention.plan(opened, opened.runs(), KEEP_ONE)
    list(quarantine.carry_out(opened.acting_as("grace"), plan.runs[:1], policy=KEEP_ONE))
    list(quarantine.carry_out(opened, plan.runs[1:2], policy=KEEP_ONE))
    by = {run.path: [one.by for one in quarantine.run_batches(opened, run).batches] for run in opened.runs()}
    assert by == {"a": ["grace"], "b": ["ada"], "c": []}

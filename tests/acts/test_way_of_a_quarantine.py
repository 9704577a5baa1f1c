"""The way of a quarantine click: how many modules of the project a reader has to know to follow it."""

from pathlib import Path

import pytest

from core.retention.policies import KeepLatest, Policy
from core.services import quarantine, retention
from tests.conftest import Opener
from tests.support.traced import Way, traced
from tests.support.trees import save, state

KEEP_ONE = Policy(rules=(KeepLatest(1),))
ROOMS = ("services", "retention", "acts", "mend", "runfolder", "resume")  # what decides and acts; the rest is asked
MOST_DECIDING = 20
MOST_OF_CORE = 43
MOST_CHANGES = 790


@pytest.fixture
def way(tmp_path: Path, workspace: Opener) -> Way:
    """From the plan of a run with three checkpoints and a state file to the end of the batch that takes two of them."""
    for step in (1, 2, 3):
        save(tmp_path / "runs/a", step)
    state(tmp_path / "runs/a", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3", times=(1.0, 2.0, 3.0))
    opened = workspace(tmp_path / "runs")
    opened.refresh()
    run = opened.find_run("a")
    with traced() as way:
        (planned,) = retention.plan(opened, [run], KEEP_ONE).runs
        done = quarantine.execute(opened, run, planned, policy=KEEP_ONE, note="old")
    assert done.journal is not None
    assert [item.path for item in done.journal.items] == ["ckpt-1", "ckpt-2"]
    assert done.left_out == ()
    return way


def test_a_quarantine_enters_few_modules_and_changes_module_seldom(way: Way) -> None:
    told = "\n".join(f"{count:5} {name}" for name, count in sorted(way.entered.items()))
    of_core = [name for name in way.entered if name.startswith("core.")]
    deciding = [name for name in of_core if name.split(".")[1] in ROOMS]
    assert len(deciding) <= MOST_DECIDING, told
    assert len(of_core) <= MOST_OF_CORE, told
    assert way.changes <= MOST_CHANGES, told


def test_no_call_goes_back_up(way: Way) -> None:
    of_services = [pair for pair in way.calls if pair[1].startswith("core.services.")]
    assert {caller for caller, _ in of_services if not caller.startswith("core.services.")} == {""}

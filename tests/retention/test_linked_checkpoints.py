"""Links that lead to a checkpoint, from wherever they stand under the roots: it stays, in plans and before an act."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.errors import CoreError
from core.base.records import Run
from core.retention.planned import RunPlan
from core.retention.policies import KeepLatest, Policy
from core.services import quarantine, retention
from core.services.workspace import Workspace
from tests.cli.test_cli import answer, run
from tests.cli.test_storage_cli import gone
from tests.conftest import Opener
from tests.formats.test_nameless_bundles import nameless
from tests.support.trees import START_NS, age, index_of, save, shard_of

LATEST = Policy(rules=(KeepLatest(1),))
STAYS = "linked from run {} ({})"
Root = Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Root:
    """Two roots with old runs: `a` has checkpoints 1 to 6 in `a/ckpts`, `b` one of its own."""
    root = tmp_path / "runs"
    for step in range(1, 7):
        save(root / "a/ckpts", step)
    save(root / "b", 1)
    save(tmp_path / "reports/paper", 1)
    monkeypatch.setenv("WAYPOINT_ROOTS", f"{root}{os.pathsep}{tmp_path / 'reports'}")
    return root


def planned(opened: Workspace, name: str) -> tuple[Run, RunPlan]:
    opened.refresh()
    found = opened.find_run(name)
    return found, retention.plan(opened, [found], LATEST).runs[0]


def stays(plan: RunPlan) -> dict[str, list[str]]:
    """Why what a policy would let go stays, by path."""
    return {one.path: list(one.reasons) for one in plan.stays if "latest restorable" not in one.reasons}


def test_a_link_in_another_run_or_root_protects_what_it_leads_to(root: Root, tmp_path: Path) -> None:
    (root / "b/best").symlink_to("../a/ckpts/ckpt-1")
    shard_of(root / "b/picked").symlink_to(shard_of(root / "a/ckpts/ckpt-2"))
    index_of(tmp_path / "reports/paper/cited").symlink_to(index_of(root / "a/ckpts/ckpt-3"))
    (tmp_path / "reports/figure").symlink_to(tmp_path / "reports/paper/cited.index")
    document = answer("plan", "a", "--latest", 1)["runs"][0]
    assert sorted(gone(document)) == ["ckpts/ckpt-4", "ckpts/ckpt-5"]
    told = {item["path"]: item["reasons"] for item in document["stays"]}
    assert told["ckpts/ckpt-1"] == [STAYS.format("b", "best")]
    assert told["ckpts/ckpt-2"] == [STAYS.format("b", "picked.data-00000-of-00001")]
    assert told["ckpts/ckpt-3"] == [f"{tmp_path}/reports/figure leads to it"]


def test_a_link_on_the_way_that_was_turned_since_the_look_counts_as_it_is_now(root: Root, workspace: Opener) -> None:
    """`b/best -> ../current/ckpt-1`: when `current` is turned, nothing in `b` changes."""
    for step in (1, 2, 3):
        save(root / "c/ckpts", step)
    (root / "current").symlink_to("c/ckpts")
    (root / "b/best").symlink_to("../current/ckpt-1")
    opened = workspace(root)
    assert stays(planned(opened, "c")[1]) == {"ckpts/ckpt-1": [STAYS.format("b", "best")]}
    (root / "current").unlink()
    (root / "current").symlink_to("a/ckpts")
    assert stays(planned(opened, "c")[1]) == {}
    assert stays(planned(opened, "a")[1]) == {"ckpts/ckpt-1": [STAYS.format("b", "best")]}


def test_a_link_to_a_folder_means_the_newest_of_it(root: Root, workspace: Opener) -> None:
    """A run of one folder for each save: the newest stays in any case, and of the linked folder what a reader finds."""
    for name in ("c", "d"):
        (root / name / ".waypoint").mkdir(parents=True)
    for step in (1, 2, 3):
        save(root / f"c/step_{step}", step, name="model")
    (root / "b/chosen").symlink_to("../c/step_1")
    for step in (1, 2):
        save(root / "d/old", step)
    for step in (3, 4):
        save(root / "d", step)
    (root / "b/whole").symlink_to("../d")
    (root / "b/old").symlink_to("../d/old")
    opened = workspace(root)
    _, of_folders = planned(opened, "c")
    assert STAYS.format("b", "chosen") in next(one.reasons for one in of_folders.stays if one.path == "step_1/model")
    _, plan = planned(opened, "d")
    assert {item.path for item in plan.items} == {"old/ckpt-1", "ckpt-3"}


def test_what_leads_into_a_checkpoints_folder_or_to_a_leftover_protects_it(root: Root, workspace: Opener) -> None:
    index_of(save(root / "a/ckpts", 9)).unlink()
    index_of(save(root / "a/ckpts", 8)).unlink()
    shard_of(root / "b/remains").symlink_to(shard_of(root / "a/ckpts/ckpt-9"))
    for step in (1, 2, 3, 4):
        nameless(root / f"c/ckpt-{step}", step)
    (root / "b/folder").symlink_to("../c/ckpt-1")
    (root / "b/part").symlink_to("../c/ckpt-2/notes")
    opened = workspace(root)
    _, plan = planned(opened, "a")
    assert "ckpts/ckpt-8" in {item.path for item in plan.items}
    assert stays(plan) == {"ckpts/ckpt-9": [STAYS.format("b", "remains.data-00000-of-00001")]}
    _, plan = planned(opened, "c")
    assert {item.path for item in plan.items} == {"ckpt-3"}
    assert stays(plan) == {"ckpt-1": [STAYS.format("b", "folder")], "ckpt-2": [STAYS.format("b", "part")]}


@pytest.mark.parametrize("act", ["quarantine", "delete"])
def test_a_link_that_was_made_after_the_plan_is_seen_before_the_act(root: Root, workspace: Opener, act: str) -> None:
    opened = workspace(root)
    found, plan = planned(opened, "a")
    (root / "b/best").symlink_to("../a/ckpts/ckpt-1")
    (root / "a/own").symlink_to("ckpts/ckpt-2")
    os.utime(root / "a/own", ns=(START_NS, START_NS), follow_symlinks=False)  # else the run counts as live
    opened.refresh(deep=False)
    (root / "latest_best").symlink_to("a/ckpts/ckpt-3")  # after the look, in a folder above the run
    if act == "quarantine":
        left_out = quarantine.execute(opened, found, plan, policy=LATEST).left_out
    else:
        left_out = tuple(quarantine.delete(opened, found, plan, policy=LATEST, confirm="a").left_out)
    assert {one.path: one.reasons for one in left_out} == {
        "ckpts/ckpt-1": (STAYS.format("b", "best"),),
        "ckpts/ckpt-2": ("own leads to it",),
        "ckpts/ckpt-3": ("latest_best leads to it",),
    }
    assert sorted(path.name for path in (root / "a/ckpts").glob("*.index")) == [
        f"ckpt-{step}.index" for step in (1, 2, 3, 6)
    ]


def _to_its_place(root: Root, _batch: Path) -> None:
    (root / "b/best").symlink_to("../a/ckpts/ckpt-1")


def _into_the_batch(root: Root, batch: Path) -> None:
    index_of(root / "b/best").symlink_to(batch / "files/ckpts/ckpt-1.index")


@pytest.mark.parametrize("link", [_to_its_place, _into_the_batch])
def test_no_purge_deletes_what_a_link_leads_to(
    root: Root, workspace: Opener, link: Callable[[Path, Path], None]
) -> None:
    """A batch stays while a link waits for what it holds, by hand and by age; without the link it goes."""
    opened = workspace(root)
    found, plan = planned(opened, "a")
    done = quarantine.execute(opened, found, plan, policy=LATEST)
    assert done.journal is not None
    batch = root / "a/.waypoint/quarantine" / done.journal.id
    link(root, batch)
    opened.refresh()
    with pytest.raises(CoreError, match=r"linked from run b \(best.*Nothing was purged"):
        quarantine.purge_batch(opened, found, done.journal.id, confirm="a")
    assert quarantine.purge_old(opened, found, 0) == ()
    assert index_of(batch / "files/ckpts/ckpt-1").exists()
    for name in ("best", "best.index"):
        (root / "b" / name).unlink(missing_ok=True)
    save(root / "a/ckpts", 1)  # a link to the place of another one keeps nothing
    if link is _to_its_place:
        _to_its_place(root, batch)
    opened.refresh()
    assert quarantine.purge_batch(opened, found, done.journal.id, confirm="a").files


def test_links_that_lead_nowhere_and_in_circles_change_nothing(root: Root) -> None:
    age(root)
    (root / "a/ckpts/loop").symlink_to("loop")
    (root / "b/gone").symlink_to("../a/ckpts/ckpt-77")
    (root / "up").symlink_to(".")
    (root / "above").symlink_to("/")
    assert run("index").exit_code == 0
    document = answer("plan", "a", "--latest", 1)["runs"][0]
    assert sorted(gone(document)) == [f"ckpts/ckpt-{step}" for step in range(1, 6)]

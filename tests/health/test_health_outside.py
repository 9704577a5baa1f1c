"""State files and the checkpoints that they name: gone after they were seen, in other runs, behind links."""

import os
from pathlib import Path

import pytest

from core.base.records import Health
from core.catalog.filters import FindingFilter
from core.services import health, verifying
from core.services.runs import series_choices
from core.services.workspace import Workspace
from core.verify.results import BadRule, Outcome, TensorProblem, Verification
from tests.conftest import Opener
from tests.support.trees import START_NS, index_of, save, shard_of, state

FOUND = FindingFilter(severities=("error", "warning"))


def found(workspace: Workspace) -> list[tuple[str, str]]:
    """Path and rule of every finding above info after a light pass and a deep one, which must agree."""
    workspace.refresh(deep=False)
    light = [(item.finding.path, item.finding.rule) for item in workspace.reader.findings(FOUND)]
    workspace.refresh()
    deep = [(item.finding.path, item.finding.rule) for item in workspace.reader.findings(FOUND)]
    assert light == deep
    return deep


def remove(prefix: Path) -> None:
    for part in (index_of(prefix), shard_of(prefix)):
        part.unlink()


def test_a_checkpoint_that_is_deleted_after_it_was_seen_is_missed(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "runs"
    prefixes = [save(root / "a", step) for step in (1, 2, 3)]
    state(root / "a", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")
    opened = workspace(root)
    assert found(opened) == []
    remove(prefixes[2])
    assert found(opened) == [("a/checkpoint", "dangling-latest")]
    remove(prefixes[0])
    assert found(opened) == [("a/checkpoint", "dangling-latest"), ("a/checkpoint", "dangling-history")]
    save(root / "a", 1)
    save(root / "a", 3)
    assert found(opened) == []


@pytest.mark.parametrize("other", ["a-before", "z-after"])
def test_a_state_file_may_name_checkpoints_of_another_run(other: str, tmp_path: Path, workspace: Opener) -> None:
    """As CheckpointManager(folder, checkpoint_name="sub/ckpt") writes it: the order of runs in a pass is no matter."""
    root = tmp_path / "runs"
    prefixes = [save(root / other, step) for step in (1, 2)]
    state(root / other, "ckpt-2", "ckpt-1", "ckpt-2")
    save(root / "m", 1, name="best-1")
    state(root / "m", f"../{other}/ckpt-2", f"../{other}/ckpt-1", f"../{other}/ckpt-2")
    opened = workspace(root)
    assert found(opened) == []
    remove(prefixes[1])
    assert ("m/checkpoint", "dangling-latest") in found(opened)
    save(root / other, 2)
    assert found(opened) == []


def test_a_root_may_be_a_link(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "runs"
    save(root / "a", 1)
    state(root / "a", str(root / "a" / "ckpt-1"))
    (tmp_path / "link").symlink_to(root)
    opened = workspace(tmp_path / "link")
    assert found(opened) == []
    (choice,) = series_choices(opened, opened.reader.roots()[0].id, "a")
    assert choice.tensorflow_latest == "a/ckpt-1"


@pytest.mark.parametrize("parts", [(index_of, shard_of), (index_of,), (shard_of,)], ids=["both", "index", "shard"])
def test_what_lies_behind_a_link_out_of_the_root_is_no_damage_and_no_leftover(
    parts: tuple[object, ...], tmp_path: Path, workspace: Opener
) -> None:
    root, apart = tmp_path / "runs", tmp_path / "apart"
    apart.mkdir()
    save(root / "a", 1)
    prefix = save(root / "a", 2)
    state(root / "a", "ckpt-2", "ckpt-1", "ckpt-2")
    for part in parts:
        place = part(prefix)  # type: ignore[operator]
        os.rename(place, apart / place.name)
        place.symlink_to(apart / place.name)
    assert found(workspace(root)) == []


def test_an_accepted_state_file_is_back_when_more_goes_missing(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "runs"
    prefixes = [save(root / "a", step) for step in (1, 2, 3)]
    state(root / "a", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")
    remove(prefixes[0])
    opened = workspace(root)
    assert found(opened) == [("a/checkpoint", "dangling-history")]
    (placed,) = opened.reader.findings(FOUND)
    health.accept(opened, [placed], "cleaned by hand")
    assert found(opened) == []
    remove(prefixes[1])
    assert found(opened) == [("a/checkpoint", "dangling-history")]


def test_a_whole_checkpoint_does_not_share_the_health_of_another_of_its_name(
    tmp_path: Path, workspace: Opener, samples: Path
) -> None:
    """A bundle and a SavedModel may have the same path: one is two files, the other a folder."""
    run = samples / "defect-detector" / "export"
    save(run, 1, name="2")
    shard = shard_of(run / "2")
    shard.write_bytes(shard.read_bytes()[:-1])
    os.utime(shard, ns=(START_NS, START_NS))
    opened = workspace(samples)
    opened.refresh()
    items = opened.members(opened.reader.roots()[0].id, "defect-detector")
    assert {item.format.value: item.health for item in items if item.path.endswith("/2")} == {
        "tf-bundle": Health.ERROR,
        "saved-model": Health.OK,
    }


def test_a_verification_of_other_files_is_no_finding(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "runs"
    save(root / "a", 1)
    state(root / "a", "ckpt-1")
    opened = workspace(root)
    opened.refresh()
    item = opened.reader.checkpoint(opened.reader.roots()[0].id, "a/ckpt-1")
    result = Verification(
        outcome=Outcome.DAMAGED,
        detail="",
        problems=(TensorProblem(rule=BadRule.MISMATCH, name="w", detail=""),),
        problem_count=1,
        files=tuple(file._replace(size=file.size + 1) for file in item.files),
        finished_at=opened.now(),
    )
    verifying.keep_verification(opened, item, result)
    assert found(opened) == []

"""What SIGKILL leaves of a save: what is called restorable TensorFlow reads, and every other file is a finding."""

import random
import time
from pathlib import Path

import pytest

from core.base.records import Checkpoint
from core.base.sizes import size_text
from tests.conftest import Opener
from tests.support.training import Trainings, agree, look, why_not

SIZES = (1 << 10, 1 << 16, 1 << 24)  # bytes: where a kill hits depends on what takes the time
LEFT = {"interrupted-save", "orphan-shard", "dangling-history", "newest-not-restorable", "nothing-restorable"}
LEFT.add("unrenamed-save")  # between a save's only part and its last rename
# TensorFlow 2.21 renames shard and index before the shard's last bytes are written.
BETWEEN = {"stale-index", "empty-file", "truncated-shard"}


def step(item: Checkpoint) -> int:
    """A checkpoint's step, which it has."""
    assert item.facts.step is not None
    return item.facts.step.value


@pytest.mark.soak
def test_a_kill_in_the_middle_of_a_managers_save(
    trainings: Trainings, workspace: Opener, tmp_path: Path, more: int
) -> None:
    """At 20 random moments. All values but the last two saves are there, the newest of them the last that was done."""
    chance = random.Random()
    left: set[str] = set()
    for number in range(20 * more):
        root = tmp_path / f"root{number}"
        trainings.start("manager", root / "run", size=SIZES[number % 3], keep=2)
        if number % 4:
            trainings.wait_for(1)
        time.sleep(chance.random() * 0.15)
        saves = trainings.kill()
        seen = look(workspace(root, write_grace=0, home=tmp_path / f"home{number}"))
        agree(root, seen)
        assert min(saves, 2) <= len(seen.restorable) <= 3
        assert not seen.restorable or step(seen.restorable[-1]) in (saves, saves + 1)
        assert {path for path, item in seen.items.items() if not item.restorable} <= {f"run/ckpt-{saves + 1}"}
        left |= {rule for _, rule in seen.rules}
        assert left <= LEFT | BETWEEN, seen.rules
    assert "interrupted-save" in left


@pytest.mark.soak
def test_a_kill_while_one_prefix_is_written_again_and_again(
    trainings: Trainings, workspace: Opener, tmp_path: Path, more: int
) -> None:
    chance = random.Random()
    for number in range(10 * more):
        root = tmp_path / f"root{number}"
        trainings.start("overwrite", root / "run", size=SIZES[number % 2])
        trainings.wait_for(1)
        time.sleep(chance.random() * 0.15)
        saves = trainings.kill()
        seen = look(workspace(root, write_grace=0, home=tmp_path / f"home{number}"))
        agree(root, seen)
        (item,) = seen.items.values()
        if item.restorable:
            assert step(item) in (saves, saves + 1)
        else:
            (rule,) = [rule for path, rule in seen.rules if path == "run/cp.ckpt"]
            assert rule in BETWEEN


@pytest.mark.parametrize("job", ["overwrite", "weights"])
def test_new_shards_under_the_old_index_are_a_stale_index(
    job: str, trainings: Trainings, workspace: Opener, tmp_path: Path
) -> None:
    """As a kill leaves them between the two renames: equal lengths, other values. Keras' weights have no counter."""
    root, newer = tmp_path / "root", tmp_path / "newer"
    assert trainings.run(job, root / "run", saves=1) == 1
    assert trainings.run(job, newer, saves=2) == 2
    shard = "cp.ckpt.data-00000-of-00001"
    assert (newer / shard).stat().st_size == (root / "run" / shard).stat().st_size
    (newer / shard).replace(root / "run" / shard)
    seen = look(workspace(root, write_grace=0))
    assert "Checksum does not match" in (why_not(root / "run" / "cp.ckpt") or "")
    agree(root, seen)
    assert ("run/cp.ckpt", "stale-index") in seen.rules
    (reason,) = [item.reason for item in seen.findings if item.rule == "stale-index"]
    assert reason.startswith("The checksum of ")


def test_a_rotation_that_was_killed_between_index_and_shard(
    trainings: Trainings, workspace: Opener, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    trainings.run("manager", root / "run", saves=3)
    (root / "run" / "ckpt-1.index").unlink()
    size = (root / "run" / "ckpt-1.data-00000-of-00001").stat().st_size
    seen = look(workspace(root, write_grace=0))
    agree(root, seen)
    assert seen.rules == [("run/checkpoint", "dangling-history"), ("run/ckpt-1", "orphan-shard")]
    (reason,) = [item.reason for item in seen.findings if item.rule == "orphan-shard"]
    assert reason == f"ckpt-1.data-00000-of-00001 without an index: {size_text(size)}."
    assert sorted(seen.items) == ["run/ckpt-2", "run/ckpt-3"]

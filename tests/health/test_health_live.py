"""A training that goes on while it is looked at: what a save or a rotation shows for moments is never a finding."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.records import Health
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderResult, FolderTask
from core.runs.walk import look as listed
from core.stores.local import LocalStore
from core.stores.store import Members
from tests.conftest import Opener
from tests.support.training import Trainings, agree, look
from tests.support.trees import MINUTE_NS, START_NS, index_of, save, shard_of, state

LATER_NS = START_NS + MINUTE_NS
KEEP = 3
SCANS = 300


@pytest.mark.soak
def test_scans_of_a_training_that_saves_every_50_ms(
    trainings: Trainings, workspace: Opener, tmp_path: Path, more: int
) -> None:
    root = tmp_path / "root"
    trainings.start("train", root / "run", every=0.05, keep=KEEP)
    trainings.wait_for(KEEP)
    opened = workspace(root, write_grace=0)
    newest = 0
    for _ in range(SCANS * more):
        seen = look(opened)
        assert seen.rules == []
        assert len(seen.restorable) >= KEEP - 1
        newest = max(newest, *(item.facts.save_counter.value for item in seen.restorable if item.facts.save_counter))
    assert newest <= trainings.kill() + 1
    assert newest > KEEP + SCANS // 30
    agree(root, look(opened))


@pytest.mark.soak
def test_scans_while_one_prefix_is_written_without_a_pause(
    trainings: Trainings, workspace: Opener, tmp_path: Path, more: int
) -> None:
    root = tmp_path / "root"
    trainings.start("overwrite", root / "run", size=1 << 16)
    trainings.wait_for(1)
    opened = workspace(root, write_grace=0)
    for _ in range(30 * more):
        seen = look(opened)
        assert seen.rules == []
        assert seen.items["run/cp.ckpt"].health in (Health.OK, Health.WRITING)
    trainings.kill()
    agree(root, look(opened))


class Changing(LocalStore):
    """A disk on which something happens before each further listing."""

    def __init__(self, root: str, *events: Callable[[], object]) -> None:
        super().__init__(root)
        self.events = list(events)
        self.listings = 0

    def members(self, folder: str) -> Members:
        """The next event, then the listing."""
        self.listings += 1
        if self.listings > 1 and self.events:
            self.events.pop(0)()
        return super().members(folder)


def read(root: Path, *events: Callable[[], object]) -> tuple[FolderResult, Changing]:
    """A folder's work with a grace of 0, while things happen."""
    store = Changing(str(root), *events)
    task = FolderTask(root="r00t", run=".", listing=listed(store, ""), known=(), now_ns=store.now_ns(), grace_ns=0)
    return read_folder(store, task), store


def nothing() -> None:
    """No event."""


def test_a_shard_whose_index_comes_is_whole(tmp_path: Path) -> None:
    prefix = save(tmp_path, 1)
    index = index_of(prefix).read_bytes()
    index_of(prefix).unlink()
    result, _ = read(tmp_path, nothing, lambda: index_of(prefix).write_bytes(index))
    assert [(item.path, item.restorable) for item in result.checkpoints] == [("ckpt-1", True)]
    assert (result.leftovers, result.recheck) == ((), True)


def test_a_shard_that_rotation_has_not_deleted_yet_is_none(tmp_path: Path) -> None:
    """Its own time is long past: the folder's tells that something goes on."""
    prefix = save(tmp_path, 1)
    save(tmp_path, 2)
    index_of(prefix).unlink()
    result, _ = read(tmp_path, nothing, nothing, shard_of(prefix).unlink)
    assert [item.path for item in result.checkpoints] == ["ckpt-2"]
    assert result.leftovers == ()


def test_a_shard_that_stays_is_a_finding_and_one_that_comes_meanwhile_is_being_written(tmp_path: Path) -> None:
    index_of(save(tmp_path, 1)).unlink()
    result, store = read(tmp_path, nothing, lambda: index_of(save(tmp_path, 2)).unlink())
    assert [(item.path, item.writing) for item in result.leftovers] == [("ckpt-1", False), ("ckpt-2", True)]
    assert result.recheck
    assert store.listings > 3


def test_a_state_file_is_believed_when_it_was_not_rewritten(tmp_path: Path) -> None:
    save(tmp_path, 2)
    state(tmp_path, "ckpt-2", "ckpt-1", "ckpt-2")
    result, _ = read(tmp_path, nothing, lambda: state(tmp_path, "ckpt-2", "ckpt-2", at_ns=LATER_NS))
    assert [(item.history, item.writing) for item in result.states] == [(("ckpt-2",), False)]
    state(tmp_path, "ckpt-2", "ckpt-1", "ckpt-2")
    result, _ = read(tmp_path, nothing, lambda: state(tmp_path, "ckpt-2", "ckpt-0", "ckpt-2", at_ns=LATER_NS))
    assert [(item.history, item.writing) for item in result.states] == [(("ckpt-0", "ckpt-2"), True)]
    result, _ = read(tmp_path)
    assert [(item.history, item.writing) for item in result.states] == [(("ckpt-0", "ckpt-2"), False)]


def test_what_is_broken_for_long_is_looked_at_once_more_and_not_waited_for(tmp_path: Path) -> None:
    shard_of(save(tmp_path, 1)).unlink()
    store = Changing(str(tmp_path))
    now = store.now_ns() + 10_000_000_000
    task = FolderTask(root="r00t", run=".", listing=listed(store, ""), known=(), now_ns=now, grace_ns=0)
    result = read_folder(store, task)
    assert [found.rule for item in result.checkpoints for found in item.findings] == ["orphan-index"]
    assert store.listings == 2
    young = replace(task, now_ns=store.now_ns(), listing=replace(task.listing, listed_at=0.0))
    assert read_folder(store, young).checkpoints == result.checkpoints
    assert store.listings == 3  # it was listed long before it was read


def test_a_folder_that_goes_away_meanwhile_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "7.orbax-checkpoint-tmp"
    (folder / "pytree").mkdir(parents=True)
    (folder / "_CHECKPOINT_METADATA").write_text("{}")
    store = Changing(str(tmp_path))
    task = FolderTask(
        root="r00t", run=".", listing=listed(store, folder.name), known=(), now_ns=store.now_ns(), grace_ns=0
    )
    folder.rename(tmp_path / "7")
    result = read_folder(store, task)
    assert (result.checkpoints, result.problems, result.recheck) == ((), (), True)

"""A disk with no byte left: what is done about it says what is so, loses nothing, and one way out frees bytes."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from core.acts import moves
from core.acts import quarantine as quarantine_module
from core.acts.acting import ConfirmError, DiskFullError
from core.acts.batches import batches
from core.acts.delete_now import Deleted
from core.acts.journal import Journal, Stage
from core.acts.quarantine import Quarantined
from core.base.errors import CoreError
from core.cli.app import app
from core.retention.policies import KeepLatest, Policy
from core.services import pins, quarantine, retention
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from pages.parts.frame import service
from pages.parts.storage import quarantining
from tests.conftest import Opener
from tests.support.quarantine_cases import in_quarantine, tree
from tests.support.small_disks import Maker, fill_up
from tests.support.trees import save, state, write

LATEST = Policy(rules=(KeepLatest(1),))
SHARD = 60_000  # bytes


class Full:
    """A run on a small disk: four saves, a state file, shards of a fifth save; and its workspace on another disk."""

    def __init__(self, disk: Path, space: Callable[..., Workspace]) -> None:
        self.disk, self.run = disk, disk / "root/a"
        for step in (1, 2, 3, 4):
            prefix = save(self.run / "ckpts", step, at_ns=time.time_ns() - (100 - step) * 3600 * 10**9)
            with prefix.with_name(f"ckpt-{step}.data-00000-of-00001").open("ab") as file:
                file.write(b"\0" * SHARD)
            os.utime(file.name, ns=(0, time.time_ns() - (100 - step) * 3600 * 10**9))
        old = time.time_ns() - 90 * 3600 * 10**9
        state(self.run / "ckpts", "ckpt-4", *(f"ckpt-{step}" for step in (1, 2, 3, 4)), at_ns=old)
        self.space = space(disk / "root")
        self.space.refresh()

    def free(self) -> int:
        """Bytes that the disk takes."""
        return shutil.disk_usage(self.disk).free

    def execute(self, word: str = "") -> Quarantined:
        """A plan made and carried out at once."""
        run = self.space.find_run("a")
        (planned,) = retention.plan(self.space, [run], LATEST).runs
        return quarantine.execute(self.space, run, planned, policy=LATEST, word=word)

    def delete(self, confirm: str = "a") -> Deleted:
        """The same for good."""
        self.space.refresh()
        run = self.space.find_run("a")
        (planned,) = retention.plan(self.space, [run], LATEST).runs
        return quarantine.delete(self.space, run, planned, policy=LATEST, confirm=confirm)

    def listed(self) -> list[str]:
        """What the state file lists."""
        lines = (self.run / "ckpts/checkpoint").read_text().splitlines()
        return [line.partition('"')[2][:-1] for line in lines if line.startswith("all_model")]

    def log(self) -> list[str]:
        """What was done, by the run's log."""
        path = self.run / ".waypoint/log.jsonl"
        return [json.loads(line)["event"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def full(small_disk: Maker, workspace: Opener) -> Full:
    return Full(small_disk("disk", "2m"), workspace)


def test_quarantine_refuses_and_moves_nothing(full: Full) -> None:
    before = tree(full.run)
    fill_up(full.disk)
    with pytest.raises(DiskFullError, match=r"No space left on device for .*/a: nothing was moved"):
        full.execute()
    assert tree(full.run) == before
    assert batches(full.run).batches == ()
    assert in_quarantine(full.run) == {}
    assert not list((full.run / ".waypoint/quarantine").glob("*"))


@pytest.mark.parametrize("left", [4096 * pages for pages in range(1, 18)])
def test_with_a_few_bytes_left_it_goes_as_a_whole_or_not_at_all(full: Full, left: int) -> None:
    before = tree(full.run)
    ballast = fill_up(full.disk, left)
    try:
        full.execute()
    except DiskFullError:
        assert tree(full.run) == before
        assert batches(full.run).batches == ()
    else:
        (batch,) = batches(full.run).batches
        assert batch.stage is Stage.DONE
        assert full.listed() == ["ckpt-4"]
        assert len(in_quarantine(full.run)) == 6
        with ballast.open("ab") as file:  # and the way back on a disk that is full again
            file.write(b"\0" * full.free())
        run = full.space.find_run("a")
        assert quarantine.undo_batch(full.space, run, batch.id).problems == ()
        assert tree(full.run) == before


def test_what_fails_in_the_middle_is_back_on_a_full_disk_too(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(full.run)

    def take(run: Path, batch: Path, journal: Journal) -> None:
        moves.take(run, batch, journal)
        (batch / "room").unlink()
        fill_up(full.disk)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(quarantine_module, "take", take)
    with pytest.raises(DiskFullError):
        full.execute()
    assert {name: fact.content for name, fact in tree(full.run).items() if name != "ckpts/checkpoint"} == {
        name: fact.content for name, fact in before.items() if name != "ckpts/checkpoint"
    }
    monkeypatch.undo()
    (full.disk / "ballast").unlink()
    quarantine.recover_run(full.space, full.space.find_run("a"))
    assert tree(full.run) == before


def test_deleting_at_once_frees_bytes_and_keeps_the_state_file_right(full: Full) -> None:
    fill_up(full.disk)
    with pytest.raises(ConfirmError, match="type the run's name, a"):
        full.delete("b")
    assert full.free() == 0
    done = full.delete()
    assert sorted(done.paths) == ["ckpts/ckpt-1", "ckpts/ckpt-2", "ckpts/ckpt-3"]
    assert done.freed_bytes >= 3 * SHARD
    assert full.free() >= 2 * SHARD
    assert sorted(path.name for path in (full.run / "ckpts").iterdir()) == [
        "checkpoint", "ckpt-4.data-00000-of-00001", "ckpt-4.index",
    ]  # fmt: skip
    assert full.listed() == ["ckpt-4"]
    assert full.log() == ["delete", "quarantine", "purge quarantine"]
    (batch,) = batches(full.run).batches
    assert (batch.stage, len(batch.items)) == (Stage.PURGED, 2)


def test_remains_of_saves_go_before_checkpoints(full: Full) -> None:
    old = time.time_ns() - 80 * 3600 * 10**9
    write(full.run / "ckpts", {"ckpt-0.data-00000-of-00001": b"\0" * SHARD}, old)
    fill_up(full.disk)
    done = full.delete()
    assert done.paths[0] == "ckpts/ckpt-0"
    assert len(done.paths) == 4
    assert full.log() == ["delete", "quarantine", "purge quarantine"]


def test_deleting_needs_no_quarantine_where_others_take_the_room_at_once(
    full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_up(full.disk)
    real, ballast = os.unlink, full.disk / "ballast"

    def unlink(path: str | Path, **more: int) -> None:
        real(path, **more)
        if "ckpt" in str(path):
            with ballast.open("ab") as file:
                file.write(b"\0" * full.free())

    monkeypatch.setattr(os, "unlink", unlink)
    done = full.delete()
    assert sorted(done.paths) == ["ckpts/ckpt-1", "ckpts/ckpt-2", "ckpts/ckpt-3"]
    assert sorted(path.name for path in (full.run / "ckpts").glob("ckpt*")) == [
        "ckpt-4.data-00000-of-00001", "ckpt-4.index",
    ]  # fmt: skip


def test_what_was_written_since_the_plan_is_never_deleted(full: Full) -> None:
    run = full.space.find_run("a")
    (planned,) = retention.plan(full.space, [run], LATEST).runs
    save(full.run / "ckpts", 1, at_ns=time.time_ns() - 3600 * 50 * 10**9)
    fill_up(full.disk)
    done = quarantine.delete(full.space, run, planned, policy=LATEST, confirm="a")
    assert [left.path for left in done.left_out] == ["ckpts/ckpt-1"]
    assert (full.run / "ckpts/ckpt-1.index").exists()


def test_a_run_that_was_written_lately_needs_somebodys_word(full: Full) -> None:
    for path in full.run.rglob("ckpt-4*"):
        os.utime(path)
    fill_up(full.disk)
    full.space.refresh()
    run = full.space.find_run("a")
    (planned,) = retention.plan(full.space, [run], LATEST).runs
    assert (planned.is_live, planned.needs_word, len(planned.items)) == (True, True, 3)
    os.truncate(full.disk / "ballast", (full.disk / "ballast").stat().st_size - 200_000)
    assert retention.plan(full.space, [run], LATEST).runs[0].items == ()  # a job may well save again
    room = full.free()
    with (full.disk / "ballast").open("ab") as file:
        file.write(b"\0" * (room - 60_000))
    done = quarantine.execute(full.space, run, planned, policy=LATEST)
    assert done.journal is None
    assert {left.reasons[0].partition(":")[0] for left in done.left_out} == {"it was written lately"}
    assert full.listed() == ["ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"]
    done = quarantine.execute(full.space, run, planned, policy=LATEST, word="a")
    assert done.journal is not None
    assert full.listed() == ["ckpt-4"]


def test_a_lease_holds_a_run_on_a_full_disk_whatever_is_typed(full: Full) -> None:
    write(full.run / ".waypoint", {"lease.json": b"{}"}, time.time_ns())
    fill_up(full.disk)
    full.space.refresh()
    assert full.delete().paths == []
    assert len(list((full.run / "ckpts").glob("*.index"))) == 4


def acts(full: Full) -> Iterator[Callable[[], object]]:
    """What people write about a run: a pin, a hand-over."""
    (newest,) = (item for item in full.space.members(full.space.find_run("a").root, "a") if item.path.endswith("-4"))
    yield lambda: pins.pin(full.space, newest, "paper")
    proposal = propose(full.space, newest)
    accepted = [caution.id for caution in proposal.warnings]
    yield lambda: resume_from(full.space, newest, proposal, note="", accepted=accepted)


def test_pins_and_manifests_stay_as_they_were(full: Full) -> None:
    pin, hand_over = acts(full)
    pin()
    hand_over()
    before = {path: path.read_bytes() for path in full.run.rglob("*.json")}
    assert len(before) >= 2
    fill_up(full.disk)
    for act in acts(full):
        with pytest.raises((OSError, CoreError), match="No space left"):
            act()
    run = full.space.find_run("a")
    # A manifest that was to be replaced has a second name by then.
    assert {path: path.read_bytes() for path in before} == before
    assert [entry.state.value for entry in run_manifests(full.space, run.root, run.path)] == ["pending"]
    assert retention.run_state(full.space, run).pins.problems == ()
    full.delete()  # room again
    pin()


def shell(full: Full, monkeypatch: pytest.MonkeyPatch, home: Path, *words: str) -> tuple[int, str]:
    monkeypatch.setenv("WAYPOINT_HOME", str(home))
    done = CliRunner().invoke(app, [*words, "--root", str(full.disk / "root")])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.mark.usefixtures("plain_environment")
def test_the_shell_names_the_files_and_the_option_that_deletes(
    full: Full, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_up(full.disk)
    home = tmp_path / "home"
    code, said = shell(full, monkeypatch, home, "quarantine", "a", "--latest", "1")
    assert code == 1
    assert "No space left on device" in said
    assert "--delete --confirm a" in said
    assert f"{full.run}/ckpts/ckpt-1.index" in said
    code, said = shell(full, monkeypatch, home, "quarantine", "a", "--latest", "1", "--delete")
    assert code == 1
    assert "type the run's name, a" in said
    assert full.free() == 0
    code, said = shell(full, monkeypatch, home, "quarantine", "a", "--latest", "1", "--delete", "--confirm", "a")
    assert (code, "3 deleted for good" in said) == (0, True)
    assert full.free() > 0


def test_the_page_takes_a_word_for_a_run_and_says_how_to_delete(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in full.run.rglob("ckpt-4*"):
        os.utime(path)
    fill_up(full.disk)
    full.space.refresh()
    plan = retention.plan(full.space, [full.space.find_run("a")], LATEST)
    monkeypatch.setattr(service, "workspace", lambda: full.space)
    monkeypatch.setattr(service, "current", lambda: SimpleNamespace(acted=lambda *_: None))
    without = quarantining.moved(plan.runs, LATEST, "")
    assert {left.why.partition(":")[0] for left in without.left} == {"it was written lately"}
    (told,) = quarantining.moved(plan.runs, LATEST, "", ["a"]).left
    assert told.path == "all of it"
    assert "No space left on device" in told.why
    assert "`quarantine --delete` in a shell" in told.why
    os.truncate(full.disk / "ballast", (full.disk / "ballast").stat().st_size - SHARD)
    done = quarantining.moved(plan.runs, LATEST, "", ["a"])
    assert (done.items, done.left) == (3, [])

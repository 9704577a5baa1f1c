"""Purging: only what was confirmed, or is old enough; exactly its files; and the bytes that the disk gains."""

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from core.acts.acting import ConfirmError, StageError
from core.acts.batches import batches
from core.acts.journal import Stage
from core.acts.purge import Purged, purge, purge_older
from core.acts.recovery import recover
from core.base.errors import NotFoundError
from tests.support.quarantine_cases import RUN, Case, a_case, in_quarantine, tree
from tests.support.resume_cases import NOW
from tests.support.small_disks import Maker, fill_up


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return a_case(tmp_path / "root")


def quarantined(case: Case) -> str:
    journal = case.go().journal
    assert journal is not None
    return journal.id


def purged(case: Case, batch: str, confirm: str | None = None) -> Purged:
    return purge(case.run_folder, batch, confirm=batch[-8:] if confirm is None else confirm, actor="bob", now=NOW)


def allocated(run: Path) -> int:
    """What `du` counts of everything in a run but folders and Waypoint's own small files."""
    files = [
        path for path in run.rglob("*") if path.is_file() and (".waypoint" not in path.parts or "files" in path.parts)
    ]
    told = subprocess.run(["du", "-c", "-B1", *files], check=True, capture_output=True, text=True).stdout
    return int(told.splitlines()[-1].split()[0])


@pytest.mark.parametrize("confirm", ["", "a", "exp", "yes", "EXP/A"])
def test_without_the_right_word_nothing_is_deleted(case: Case, confirm: str) -> None:
    batch = quarantined(case)
    held = in_quarantine(case.folder)
    with pytest.raises(ConfirmError, match=rf"type {batch[-8:]} or the run's name, exp/a"):
        purged(case, batch, confirm)
    assert in_quarantine(case.folder) == held


@pytest.mark.parametrize("by_name", [True, False], ids=["run", "batch"])
def test_a_purge_deletes_the_batch_and_leaves_a_record(case: Case, *, by_name: bool) -> None:
    (case.folder / "ckpts/ckpt-1.index").chmod(0o400)
    batch = quarantined(case)
    rest, count = tree(case.folder), len(in_quarantine(case.folder))
    done = purged(case, batch, RUN if by_name else None)
    assert (done.batch, done.files, done.problems) == (batch, count, ())
    assert tree(case.folder) == rest
    assert os.listdir(case.folder / ".waypoint/quarantine") == [f"{batch}.purged.json"]
    record = json.loads((case.folder / f".waypoint/quarantine/{batch}.purged.json").read_text())
    assert record.pop("items")[0] == {
        "kind": "checkpoint",
        "path": "ckpts/ckpt-1",
        "format": "tf-bundle",
        "files": 2,
        "bytes": 55,
    }
    assert record == {
        "version": 1,
        "id": batch,
        "kind": "quarantine",
        "by": "ada",
        "at": "2026-01-31T09:30:00Z",
        "note": "old",
        "purge": {"by": "bob", "at": "2026-01-31T09:30:00Z", "freed_bytes": done.freed_bytes},
    }
    (listed,) = batches(case.folder).batches
    assert (listed.stage, listed.undoable, listed.freed_bytes) == (Stage.PURGED, False, done.freed_bytes)
    assert listed.ended is not None
    assert listed.ended.by == "bob"
    for act in (lambda: purged(case, batch), lambda: case.undo(batch)):
        with pytest.raises(NotFoundError, match="There is no batch"):
            act()


def test_freed_is_what_du_loses(case: Case) -> None:
    ckpts = case.folder / "ckpts"
    os.truncate(ckpts / "ckpt-1.data-00000-of-00001", 50_000_000)  # sparse
    (ckpts / "ckpt-2.data-00000-of-00002").write_bytes(b"x" * 300_001)
    (ckpts / "ckpt-2.data-00001-of-00002").unlink()
    os.link(ckpts / "ckpt-2.data-00000-of-00002", ckpts / "ckpt-2.data-00001-of-00002")  # both names go
    (case.folder / "keras/m-1.keras").write_bytes(b"y" * 70_000)
    os.link(case.folder / "keras/m-1.keras", case.folder / "mine.keras.bak")  # this one stays
    old = case.state().now_ns - 10**16
    for path in case.folder.rglob("*"):
        os.utime(path, ns=(old, old))
    batch = quarantined(case)
    promised = batches(case.folder).batches[0].freed_bytes
    before = allocated(case.folder)
    done = purged(case, batch)
    assert before - allocated(case.folder) == done.freed_bytes == promised
    assert done.freed_bytes >= 300_001
    assert (case.folder / "mine.keras.bak").stat().st_size == 70_000


def test_what_is_old_goes_by_itself_if_that_is_wanted(case: Case) -> None:
    batch = quarantined(case)
    later = NOW + timedelta(days=30)
    for days, when in ((None, later), (30.5, later), (30, later - timedelta(seconds=1))):
        assert purge_older(case.run_folder, days, actor="bob", now=when) == ()
    assert len(in_quarantine(case.folder)) == 25
    (done,) = purge_older(case.run_folder, 30, actor="bob", now=later)
    assert (done.batch, done.files) == (batch, 25)
    assert purge_older(case.run_folder, 30, actor="bob", now=later) == ()


def test_a_run_without_a_quarantine_is_not_touched(case: Case) -> None:
    assert purge_older(case.run_folder, 0, actor="bob", now=NOW) == ()
    assert not (case.folder / ".waypoint").exists()


def test_what_was_undone_cannot_be_purged(case: Case) -> None:
    batch = quarantined(case)
    case.undo(batch)
    before = tree(case.folder)
    with pytest.raises(StageError, match="is undone: there is nothing to purge"):
        purged(case, batch)
    assert purge_older(case.run_folder, 0, actor="bob", now=NOW + timedelta(days=1)) == ()
    assert tree(case.folder) == before


def test_what_somebody_put_there_stays_and_is_told(case: Case, tmp_path: Path) -> None:
    batch = quarantined(case)
    files = case.folder / ".waypoint/quarantine" / batch / "files"
    (files / "keras/mine").write_bytes(b"mine")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"outside")
    (files / "orbax/1/d").rename(tmp_path / "moved")
    (files / "orbax/1/d").symlink_to(tmp_path / "outside")
    done = purged(case, batch)
    assert [(one.path, one.problem) for one in done.problems] == [
        (batch, "holds files that were not of the batch: they stay there")
    ]
    assert (files / "keras/mine").read_bytes() == b"mine"
    assert (tmp_path / "outside/a").read_bytes() == b"outside"
    assert in_quarantine(case.folder).keys() == {"keras/mine"}
    assert recover(case.run_folder, actor="ada", now=NOW) == ()


def test_a_second_batch_is_left_alone(case: Case) -> None:
    plan = case.plan()
    first = quarantined(case)
    case.undo(first)
    second = quarantined(case)
    held = in_quarantine(case.folder)
    with pytest.raises(StageError):
        purged(case, first)
    with pytest.raises(ConfirmError):
        purged(case, second, first[-8:])
    assert in_quarantine(case.folder) == held
    assert len(plan.items) == 10


def test_a_purge_works_on_a_full_disk(small_disk: Maker) -> None:
    """That is when it is needed most: what it has to write finds room that was set aside."""
    disk = small_disk("disk", "8m")
    case = a_case(disk / "root")
    batch = quarantined(case)
    fill_up(disk)
    rest = tree(case.folder)
    done = purged(case, batch)
    assert (done.batch, done.problems) == (batch, ())
    assert shutil.disk_usage(disk).free >= done.freed_bytes > 0
    assert in_quarantine(case.folder) == {}
    assert tree(case.folder) == rest
    assert [item.stage for item in batches(case.folder).batches] == [Stage.PURGED]


def test_room_goes_with_what_was_undone(case: Case) -> None:
    batch = quarantined(case)
    place = case.folder / ".waypoint/quarantine" / batch
    assert (place / "room").stat().st_size > (place / "journal.json").stat().st_size
    case.undo(batch)
    assert [path.name for path in place.iterdir()] == ["journal.json"]

"""Audits that are kept: read back as they were, thinned with time, seen only by those who ask for the same roots."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.catalog.audits import RootSnapshot, load_audit, load_snapshots, store_audit
from core.disk_usage.known_files import Kind
from core.disk_usage.usage import Amount
from core.services import disk_space
from tests.conftest import Opener
from tests.support.disk import Disk
from tests.support.trees import START, index_of, save, write

LONG_AGO = START - timedelta(days=3_000)


def keep(disk: Disk, at: datetime, *rows: RootSnapshot, scope: str = "s") -> None:
    """Keep an audit with nothing in it but its snapshots."""
    store_audit(disk.engine, scope, at, {}, rows)


def times(disk: Disk, root: str = "r00t") -> list[datetime]:
    """When the snapshots of a root were made."""
    return [one.at for one in load_snapshots(disk.engine, [root], LONG_AGO)]


def test_an_audit_is_read_back_as_it_was_kept(tmp_path: Path, workspace: Opener) -> None:
    odd = "bad\udcff name"
    save(tmp_path / "runs" / odd / "ckpts", 1)
    index_of(save(tmp_path / "runs" / "lost", 2)).unlink()
    write(tmp_path / "runs", {"a/.waypoint/quarantine/b/file": b"12345", "outside": b"1"})
    made = workspace(tmp_path / "runs")
    made.refresh()
    assert disk_space.last_audit(made) is None
    audited = disk_space.audit(made)
    assert disk_space.last_audit(made) == audited
    root = made.reader.roots()[0].id
    assert {run for (_, run), _ in audited.usage.by_run} == {odd, "lost", None}
    assert dict(audited.usage.by_kind)[Kind.QUARANTINE] == Amount(5, dict(audited.usage.by_kind)[Kind.QUARANTINE][1], 1)
    assert audited.usage.quarantines == ((root, "a"),)


def test_a_root_itself_may_hold_batches(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs", 1)
    write(tmp_path / "runs", {".waypoint/quarantine/b/files/x/.waypoint/quarantine/c": b""})
    made = workspace(tmp_path / "runs")
    made.refresh()
    assert [path for _, path in disk_space.audit(made).usage.quarantines] == ["."]


def test_the_last_audit_replaces_the_one_before_and_the_snapshots_stay(disk: Disk) -> None:
    earlier = RootSnapshot("r00t", START, (("a", 1, 4096), (None, 0, 512)))
    later = RootSnapshot("r00t", START + timedelta(hours=1), (("bad\udcff", 2, 8192),))
    store_audit(disk.engine, "s", START, {"n": 1}, [earlier])
    store_audit(disk.engine, "s", later.at, {"n": 2}, [later])
    assert load_audit(disk.engine, "s") == (later.at, {"n": 2})
    assert load_snapshots(disk.engine, ["r00t"], LONG_AGO) == (earlier, later)
    assert load_snapshots(disk.engine, ["r00t"], later.at) == (later,)


def test_other_roots_have_audits_of_their_own(disk: Disk, tmp_path: Path, workspace: Opener) -> None:
    keep(disk, START, RootSnapshot("one", START, (("a", 1, 1),)), scope="one")
    assert load_audit(disk.engine, "other") is None
    assert load_snapshots(disk.engine, ["other"], LONG_AGO) == ()
    for name in "ab":
        save(tmp_path / name / "run", 1)
    both = workspace(tmp_path / "a", tmp_path / "b")
    both.refresh()
    disk_space.audit(both)
    assert disk_space.last_audit(workspace(tmp_path / "b", tmp_path / "a")) == disk_space.last_audit(both)
    assert disk_space.last_audit(workspace(tmp_path / "a")) is None


def test_of_two_days_one_snapshot_an_hour_is_kept_the_last_one(disk: Disk) -> None:
    hour = START.replace(minute=0)
    moments = [hour + timedelta(minutes=20 * number) for number in range(9)]
    for moment in moments:
        keep(disk, moment, RootSnapshot("r00t", moment, ()))
    assert times(disk) == [moments[2], moments[5], moments[8]]


@pytest.mark.parametrize("days", [3, 30, 89])
def test_of_a_quarter_one_snapshot_a_day_is_kept(disk: Disk, days: int) -> None:
    noon = START.replace(hour=12, minute=0)
    morning, evening = noon - timedelta(hours=6), noon + timedelta(hours=6)
    for moment in (morning, evening):
        keep(disk, moment, RootSnapshot("r00t", moment, ()))
    assert times(disk) == [morning, evening]
    now = noon + timedelta(days=days)
    keep(disk, now, RootSnapshot("r00t", now, ()))
    assert times(disk) == [evening, now]


def test_a_snapshot_of_more_than_a_quarter_ago_is_let_go(disk: Disk) -> None:
    keep(disk, START, RootSnapshot("r00t", START, ()), RootSnapshot("other", START, ()))
    now = START + timedelta(days=91)
    keep(disk, now, RootSnapshot("r00t", now, ()))
    assert times(disk) == [now]
    assert times(disk, "other") == [START]


def test_growth_is_told_between_the_oldest_and_the_newest_snapshot(tmp_path: Path, workspace: Opener) -> None:
    save(tmp_path / "runs" / "a", 1)
    made = workspace(tmp_path / "runs")
    made.refresh()
    audited = disk_space.audit(made)
    assert disk_space.growth_since(made, 30) is None
    root, (amount,) = made.reader.roots()[0].id, [amount for (_, run), amount in audited.usage.by_run if run == "a"]
    for days, less in ((40, 7), (20, 100), (10, 3)):
        then = audited.at - timedelta(days=days)
        row = RootSnapshot(root, then, (("a", amount.apparent - less, amount.allocated - less), ("gone", 50, 60)))
        store_audit(made.engine, "elsewhere", audited.at, {}, [row])
    growths = disk_space.growth_since(made, 30)
    assert growths is not None
    assert {one.run: one.allocated for one in growths.by_run if one.run} == {"a": 100, "gone": -60}
    assert growths.by_root[0].since == audited.at - timedelta(days=20)

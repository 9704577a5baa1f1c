"""A pass over a root: what is parsed again, what is kept, what disappears, and what a kill leaves."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import h5py
import pytest
from sqlalchemy import text

from core.base.ages import Ages
from core.base.files import FileStat
from core.base.records import Health
from core.catalog import writes
from core.catalog.filters import RunFilter
from core.formats import bundle as bundle_reader
from core.formats.bundle import BundleCache
from core.indexing import reader_pool, refresh
from core.indexing.options import CancelledError, Progress
from core.indexing.passes import root_id
from core.indexing.reader_process import Done, Item, ReaderProcess
from core.indexing.refresh import refresh_root
from core.stores.local import LocalStore
from core.stores.store import Members, Store
from tests.support.builders import bundle, trained
from tests.support.disk import YEAR_NS, Disk, FixedClockStore
from tests.support.trees import (
    MINUTE_NS,
    START,
    START_NS,
    age,
    counts,
    index_of,
    options,
    save,
    shard_of,
    state,
    write,
)


def three_runs(root: Path) -> None:
    """Runs a and b with three and two bundles, and c with a state file and a shard without index."""
    for step in (10, 20, 30):
        save(root / "a" / "ckpts", step)
    for step in (5, 6):
        save(root / "b" / "ckpts", step)
    shutil.copy2(shard_of(save(root / "c", 1)), root / "c" / "ckpt-2.data-00000-of-00001")
    state(root / "c", "ckpt-1")
    age(root)


def fresh(disk: Disk, tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a new catalog would hold of the same root."""
    other = Disk(disk.root, tmp_path / "other")
    other.look()
    found = other.content()
    other.engine.dispose()
    return found


def test_the_first_pass_reads_all(disk: Disk) -> None:
    three_runs(disk.root)
    progress = disk.look()
    assert (counts(progress), progress.changed, progress.expected, progress.folders) == ((6, 0), True, None, 6)
    runs = disk.runs()
    assert {path: (run.checkpoints, run.newest_step, run.errors, run.warnings) for path, run in runs.items()} == {
        "a": (3, 30, 0, 0),
        "b": (2, 6, 0, 0),
        "c": (1, 1, 0, 1),
    }
    assert disk.rules() == [("c/ckpt-2", "orphan-shard")]
    assert [item.path for item in disk.items().values() if item.is_latest] == [
        "a/ckpts/ckpt-30",
        "b/ckpts/ckpt-6",
        "c/ckpt-1",
    ]
    assert runs["a"].median_interval == 600
    assert runs["a"].bytes == sum(file.stat().st_size for file in (disk.root / "a").rglob("*") if file.is_file())


@pytest.mark.parametrize("deep", [True, False], ids=["deep", "light"])
def test_a_second_pass_reads_nothing_and_writes_nothing(deep: bool, disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    before = disk.content()
    with disk.engine.connect() as connection:
        version = connection.scalar(text("PRAGMA data_version"))
        progress = Progress()
        refresh_root(disk.engine, disk.store, "r00t", str(disk.root), options(deep=deep), progress)
        assert connection.scalar(text("PRAGMA data_version")) == version
    assert (counts(progress), progress.changed, progress.expected, progress.folders) == ((0, 0), False, 6, 6)
    assert disk.content() == before


@pytest.mark.parametrize("deep", [True, False], ids=["deep", "light"])
def test_of_a_changed_folder_only_the_changed_bundle_is_read(deep: bool, disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    save(disk.root / "a" / "ckpts", 40)
    assert counts(disk.look(deep=deep)) == (1, 3)
    assert disk.runs()["a"].newest_step == 40
    save(disk.root / "a" / "ckpts", 99, name="ckpt-20")  # replaced: new times of the files, no name came or went
    assert counts(disk.look()) == (1, 3)
    found = disk.items()["a/ckpts/ckpt-20"]
    assert (found.facts.step and found.facts.step.value, found.is_latest) == (99, True)


def test_only_a_deep_pass_notices_a_file_rewritten_in_place_in_a_quiet_folder(disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    shard = shard_of(disk.root / "a" / "ckpts" / "ckpt-30")
    with shard.open("r+b") as file:
        file.truncate(10)
    os.utime(shard, ns=(START_NS, START_NS))
    assert not disk.look(deep=False).changed
    assert counts(disk.look()) == (1, 2)
    assert ("a/ckpts/ckpt-30", "truncated-shard") in disk.rules()
    assert ("a/ckpts/ckpt-30", "newest-not-restorable") in disk.rules()


def test_a_folder_whose_time_moved_is_listed_once_more_and_not_for_ever(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_runs(disk.root)
    age(disk.root)
    disk.look()
    temp = disk.root / "a" / "ckpts" / "gone.tmp"
    temp.touch()
    temp.unlink()
    os.utime(temp.parent, ns=(START_NS + MINUTE_NS, START_NS + MINUTE_NS))
    listed: list[str] = []
    members = disk.store.members

    def watched(folder: str) -> Members:
        listed.append(folder)
        return members(folder)

    monkeypatch.setattr(disk.store, "members", watched)
    assert not disk.look(deep=False).changed
    assert "a/ckpts" in listed
    listed.clear()
    disk.look(deep=False)
    assert listed == []


def test_a_light_pass_looks_into_folders_with_young_files(disk: Disk) -> None:
    three_runs(disk.root)
    disk.store.now = START_NS + 40 * MINUTE_NS  # everything is within the window in which a run is live
    disk.look()
    save(disk.root / "a" / "ckpts", 99, name="ckpt-20")
    assert counts(disk.look(deep=False)) == (1, 2)


def test_what_is_deleted_disappears_with_its_findings(disk: Disk, tmp_path: Path) -> None:
    three_runs(disk.root)
    disk.look()
    shutil.rmtree(disk.root / "c")
    for path in (disk.root / "a" / "ckpts").glob("ckpt-10.*"):
        path.unlink()
    assert counts(disk.look()) == (0, 2)
    assert set(disk.runs()) == {"a", "b"}
    assert set(disk.items()) == {"a/ckpts/ckpt-20", "a/ckpts/ckpt-30", "b/ckpts/ckpt-5", "b/ckpts/ckpt-6"}
    assert disk.rules() == []
    assert disk.content() == fresh(disk, tmp_path)


def test_a_run_that_loses_all_its_checkpoints_is_gone(disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    for path in (disk.root / "b" / "ckpts").iterdir():
        path.unlink()
    disk.look()
    assert set(disk.runs()) == {"a", "c"}


def test_a_renamed_and_a_moved_run_are_known_under_their_new_path(disk: Disk, tmp_path: Path) -> None:
    three_runs(disk.root)
    disk.look()
    os.rename(disk.root / "a", disk.root / "z")
    (disk.root / "team").mkdir()
    os.rename(disk.root / "b", disk.root / "team" / "b")
    assert counts(disk.look(deep=False)) == (5, 0)
    assert set(disk.runs()) == {"c", "team/b", "z"}
    assert disk.items()["z/ckpts/ckpt-30"].run == "z"
    assert disk.content() == fresh(disk, tmp_path)


def test_a_marker_changes_the_run_of_folders_that_did_not_change(disk: Disk, tmp_path: Path) -> None:
    three_runs(disk.root)
    save(disk.root / "team" / "x" / "ckpts", 1)
    save(disk.root / "team" / "y" / "ckpts", 2)
    age(disk.root)
    disk.look()
    assert {"team/x", "team/y"} <= set(disk.runs())
    write(disk.root, {"team/resume_manifest.json": b"{}"})
    assert counts(disk.look(deep=False)) == (0, 0)
    assert set(disk.runs()) == {"a", "b", "c", "team"}
    assert disk.runs()["team"].checkpoints == 2
    assert disk.items()["team/x/ckpts/ckpt-1"].run == "team"
    assert disk.content() == fresh(disk, tmp_path)
    (disk.root / "team" / "resume_manifest.json").unlink()
    assert counts(disk.look(deep=False)) == (0, 0)
    assert set(disk.runs()) == {"a", "b", "c", "team/x", "team/y"}
    assert disk.content() == fresh(disk, tmp_path)


def test_another_pattern_changes_runs_at_once(disk: Disk) -> None:
    for name in ("x", "y"):
        save(disk.root / "team" / name / "ckpts", 1)
    disk.look()
    assert counts(disk.look(options(pattern=("*",)))) == (0, 0)
    assert {path: run.checkpoints for path, run in disk.runs().items()} == {"team": 2}
    assert not disk.look(options(pattern=("*",))).changed
    assert disk.look().changed
    assert set(disk.runs()) == {"team/x", "team/y"}


def test_other_ages_are_taken_over_at_once(disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    assert disk.runs()["c"].status == "live"
    how = replace(options(), ages=Ages(live_window=0.0, stale_after=1.0))
    progress = disk.look(how)
    assert (counts(progress), progress.changed) == ((0, 0), True)
    runs = disk.reader.runs(RunFilter(), START.replace(hour=20)).items
    assert {run.path: run.status for run in runs} == {"a": "stale", "b": "stale", "c": "stale"}
    assert not disk.look(how).changed


def test_a_root_that_is_missing_is_an_error_and_keeps_what_is_known(disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    before = disk.content()
    os.rename(disk.root, disk.root.with_name("away"))
    with pytest.raises(FileNotFoundError):
        disk.look()
    assert disk.content() == before
    os.rename(disk.root.with_name("away"), disk.root)
    assert counts(disk.look()) == (0, 0)


def test_an_unreadable_folder_is_a_problem_and_keeps_what_is_known(disk: Disk) -> None:
    three_runs(disk.root)
    disk.look()
    before = disk.items()
    disk.store.refused = frozenset({"a", "new"})
    save(disk.root / "new" / "ckpts", 1)
    save(disk.root / "b" / "ckpts", 7)
    progress = disk.look()
    assert [(item.path, item.problem) for item in progress.problems] == [
        ("new", "Permission denied"),
        ("a", "Permission denied"),
    ]
    assert set(disk.runs()) == {"a", "b", "c"}
    assert set(disk.items()) == {"b/ckpts/ckpt-7", *before}
    disk.store.refused = frozenset()
    assert (disk.look().problems, set(disk.runs())) == ([], {"a", "b", "c", "new"})


def test_a_folder_that_vanishes_during_a_pass_is_no_problem(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    three_runs(disk.root)
    members = LocalStore.members

    def removed(store: LocalStore, folder: str) -> Members:
        if folder == "b":
            shutil.rmtree(disk.root / "b")
        return members(store, folder)

    monkeypatch.setattr(LocalStore, "members", removed)
    assert disk.look().problems == []
    assert set(disk.runs()) == {"a", "c"}


def test_a_file_that_vanishes_before_it_is_read_is_looked_for_again_and_forgotten(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_runs(disk.root)
    read = LocalStore.read

    def removed(store: LocalStore, path: str, limit: int) -> bytes:
        if path == "a/ckpts/ckpt-10.index" and (disk.root / path).exists():
            for part in (disk.root / "a" / "ckpts").glob("ckpt-10.*"):
                part.unlink()
        return read(store, path, limit)

    monkeypatch.setattr(LocalStore, "read", removed)
    assert disk.look().problems == []
    assert {path for path in disk.items() if path.startswith("a/")} == {"a/ckpts/ckpt-20", "a/ckpts/ckpt-30"}
    assert disk.rules() == [("c/ckpt-2", "orphan-shard")]
    assert disk.look().problems == []


@pytest.mark.parametrize("what", ["bundle", "shard"])
def test_within_the_grace_an_incomplete_save_is_being_written_and_afterwards_a_finding(what: str, disk: Disk) -> None:
    save(disk.root / "a", 1)
    prefix = save(disk.root / "a", 5)
    (shard_of if what == "bundle" else index_of)(prefix).unlink()
    age(disk.root)
    disk.store.now = START_NS + 5 * MINUTE_NS + 30_000_000_000
    disk.look()
    assert disk.rules() == []
    if what == "bundle":
        found = disk.items()["a/ckpt-5"]
        assert (found.health, found.restorable, found.findings) == (Health.WRITING, False, ())
    disk.store.now += 31_000_000_000
    assert disk.look(deep=False).changed
    assert ("a/ckpt-5", "orphan-index" if what == "bundle" else "orphan-shard") in disk.rules()
    assert not disk.look().changed


def test_a_whole_checkpoint_is_restorable_however_young(disk: Disk) -> None:
    save(disk.root / "a", 5)
    disk.store.now = START_NS + 5 * MINUTE_NS
    disk.look()
    assert (disk.items()["a/ckpt-5"].restorable, disk.items()["a/ckpt-5"].health) == (True, Health.OK)
    assert not disk.look().changed


def test_an_incomplete_save_that_is_completed_is_read_again(disk: Disk) -> None:
    shard = shard_of(save(disk.root / "a", 5))
    content = shard.read_bytes()
    shard.unlink()
    disk.store.now = START_NS + 5 * MINUTE_NS
    disk.look()
    write(shard.parent, {shard.name: content}, at_ns=disk.store.now)
    assert counts(disk.look(deep=False)) == (1, 0)
    assert disk.items()["a/ckpt-5"].health is Health.OK


def test_a_file_of_a_far_future_is_not_being_written_for_ever(disk: Disk) -> None:
    shard_of(save(disk.root / "a", 5, at_ns=FixedClockStore.now + 20 * YEAR_NS)).unlink()
    disk.look()
    assert ("a/ckpt-5", "orphan-index") in disk.rules()


def test_foreign_files_make_no_run(disk: Disk) -> None:
    write(disk.root, {"book/pages.index": b"no table", "x/graph": b"no table", "x/graph.meta": b"?"})
    (disk.root / "data").mkdir()
    with h5py.File(disk.root / "data" / "cells.h5", "w") as file:
        file["cells"] = [1, 2, 3]
    disk.look()
    assert (disk.runs(), disk.items()) == ({}, {})
    assert not disk.look().changed
    save(disk.root / "book", 1)
    disk.look()
    assert (set(disk.runs()), set(disk.items())) == ({"book"}, {"book/ckpt-1"})


def test_a_checkpoint_whose_file_got_another_name_elsewhere_stays_known(disk: Disk) -> None:
    """As when it is forked: the same file, with one more link."""
    shard = shard_of(save(disk.root / "a", 1))
    save(disk.root / "a", 2)
    disk.look()
    (disk.root / "b").mkdir()
    os.link(shard, disk.root / "b" / shard.name)
    (disk.root / "a" / "events").mkdir()  # so that the folder is listed again
    disk.look()
    assert set(disk.items()) == {"a/ckpt-1", "a/ckpt-2"}
    assert {file.links for file in disk.items()["a/ckpt-1"].files if file.name == shard.name} == {2}


def test_a_folder_of_people_that_ends_like_a_temporary_one_is_a_run(disk: Disk) -> None:
    save(disk.root / "high_temp" / "ckpts", 1)
    save(disk.root / "low_temp", 1)
    disk.look()
    assert set(disk.runs()) == {"high_temp", "low_temp"}
    assert disk.rules() == []


def test_a_state_file_dates_its_bundles_and_an_old_one_says_so_no_more(disk: Disk, tmp_path: Path) -> None:
    for step in (1, 2):
        save(disk.root / "a", step)
    state(disk.root / "a", "ckpt-1", times=(1769850000.5,))
    disk.look()
    assert disk.items()["a/ckpt-1"].saved_at_source.value == "state-file"
    assert disk.items()["a/ckpt-1"].saved_at.timestamp() == 1769850000.5
    state(disk.root / "a", "ckpt-2", times=(1769860000.5,), at_ns=START_NS + 1)
    assert counts(disk.look()) == (0, 2)
    assert {item.path: item.saved_at_source.value for item in disk.items().values()} == {
        "a/ckpt-1": "mtime",
        "a/ckpt-2": "state-file",
    }
    assert disk.content() == fresh(disk, tmp_path)


def test_the_epoch_of_a_backup_follows_its_metadata(disk: Disk, samples: Path) -> None:
    shutil.copytree(samples / "speech-commands", disk.root / "speech")
    disk.look()
    weights = "speech/backup/latest.weights.h5"
    assert disk.items()[weights].facts.epoch == (6, "training_metadata.json")
    write(disk.root / "speech" / "backup", {"training_metadata.json": json.dumps({"epoch": 9, "batch": 0}).encode()})
    assert counts(disk.look()) == (0, 2)
    assert disk.items()[weights].facts.epoch == (9, "training_metadata.json")


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9", b"new\nline", b"\\xff", b"<img src=x>", b"a%b_c", "日本".encode(), b" ", b"'; DROP TABLE runs; --"],
    ids=["latin-1", "newline", "backslash", "markup", "wildcards", "japanese", "blank", "sql"],
)
def test_names_of_any_bytes_are_kept_and_known_again(name: bytes, disk: Disk) -> None:
    folder = os.fsdecode(name)
    prefix = save(disk.root / folder, 1, name=folder)
    save(disk.root / folder, 2, name=f"{folder}2")
    shard_of(prefix).unlink()
    disk.look()
    assert set(disk.runs()) == {folder}
    assert set(disk.items()) == {f"{folder}/{folder}", f"{folder}/{folder}2"}
    pattern = [(f"{folder}/{folder}2", "pattern-path")] if b"\\" in name else []  # TensorFlow finds no such path
    assert disk.rules() == [(f"{folder}/{folder}", "orphan-index"), *pattern]
    assert disk.reader.checkpoint("r00t", f"{folder}/{folder}").findings[0].rule == "orphan-index"
    assert not disk.look().changed


@pytest.mark.parametrize("kind", ["keras", "orbax", "saved_model"])
def test_text_that_no_database_takes_hides_nothing(kind: str, disk: Disk) -> None:
    save(disk.root / "a", 1)
    odd = "\ud800"
    if kind == "keras":
        with zipfile.ZipFile(disk.root / "a" / "m.keras", "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": odd, "date_saved": odd}))
            archive.writestr("config.json", json.dumps({"class_name": odd, "module": odd}))
            archive.writestr("model.weights.h5", odd.encode("utf-8", "surrogatepass"))
    elif kind == "saved_model":
        write(disk.root / "a" / "export", {"saved_model.pb": b"\x12\x06\x0a\x04\x2a\x02\xff2"})  # its version
    else:
        leaf = {"key_metadata": [{"key": odd, "key_type": 2}], "value_metadata": {"value_type": odd}}
        tree = {"tree_metadata": {f"('{odd}',)": leaf}, "use_ocdbt": False}
        files = {"_CHECKPOINT_METADATA": json.dumps({"item_handlers": {odd: odd}}), "_METADATA": json.dumps(tree)}
        write(disk.root / "a" / "3", {name: content.encode() for name, content in files.items()})
    disk.look()
    assert "a/ckpt-1" in disk.items()
    assert all(item.rule for found in disk.items().values() for item in found.findings)
    for found in disk.items().values():
        assert str(found.facts.writer).encode()  # pages and the shell show it
    assert not disk.look().changed


def test_every_sample_run_is_found(disk: Disk, samples: Path) -> None:
    disk.store = FixedClockStore(str(samples))
    disk.root = samples
    disk.store.now = max(path.stat().st_mtime_ns for path in samples.rglob("*")) + YEAR_NS
    disk.look()
    assert set(disk.runs()) == {path.name for path in samples.iterdir()}
    assert {rule for _, rule in disk.rules()} >= {
        *("missing-shard", "orphan-index", "orphan-shard", "interrupted-save", "moved-run", "newest-not-restorable")
    }
    assert not disk.look().changed
    assert not disk.look(deep=False).changed


# Stopping


@pytest.mark.parametrize("stop_after", range(9))
def test_a_cancelled_pass_leaves_a_catalog_that_the_next_completes(
    stop_after: int, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "_BATCH", 1)
    three_runs(disk.root)
    steps = iter(range(stop_after))

    def step() -> None:
        if next(steps, None) is None:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        refresh_root(disk.engine, disk.store, "r00t", str(disk.root), options(), Progress(step=step))
    disk.look()
    assert disk.content() == fresh(disk, tmp_path)


@pytest.mark.parametrize("crash_at", range(3))
@pytest.mark.parametrize("marked", ["team/x/ckpts", "team/ckpts", "team"])
def test_a_pass_that_ends_between_two_writes_leaves_no_run_out_of_date(
    marked: str, crash_at: int, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "_BATCH", 1)  # a transaction for each run
    for folder in ("team/x", "team/x/ckpts", "team/y/ckpts", "team", "team/ckpts"):
        save(disk.root / folder, 1)
    age(disk.root)
    disk.look()
    write(disk.root, {f"{marked}/resume_manifest.json": b"{}"})
    calls = iter(range(9))
    store = writes.store_runs

    def crashes(*arguments: object) -> None:
        if next(calls) == crash_at:
            raise RuntimeError("power cut")
        store(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(writes, "store_runs", crashes)
        with contextlib.suppress(RuntimeError):
            disk.look()
    disk.look()
    assert disk.content() == fresh(disk, tmp_path)
    assert not disk.look().changed


PROGRAM = """
import sys
from pathlib import Path
from core.indexing import refresh
from core.config.settings import Settings
from core.services.workspace import Workspace
refresh._BATCH = 3
workspace = Workspace.open(Settings(roots=(sys.argv[1],), home=Path(sys.argv[2]), actor="ada"))
print("ready", flush=True)
workspace.refresh("test")
print("done", flush=True)
"""


def test_a_pass_killed_at_any_moment_leaves_a_catalog_that_the_next_completes(tmp_path: Path) -> None:
    root, rng = tmp_path / "root", random.Random(5)
    for run in range(20):
        for step in (1, 2, 3):
            save(root / f"run-{run}" / "ckpts", step)
    age(root)
    command = [sys.executable, "-c", PROGRAM, str(root), str(tmp_path / "home")]
    killed = 0
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            timer = threading.Timer(rng.uniform(0.0, 0.08), process.kill)
            timer.start()
            process.wait(60)
            timer.cancel()
            killed += process.returncode == -signal.SIGKILL
    assert killed > 0
    ours, other = Disk(root, tmp_path / "home"), Disk(root, tmp_path / "other")
    for each in (ours, other):
        refresh_root(each.engine, LocalStore(str(root)), root_id(str(root)), str(root), options(), Progress())
    expected = other.content()
    assert len(expected["checkpoints"]) == 60
    assert {**ours.content(), "roots": []} == {**expected, "roots": []}  # a root is noted at a pass's end
    for each in (ours, other):
        each.engine.dispose()


# Two processes


def many_runs(root: Path) -> None:
    for run in range(30):
        for step in (1, 2):
            prefix = save(root / f"run-{run}", step)
        if run % 7 == 0:
            shard_of(prefix).unlink()
    age(root)


def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small tree be worth two processes."""
    monkeypatch.setattr(reader_pool, "_WORTHWHILE", 10)
    monkeypatch.setattr(reader_pool, "_CHUNK_FILES", 8)
    # where the other process finds the disk of these tests
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]]))


def test_two_processes_make_the_same_catalog_as_one(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_runs(disk.root)
    expected = fresh(disk, tmp_path)
    lowered(monkeypatch)
    assert counts(disk.look()) == (60, 0)
    assert disk.content() == expected


def test_the_other_process_may_die(disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_runs(disk.root)
    expected = fresh(disk, tmp_path)
    lowered(monkeypatch)
    killed: list[int] = []

    class Dying(ReaderProcess):
        def read(self, store: Store, chunk: list[Item]) -> list[Done]:
            found = super().read(store, chunk)
            killed.append(self.process.pid)
            os.kill(self.process.pid, signal.SIGKILL)
            return found

    monkeypatch.setattr(reader_pool, "ReaderProcess", Dying)
    assert counts(disk.look()) == (60, 0)
    assert len(killed) == 1
    assert disk.content() == expected


def test_times_that_no_clock_holds_cost_nothing(disk: Disk) -> None:
    prefix = save(disk.root / "run", 1)
    state(disk.root / "run", "ckpt-1", times=(1e300,))
    write(disk.root, {"run/notes.txt": b"hi"}, 13_569_465_600 * 1_000_000_000)  # the year 2400
    assert counts(disk.look()) == (1, 0)
    (item,) = disk.items().values()
    assert item.saved_at == START + timedelta(minutes=1)
    assert index_of(prefix).name in {file.name for file in item.files}


def test_an_index_older_than_its_shard_has_some_tensors_checked(disk: Disk) -> None:
    """As after a kill between the shards and the index of a prefix that is written again and again."""
    prefix = save(disk.root / "run", 7, name="best")
    old_index = index_of(prefix).read_bytes()
    content = bundle(trained(7, weights=bytes(range(24))), "best")
    write(disk.root / "run", {shard_of(prefix).name: content[shard_of(prefix).name]}, START_NS + MINUTE_NS * 60)
    assert index_of(prefix).read_bytes() == old_index
    disk.look()
    assert ("run/best", "stale-index") in disk.rules()


def test_whatever_a_reader_raises_costs_one_file(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    save(disk.root / "run", 1)
    save(disk.root / "run", 2)
    real = bundle_reader.read

    def fails(store: Store, folder: str, prefix: str, files: Mapping[str, FileStat], cache: BundleCache) -> object:
        if prefix == "ckpt-1":
            raise ZeroDivisionError("no such luck")
        return real(store, folder, prefix, files, cache)

    monkeypatch.setattr(bundle_reader, "read", fails)
    assert counts(disk.look()) == (2, 0)
    (found,) = disk.items()["run/ckpt-1"].findings  # a fault of the reader's is no damage of the file's
    assert (found.rule, found.reason) == ("not-told", "unexpected: ckpt-1.index: ZeroDivisionError: no such luck.")
    assert not disk.items()["run/ckpt-1"].restorable
    assert disk.items()["run/ckpt-2"].restorable

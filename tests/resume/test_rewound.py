"""What rewinds set aside: listed, brought back to its places or as a new run, purged, counted; half-done ones too."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import tensorflow as tf

from core.acts.acting import StageError
from core.acts.batches import Batch, batches
from core.acts.journal import JournalKind, Stage
from core.acts.purge import Purged, purge, purge_older
from core.acts.recovery import needs_recovery, recover
from core.acts.undo import ConflictError, OnConflict
from core.base.errors import CoreError, NotFoundError, PlaceError, ReadOnlyError
from core.base.facts import Format
from core.disk_usage.audit import AuditRoot, audit
from core.disk_usage.known_files import Kind, Known
from core.resume.errors import StateError
from core.resume.history import ManifestState, read_manifests
from core.resume.manifest import Mode
from core.runfolder.pins import pin
from core.runfolder.run_folder import RunFolder
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace
from core.stores.local import LocalStore
from tests.cli.test_cli import answer, run
from tests.conftest import Opener
from tests.support.quarantine_cases import Case as Place
from tests.support.quarantine_cases import state_text, tree, tree_of
from tests.support.read_only import refuse_writes
from tests.support.resume_cases import NOW
from tests.support.rewound_cases import REWOUND, bundle, journal_of, lease, rewind
from tests.support.small_disks import Maker
from tests.support.training import why_not
from tests.support.trees import START_NS, index_of, save, write
from waypoint_resume.claim import Decision
from waypoint_resume.decision import decide
from waypoint_resume.governing import governing
from waypoint_resume.identity import identity_of
from waypoint_resume.rewind import set_aside
from waypoint_resume.state_store import StateStore

STATE = "ckpts/checkpoint"
NEWER = {
    **{f"ckpts/ckpt-{step}": bundle(f"ckpts/ckpt-{step}") for step in (4, 5, 6)},
    "best/e-6.keras": ("best/e-6.keras",),
}
FORMATS = {"best/e-6.keras": "keras"}
NEW_STATE = state_text(3, 2, 3).decode()
OLD_STATE = state_text(6, 2, 3, 4, 5, 6, preserved=900.5)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A run of six checkpoints, the last five of which its state file lists, and of a Keras file."""
    found = Place(root=tmp_path / "root")
    for step in range(1, 7):
        save(found.folder / "ckpts", step)
    write(found.folder, {STATE: OLD_STATE, "best/e-6.keras": b"PK", "notes.txt": b"mine"}, START_NS + 7)
    return found


def rewound(place: Place, **more: object) -> str:
    """The job went on from ckpt-3."""
    return rewind(place.folder, NEWER, {STATE: NEW_STATE}, formats=FORMATS, **more)  # type: ignore[arg-type]


def train_on(place: Place, *steps: int) -> None:
    """The job saves again, under names that it used before."""
    for step in steps:
        save(place.folder / "ckpts", step, at_ns=START_NS + 10**12)
    state = state_text(max(steps), 2, 3, *steps)
    write(place.folder, {STATE: state}, START_NS + 10**12)


def only(place: Place) -> Batch:
    (batch,) = batches(place.folder).batches
    return batch


def purged(place: Place, batch: str, confirm: str | None = None) -> Purged:
    return purge(place.run_folder, batch, confirm=confirm or batch[-8:], actor="bob", now=NOW)


def events(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / ".waypoint/log.jsonl").read_text().splitlines()]


def latest(folder: Path) -> str | None:
    found: str | None = tf.train.latest_checkpoint(str(folder))
    return found


def listed(folder: Path) -> list[str]:
    state = tf.train.get_checkpoint_state(str(folder))
    return [os.path.relpath(path, folder) for path in state.all_model_checkpoint_paths]


def test_a_rewind_is_listed_with_who_when_and_what(place: Place) -> None:
    batch = rewound(place)
    one = only(place)
    assert (one.id, one.kind, one.stage, one.by, one.note) == (batch, JournalKind.REWIND, Stage.DONE, "ada", "again")
    assert [(item.path, item.files) for item in one.items] == [(path, len(files)) for path, files in NEWER.items()]
    held = [path for path in (place.folder / REWOUND / batch / "files").rglob("*") if path.is_file()]
    assert one.bytes == sum(path.stat().st_size for path in held)
    assert one.freed_bytes == sum(path.stat().st_blocks * 512 for path in held)
    assert (one.undoable, one.purgeable, one.problems) == (True, True, ())


def test_an_undo_brings_back_every_byte_and_what_tensorflow_finds(place: Place) -> None:
    before = tree(place.folder)
    batch = rewound(place)
    assert latest(place.folder / "ckpts") == str(place.folder / "ckpts/ckpt-3")
    back = place.undo(batch)
    assert (back.files, back.problems, back.new_run, back.journal.stage) == (7, (), None, Stage.UNDONE)
    assert tree(place.folder) == before
    assert latest(place.folder / "ckpts") == str(place.folder / "ckpts/ckpt-6")
    assert [why_not(place.folder / f"ckpts/ckpt-{step}") for step in range(1, 7)] == [None] * 6
    assert only(place).stage is Stage.UNDONE
    assert events(place.folder) == ["rewind", "undo rewind"]
    assert place.root.joinpath("exp").is_dir()
    assert [path.name for path in place.folder.parent.iterdir()] == ["a"]


def test_what_was_saved_again_is_never_written_over(place: Place) -> None:
    batch = rewound(place)
    train_on(place, 4)
    before, held = tree(place.folder), tree_of(place.folder / REWOUND)
    with pytest.raises(ConflictError) as refused:
        place.undo(batch)
    assert [(one.path, one.taken) for one in refused.value.conflicts] == [("ckpts/ckpt-4", NEWER["ckpts/ckpt-4"])]
    new = f"exp/a-rewound-{batch[-8:]}"
    assert (refused.value.new_run, refused.value.files) == (new, 7)
    assert str(refused.value) == (
        f"Nothing was moved, for something else stands in the place of ckpts/ckpt-4. 7 files can come back as the new "
        f"run {new}; what was set aside stays until it is purged."
    )
    assert tree(place.folder) == before
    assert tree_of(place.folder / REWOUND) == held


def test_it_comes_back_as_a_new_run_that_tensorflow_goes_on_from(place: Place) -> None:
    old = tree(place.folder)
    batch = rewound(place)
    train_on(place, 4)
    before, held = tree(place.folder), tree_of(place.folder / REWOUND)
    back = place.undo(batch, OnConflict.RENAME)
    assert (back.files, back.problems, back.new_run) == (7, (), f"exp/a-rewound-{batch[-8:]}")
    assert back.new_run is not None
    folder = place.root / back.new_run
    found = tree(folder)
    state = found.pop(STATE)
    assert found == {name: old[name] for files in NEWER.values() for name in files}
    assert state.mtime_ns == old[STATE].mtime_ns
    assert latest(folder / "ckpts") == str(folder / "ckpts/ckpt-6")
    assert listed(folder / "ckpts") == ["ckpt-4", "ckpt-5", "ckpt-6"]
    times = tf.train.get_checkpoint_state(str(folder / "ckpts"))
    assert list(times.all_model_checkpoint_timestamps) == [2004.0, 2005.0, 2006.0]
    assert times.last_preserved_timestamp == 900.5
    assert [why_not(folder / f"ckpts/ckpt-{step}") for step in (4, 5, 6)] == [None] * 3
    assert tree(place.folder) == before
    assert tree_of(place.folder / REWOUND) == held
    assert (only(place).stage, only(place).purgeable) == (Stage.DONE, True)
    assert (events(place.folder)[-1], events(folder)) == ("undo rewind", ["undo rewind"])


def test_states_kept_beside_checkpoints_come_along(place: Place) -> None:
    store = StateStore(place.folder, place.folder)
    for step in (3, 5):
        store.keep(identity_of(place.folder, f"ckpts/ckpt-{step}"), {"step": step})
    batch = rewound(place)
    train_on(place, 4)
    folder = place.root / str(place.undo(batch, OnConflict.RENAME).new_run)
    new = StateStore(folder, folder)
    assert new.find(identity_of(folder, "ckpts/ckpt-5")).state == {"step": 5}
    assert [path.suffix for path in new.folder.iterdir()] == [".json"]


def shared(folder: Path, other: Path) -> set[str]:
    """The files that are the same one in both folders."""
    names = [name for files in NEWER.values() for name in files]
    return {name for name in names if (folder / name).samefile(other / name)}


def test_the_shards_of_bundles_are_linked_and_all_else_is_copied(place: Place) -> None:
    batch = rewound(place)
    train_on(place, 4)
    files = place.folder / REWOUND / batch / "files"
    back = place.undo(batch, OnConflict.RENAME)
    folder = place.root / str(back.new_run)
    assert shared(folder, files) == {f"ckpts/ckpt-{step}.data-00000-of-00001" for step in (4, 5, 6)}
    own = [path for path in files.rglob("*") if path.is_file() and path.stat().st_nlink == 1]
    assert only(place).freed_bytes == sum(path.stat().st_blocks * 512 for path in own)


def test_training_on_in_the_new_run_changes_nothing_elsewhere(place: Place) -> None:
    """A CheckpointManager in it writes anew, and rotates away, only its own: TensorFlow writes an index into the file
    that is there.
    """
    batch = rewound(place)
    train_on(place, 4)
    back = place.undo(batch, OnConflict.RENAME)
    before, held = tree(place.folder), tree_of(place.folder / REWOUND)
    folder = place.root / str(back.new_run) / "ckpts"
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(w=tf.Variable(1.0)), str(folder), 2)
    manager.save(checkpoint_number=6)
    manager.save(checkpoint_number=7)
    assert sorted(path.stem for path in folder.glob("*.index")) == ["ckpt-6", "ckpt-7"]
    assert tree(place.folder) == before
    assert tree_of(place.folder / REWOUND) == held


def test_paths_of_the_old_run_become_those_of_the_new_one(place: Place) -> None:
    """A state file with absolute paths would make the new run's job go on from, and rotate, the old run's files."""
    ckpts = place.folder / "ckpts"
    absolute = OLD_STATE.decode().replace('"ckpt-', f'"{ckpts}/ckpt-')
    write(place.folder, {STATE: absolute.encode()})
    batch = rewind(place.folder, NEWER, {STATE: NEW_STATE}, formats=FORMATS)
    train_on(place, 4, 5, 6)
    folder = place.root / str(place.undo(batch, OnConflict.RENAME).new_run) / "ckpts"
    assert latest(folder) == str(folder / "ckpt-6")
    assert listed(folder) == ["ckpt-4", "ckpt-5", "ckpt-6"]


def test_a_state_file_that_went_with_them_comes_along(place: Place) -> None:
    """Where all that it names is set aside it goes too: that of tf-keras' BackupAndRestore, say."""
    backup = place.folder / "backup/chief"
    save(backup, 6)
    state = f'model_checkpoint_path: "{backup}/ckpt-6"\nall_model_checkpoint_paths: "{backup}/ckpt-6"\n'
    write(backup, {"checkpoint": state.encode()}, START_NS)
    items = {"backup/chief/ckpt-6": (*bundle("backup/chief/ckpt-6"), "backup/chief/checkpoint")}
    before = tree(place.folder)
    batch = rewind(place.folder, items)
    place.undo(batch)
    assert tree(place.folder) == before
    other = rewind(place.folder, items)
    write(backup, {"checkpoint": b"another"})
    back = place.undo(other, OnConflict.RENAME)
    folder = place.root / str(back.new_run) / "backup/chief"
    assert latest(folder) == str(folder / "ckpt-6")
    assert back.files == 3


def test_what_is_no_whole_checkpoint_any_more_does_not_come_along_and_is_told(place: Place) -> None:
    batch = rewound(place)
    train_on(place, 4)
    files = place.folder / REWOUND / batch / "files"
    (files / "ckpts/ckpt-6.index").unlink()
    (files / "best/e-6.keras").write_bytes(b"changed")
    back = place.undo(batch, OnConflict.RENAME)
    assert [(one.path, one.problem) for one in back.problems] == [
        ("ckpts/ckpt-6", "ckpts/ckpt-6.index is not in the batch any more"),
        ("best/e-6.keras", "best/e-6.keras was written since"),
    ]
    folder = place.root / str(back.new_run) / "ckpts"
    assert (latest(folder), listed(folder)) == (str(folder / "ckpt-5"), ["ckpt-4", "ckpt-5"])
    shutil.rmtree(files)
    write(files, {"ckpts/ckpt-4.data-00000-of-00001": b""})
    with pytest.raises(CoreError, match=r"Nothing of batch .* ckpts/ckpt-4.index is not in the batch any more"):
        place.undo(batch, OnConflict.RENAME)


def test_a_name_that_is_taken_is_passed_over(place: Place) -> None:
    batch = rewound(place)
    train_on(place, 4)
    first, second = (place.undo(batch, OnConflict.RENAME).new_run for _ in range(2))
    assert (first, second) == (f"exp/a-rewound-{batch[-8:]}", f"exp/a-rewound-{batch[-8:]}-2")
    assert tree(place.root / str(first)) == tree(place.root / str(second))


def test_a_run_without_a_place_beside_it_gets_a_folder(tmp_path: Path) -> None:
    place = Place(root=tmp_path / "root", run=".")
    save(place.folder, 1)
    save(place.folder, 2)
    batch = rewind(place.folder, {"ckpt-2": bundle("ckpt-2")})
    save(place.folder, 2, at_ns=START_NS)
    with pytest.raises(ConflictError, match=rf"ckpt-2 \(could go into restored-{batch[-8:]}/\)") as refused:
        place.undo(batch)
    assert refused.value.new_run is None
    assert place.undo(batch, OnConflict.RENAME).new_run is None
    assert why_not(place.folder / f"restored-{batch[-8:]}/ckpt-2") is None


def test_a_folder_that_takes_no_new_run_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = rewound(place)
    train_on(place, 4)
    refuse_writes(monkeypatch, lambda path: path == place.folder.parent)
    with pytest.raises(ReadOnlyError, match="so no new run can be made in it"):
        place.undo(batch, OnConflict.RENAME)
    assert os.listdir(place.folder.parent) == ["a"]


def test_a_disk_too_small_for_the_copies_holds_no_part_of_a_new_run(small_disk: Maker) -> None:
    place = Place(root=small_disk("disk", "8m") / "root")
    save(place.folder, 1)
    write(place.folder, {"e-6.keras": bytes(5 << 20)})
    batch = rewind(place.folder, {"e-6.keras": ("e-6.keras",)}, formats={"e-6.keras": "keras"})
    write(place.folder, {"e-6.keras": b"new"})
    with pytest.raises(OSError, match="No space left"):
        place.undo(batch, OnConflict.RENAME)
    assert [path.name for path in place.folder.parent.iterdir()] == ["a"]
    assert only(place).undoable


def test_a_run_that_lived_lately_keeps_its_state_file(place: Place) -> None:
    batch = rewound(place)
    (place.folder / "notes.txt").write_bytes(b"just now")
    back = place.undo(batch)
    assert back.files == 7
    assert [one.problem for one in back.problems] == [
        "was left as it is: the run is live, and its job never reads it again"
    ]
    assert (place.folder / STATE).read_text() == NEW_STATE


def test_nothing_comes_back_to_where_a_living_job_would_write_over_it(place: Place) -> None:
    """Its next save is ckpt-4, whose name is free at this moment."""
    batch = rewound(place)
    mark = lease(place.folder)
    before = tree(place.folder)
    with pytest.raises(ConflictError, match="a job lives in this run") as refused:
        place.undo(batch)
    assert [one.taken for one in refused.value.conflicts] == [()] * 4
    assert tree(place.folder) == before
    folder = place.root / str(place.undo(batch, OnConflict.RENAME).new_run)
    assert latest(folder / "ckpts") == str(folder / "ckpts/ckpt-6")
    assert tree(place.folder) == before
    mark.unlink()
    assert place.undo(batch).files == 7


@pytest.mark.parametrize("moved", range(8))
def test_a_half_done_rewind_waits_for_its_job_or_is_taken_back(place: Place, moved: int) -> None:
    before = tree(place.folder)
    batch = rewound(place, stop_after=moved)
    half = tree(place.folder)
    assert not needs_recovery(place.folder)
    assert recover(place.run_folder, actor="waypoint", now=NOW) == ()
    assert tree(place.folder) == half
    one = only(place)
    assert (one.stage, one.undoable, one.purgeable) == (Stage.MOVING, True, False)
    assert [problem.problem for problem in one.problems] == [
        "was left half-done: the job completes it at its next start, or Undo takes it back"
    ]
    with pytest.raises(StageError, match="the job completes it at its next start, or an undo takes it back"):
        purged(place, batch)
    assert purge_older(place.run_folder, 0, actor="bob", now=NOW + timedelta(days=9)) == ()
    lease(place.folder)  # of the job that was killed: it is young, and the run is live
    back = place.undo(batch)
    assert (back.problems, back.journal.stage) == ((), Stage.UNDONE)
    assert tree(place.folder) == before
    assert journal_of(place.folder, batch)["undo"]["by"] == "bob"


def test_a_half_done_rewind_with_something_in_its_way_is_left_to_its_job(place: Place) -> None:
    batch = rewound(place, stop_after=2)
    write(place.folder, {"ckpts/ckpt-4.index": b"new"})
    half, held = tree(place.folder), tree_of(place.folder / REWOUND)
    for choice in OnConflict:
        with pytest.raises(StageError, match="half-done, and something else stands in the place of ckpts/ckpt-4"):
            place.undo(batch, choice)
    assert (tree(place.folder), tree_of(place.folder / REWOUND)) == (half, held)


def test_an_undo_that_was_killed_is_completed(place: Place) -> None:
    before = tree(place.folder)
    batch = rewound(place)
    journal = journal_of(place.folder, batch)
    undo = {"by": "bob", "at": "2026-01-31T09:30:00Z"}
    (place.folder / REWOUND / batch / "journal.json").write_text(
        json.dumps({**journal, "stage": "undoing", "undo": undo})
    )
    assert needs_recovery(place.folder)
    (ended,) = recover(place.run_folder, actor="ada", now=NOW)
    assert (ended.batch, ended.found, ended.became) == (batch, Stage.UNDOING, Stage.UNDONE)
    assert tree(place.folder) == before


def test_a_purge_leaves_a_record_beside_the_plan(place: Place) -> None:
    batch = rewound(place)
    rest = tree(place.folder)
    promised = only(place).freed_bytes
    done = purged(place, batch, "exp/a")
    assert (done.files, done.freed_bytes, done.problems) == (7, promised, ())
    assert sorted(os.listdir(place.folder / REWOUND)) == [f"{batch}.plan.json", f"{batch}.purged.json"]
    assert tree(place.folder) == rest
    one = only(place)
    assert (one.kind, one.stage, one.freed_bytes, one.undoable) == (JournalKind.REWIND, Stage.PURGED, promised, False)
    with pytest.raises(NotFoundError, match="There is no batch"):
        place.undo(batch)


def test_what_came_back_as_a_new_run_outlives_the_purge(place: Place) -> None:
    batch = rewound(place)
    train_on(place, 4)
    folder = place.root / str(place.undo(batch, OnConflict.RENAME).new_run)
    purged(place, batch)
    assert [why_not(folder / f"ckpts/ckpt-{step}") for step in (4, 5, 6)] == [None] * 3


def test_old_ones_are_purged_by_themselves_but_never_what_is_pinned(place: Place) -> None:
    pin(RunFolder.alone(place.folder), "ckpts/ckpt-5", Format.TF_BUNDLE, actor="ada", now=NOW)
    kept = rewound(place)
    save(place.folder / "ckpts", 7)
    gone = rewind(place.folder, {"ckpts/ckpt-7": bundle("ckpts/ckpt-7")}, at=NOW - timedelta(days=3))
    late = NOW + timedelta(days=30)
    assert purge_older(place.run_folder, 40, actor="waypoint", now=late) == ()
    assert [one.batch for one in purge_older(place.run_folder, 30, actor="waypoint", now=late)] == [gone]
    held = {one.id: one.stage for one in batches(place.folder).batches}
    assert held == {kept: Stage.DONE, gone: Stage.PURGED}
    assert purged(place, kept).files == 7  # by hand, and confirmed


def test_both_kinds_of_batches_are_told_apart(place: Place) -> None:
    first = rewound(place)
    journal = place.go().journal
    assert journal is not None
    assert [(one.id, one.kind) for one in batches(place.folder).batches] == [
        (journal.id, JournalKind.QUARANTINE),
        (first, JournalKind.REWIND),
    ]
    away = tree(place.folder)
    place.undo(first[-8:])
    assert tree(place.folder).keys() > away.keys()
    place.undo(journal.id)
    assert index_of(place.folder / "ckpts/ckpt-1").exists()


def test_an_undo_that_is_killed_at_any_call_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_rewound", tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kills = json.loads(done.stdout)
    assert kills["taken_back"] > 25
    assert kills["bring_back_as_run"] > 40


def broken(text: str) -> str:
    return text.replace('"ckpts/ckpt-4.index"', '"../../b"')


def other(text: str) -> str:
    return text.replace('"id": "0', '"id": "1')


@pytest.mark.parametrize("change", [broken, other])
def test_a_journal_that_cannot_be_understood_is_left_alone(place: Place, change: Callable[[str], str]) -> None:
    batch = rewound(place)
    journal = place.folder / REWOUND / batch / "journal.json"
    journal.write_text(change(journal.read_text()))
    before = tree_of(place.folder / REWOUND)
    found = batches(place.folder)
    assert (found.batches, [one.path for one in found.problems]) == ((), [f"{REWOUND}/{batch}"])
    with pytest.raises(CoreError, match=r"journal\.json"):
        place.undo(batch)
    assert purge_older(place.run_folder, 0, actor="bob", now=NOW + timedelta(days=9)) == ()
    assert tree_of(place.folder / REWOUND) == before


def test_a_link_in_the_place_of_the_batches_is_refused(place: Place, tmp_path: Path) -> None:
    batch = rewound(place)
    (place.folder / REWOUND).rename(tmp_path / "away")
    (place.folder / REWOUND).symlink_to(tmp_path / "away")
    held = tree_of(tmp_path / "away")
    with pytest.raises(PlaceError, match="rewound is no plain folder"):
        place.undo(batch)
    assert tree_of(tmp_path / "away") == held


def test_the_audit_counts_what_was_set_aside_like_quarantine(place: Place) -> None:
    rewound(place)
    place.go()
    usage = audit(
        [AuditRoot(id="r", store=LocalStore(str(place.root)), known=Known(places={}))], LocalStore("/tmp").now_ns()
    )
    folders = [place.folder / ".waypoint" / name for name in ("rewound", "quarantine")]
    assert [any(folder.rglob("*.index")) for folder in folders] == [True, True]
    held = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert dict(usage.by_kind)[Kind.QUARANTINE].allocated == sum(path.stat().st_blocks * 512 for path in held)
    assert usage.quarantines == (("r", "exp/a"),)


def test_what_a_job_itself_set_aside_comes_back(place: Place, workspace: Opener) -> None:
    before = tree(place.folder)
    opened = workspace(place.root)
    opened.refresh()
    held = opened.find_run("exp/a")
    (pick,) = [one for one in opened.members(held.root, held.path) if one.path.endswith("ckpt-3")]
    proposal = propose(opened, pick, Mode.REWIND)
    accepted = [warning.id for warning in proposal.warnings]
    manifest, _ = resume_from(opened, pick, proposal, note="too far", accepted=accepted)
    decision = decide(place.folder)
    assert decision.lease is not None
    assert set(set_aside(decision)) == {f"ckpts/ckpt-{step}" for step in (4, 5, 6)}
    decision.lease.release()
    assert latest(place.folder / "ckpts") == str(place.folder / "ckpts/ckpt-3")
    one = only(place)
    assert (one.id, one.kind, one.stage, one.note, one.problems) == (
        *(manifest.id, JournalKind.REWIND, Stage.DONE, "too far"),
        (),
    )
    back = place.undo(manifest.id)
    assert (back.files, back.problems, back.journal.stage, back.withdrawn) == (6, (), Stage.UNDONE, True)
    (place.folder / "resume_manifest.json").unlink()
    assert tree(place.folder) == before


def begun(place: Place, opened: Workspace, picked: str = "ckpt-3") -> tuple[str, Decision]:
    """A rewind that a job has claimed."""
    opened.refresh()
    held = opened.find_run("exp/a")
    (pick,) = [one for one in opened.members(held.root, held.path) if one.path.endswith(picked)]
    proposal = propose(opened, pick, Mode.REWIND)
    accepted = [warning.id for warning in proposal.warnings]
    manifest, _ = resume_from(opened, pick, proposal, note="", accepted=accepted, confirm="exp/a")
    return manifest.id, decide(place.folder)


@pytest.mark.parametrize("state", ["claimed", "finished", "replaced", "half-done"])
def test_no_job_goes_back_to_the_pick_of_what_was_undone(place: Place, workspace: Opener, state: str) -> None:
    """It would save over what came back."""
    opened = workspace(place.root)
    batch, job = begun(place, opened)
    assert job.lease is not None
    assert set_aside(job)
    if state == "finished":
        job.note(finished_at="2026-01-31T09:30:00Z")
    job.lease.release()
    if state == "replaced":
        other = begun(place, opened, "ckpt-2")[1]
        assert other.lease is not None
        other.lease.release()
    if state == "half-done":
        journal = place.folder / REWOUND / batch / "journal.json"
        journal.write_text(json.dumps({**json.loads(journal.read_text()), "stage": "moving"}))
        mark = lease(place.folder)
        held = tree_of(place.folder / REWOUND)
        with pytest.raises(StateError, match="lives in this run and follows the manifest: end it first"):
            place.undo(batch)
        assert tree_of(place.folder / REWOUND) == held
        mark.unlink()
    back = place.undo(batch)
    assert (back.journal.stage, back.withdrawn) == (Stage.UNDONE, state != "finished")
    (entry,) = [one for one in read_manifests(RunFolder.alone(place.folder)).entries if one.manifest.id == batch]
    expected = {"finished": ManifestState.FINISHED, "replaced": ManifestState.SUPERSEDED}
    assert entry.state is expected.get(state, ManifestState.WITHDRAWN)
    if back.withdrawn:
        assert events(place.folder)[-2:] == ["withdraw manifest", "undo rewind"]
        assert governing([place.folder]) == (None, None)


def test_what_comes_back_as_a_new_run_leaves_the_manifest_alone(place: Place, workspace: Opener) -> None:
    batch, job = begun(place, workspace(place.root))
    assert set_aside(job)
    train_on(place, 4)  # the job lives
    back = place.undo(batch, OnConflict.RENAME)
    assert (back.withdrawn, back.new_run is not None) == (False, True)
    assert [one.state for one in read_manifests(RunFolder.alone(place.folder)).entries] == [ManifestState.CLAIMED]
    assert job.lease is not None
    job.lease.release()


def test_the_shell_says_that_the_manifest_was_withdrawn(shell: Place, workspace: Opener) -> None:
    batch, job = begun(shell, workspace(shell.root))
    assert set_aside(job)
    assert job.lease is not None
    job.lease.release()
    done = run("undo", "exp/a", batch)
    assert "The rewind's manifest was withdrawn: a job that is started now goes on from the newest" in done.stderr


@pytest.mark.parametrize("name", ["ä" * 120, "..a"], ids=["long", "dots"])
def test_the_name_of_the_new_run_is_always_valid(tmp_path: Path, name: str) -> None:
    place = Place(root=tmp_path / "root", run=name)
    save(place.folder, 1)
    save(place.folder, 2)
    batch = rewind(place.folder, {"ckpt-2": bundle("ckpt-2")})
    save(place.folder, 2, at_ns=START_NS)
    with pytest.raises(ConflictError) as refused:
        place.undo(batch)
    new = place.undo(batch, OnConflict.RENAME).new_run
    assert new == refused.value.new_run
    assert str(new).endswith(f"-rewound-{batch[-8:]}")
    assert not str(new).startswith(".")
    assert why_not(place.root / str(new) / "ckpt-2") is None


@pytest.fixture
def shell(place: Place, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Place:
    monkeypatch.setenv("WAYPOINT_ROOTS", str(place.root))
    return place


def test_the_shell_lists_brings_back_and_purges(shell: Place) -> None:
    before = tree(shell.folder)
    batch = rewound(shell)
    (told,) = answer("undo", "exp/a")
    assert (told["batch"], told["kind"], told["stage"]) == (batch, "rewind", "done")
    assert f"{batch[-8:]}  rewind  done  " in run("undo", "exp/a", "--cached").stdout
    assert answer("undo", "exp/a", batch) == {
        "batch": batch,
        "stage": "undone",
        "problems": 0,
        "new_run": None,
        "withdrawn": False,
    }
    assert tree(shell.folder) == before
    second = rewound(shell)
    train_on(shell, 4)
    refused = run("undo", "exp/a", second)
    new = f"exp/a-rewound-{second[-8:]}"
    assert refused.exit_code == 1
    assert f"7 files can come back as the new run {new}; what was set aside stays until it is purged." in refused.stderr
    assert "say --rename" in refused.stderr
    done = run("undo", "exp/a", second, "--rename")
    assert f"7 files came back as the new run {new}; what was set aside stays until it is purged." in done.stderr
    assert {row["path"] for row in answer("ls", new)} >= {f"{new}/ckpts/ckpt-{step}" for step in (4, 5, 6)}
    assert answer("purge", "exp/a", second, "--confirm", "exp/a")[0]["files"] == 7


def test_the_shell_says_who_ends_a_half_done_rewind(shell: Place) -> None:
    batch = rewound(shell, stop_after=3)
    assert "moving; was left half-done: the job completes it at its next start" in run("undo", "exp/a").stdout
    assert answer("purge", "exp/a", batch, "--dry-run") == []
    result = run("purge", "exp/a", batch, "--confirm", "exp/a")
    assert (result.exit_code, "completes it at its next start" in result.stderr) == (1, True)
    assert answer("undo", "exp/a", batch)["stage"] == "undone"


def test_the_new_run_is_found_as_a_run_of_its_own(place: Place, workspace: Opener) -> None:
    batch = rewound(place)
    train_on(place, 4)
    new = place.undo(batch, OnConflict.RENAME).new_run
    opened = workspace(place.root)
    opened.refresh()
    found = {one.path: one for one in opened.runs()}
    assert found.keys() == {"exp/a", new}
    assert found[str(new)].restorable == 3
    assert {one.path for one in opened.members(found[str(new)].root, str(new))} >= {
        f"{new}/ckpts/ckpt-{step}" for step in (4, 5, 6)
    }

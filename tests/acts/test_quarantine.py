"""Into quarantine and back: what goes, what stays and why, the journal, the state file, and who is told what."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.acts.acting import StageError
from core.acts.batches import Batch, batches
from core.acts.journal import Journal, Stage
from core.acts.quarantine import Act, Quarantined, holding_plan, quarantine
from core.acts.recovery import needs_recovery, recover
from core.acts.undo import ConflictError, OnConflict
from core.base.errors import AmbiguousError, BusyError, CoreError, NotFoundError, PlaceError, ReadOnlyError
from core.base.facts import Format
from core.retention.planned import RunPlan
from core.retention.recheck import Replan
from core.runfolder.pins import pin
from core.runfolder.places import locked
from core.runfolder.run_folder import RunFolder
from tests.support.quarantine_cases import Case, a_case, bundle_files, folders, in_quarantine, state_text, tree
from tests.support.read_only import refuse_writes
from tests.support.resume_cases import NOW
from tests.support.trees import START_NS, write


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return a_case(tmp_path / "root")


def gone(done: Quarantined) -> Journal:
    assert done.journal is not None
    return done.journal


def reasons(done: Quarantined) -> dict[str, tuple[str, ...]]:
    return {item.path: item.reasons for item in done.left_out}


def only(case: Case) -> Batch:
    (batch,) = batches(case.folder).batches
    return batch


def log(case: Case) -> list[dict[str, object]]:
    return [json.loads(line) for line in (case.folder / ".waypoint/log.jsonl").read_text().splitlines()]


def test_what_a_plan_holds_goes_and_comes_back(case: Case) -> None:
    before, below, plan = tree(case.folder), folders(case.folder), case.plan()
    planned = {file.path for item in plan.items for file in item.files}
    done = case.go(plan)
    assert done.left_out == ()
    after = tree(case.folder)
    assert after.keys() == before.keys() - planned
    assert in_quarantine(case.folder) == {name: before[name] for name in planned}
    assert {name for name in below if name not in folders(case.folder)} == {
        *("ckpts/ckpt-8_temp", "export/1", "export/1/assets", "export/1/variables"),
        *("export/2", "export/2/assets", "export/2/variables"),
        *(f"orbax/{number}{rest}" for number in (1, 2) for rest in ("", "/d", "/d/deep", "/empty")),
    }
    back = case.undo(gone(done).id)
    assert (back.files, back.problems, back.journal.stage) == (len(planned), (), Stage.UNDONE)
    assert tree(case.folder) == before
    assert folders(case.folder) == below
    assert (case.folder / "export/1/variables").stat().st_mtime_ns == START_NS + 1
    assert [(line["actor"], line["event"], line["batch"]) for line in log(case)] == [
        ("ada", "quarantine", gone(done).id),
        ("bob", "undo quarantine", gone(done).id),
    ]


def test_the_journal_is_what_the_documentation_says(case: Case) -> None:
    keep = {"keras/m-1.keras", "keras/m-2.keras", "orbax/1", "orbax/2", "export/1", "ckpts/ckpt-9", "ckpts/ckpt-8_temp"}
    plan = case.plan()
    plan = replace(plan, items=tuple(item for item in plan.items if item.path not in keep))
    batch = gone(case.go(plan))
    document = json.loads((case.folder / ".waypoint/quarantine" / batch.id / "journal.json").read_text())
    facts = os.stat(case.folder / ".waypoint/quarantine" / batch.id / "files/ckpts/ckpt-1.index")
    first = document["items"][0]
    assert [item["path"] for item in document["items"]] == ["ckpts/ckpt-1", "ckpts/ckpt-2", "export/2"]
    assert first["files"][0] == {
        "path": "ckpts/ckpt-1.index",
        "size": 15,
        "allocated": facts.st_blocks * 512,
        "mtime_ns": START_NS + 1_000_000_000,
        "mode": 0o640,
        "inode": facts.st_ino,
        "device": facts.st_dev,
        "links": 1,
    }
    assert {key: first[key] for key in first if key != "files"} == {
        "kind": "checkpoint",
        "path": "ckpts/ckpt-1",
        "format": "tf-bundle",
        "reason": "no rule of the policy keeps it",
        "elsewhere": None,
    }
    assert {folder["path"]: folder["goes"] for folder in document["folders"]} == {
        "ckpts": False,
        "export": False,
        "export/2": True,
        "export/2/assets": True,
        "export/2/variables": True,
    }
    assert document["states"] == [
        {
            "path": "ckpts/checkpoint",
            "old": state_text(3, 1, 2, 3).decode(),
            "new": (case.folder / "ckpts/checkpoint").read_text(),
            "mtime_ns": START_NS + 4_000_000_000,
        }
    ]
    rest = {key: document[key] for key in document if key not in ("id", "items", "folders", "states")}
    told = {"by": "ada", "at": "2026-01-31T09:30:00Z", "note": "old", "stage": "done"}
    assert rest == {"version": 1, "kind": "quarantine", **told, "undo": None, "purge": None}
    page = (Path(__file__).parents[2] / "docs/storage.md").read_text()
    keys = {*document, *first, *first["files"][0], *document["folders"][0], *document["states"][0]}
    assert {key for key in keys if f"`{key}`" not in page and f"`{key}[]`" not in page} == set()


def test_the_index_goes_first_and_comes_back_last(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    for name in ("rename", "link"):
        real = getattr(os, name)

        def noted(source: Path, target: Path, real: object = real, **more: object) -> None:
            moved.append(os.path.basename(source))
            real(source, target, **more)  # type: ignore[operator]

        monkeypatch.setattr(os, name, noted)
    batch = gone(case.go())
    there = [name for name in moved if name.startswith("ckpt-2") or name == "saved_model.pb"]
    assert there[0] == "ckpt-2.index"
    moved.clear()
    case.undo(batch.id)
    assert [name for name in moved if name.startswith("ckpt-2")][-1] == "ckpt-2.index"
    assert moved.index("saved_model.pb") > moved.index("fingerprint.pb")


def test_quarantine_shuts_out_whom_the_folder_did(case: Case) -> None:
    (case.folder / "ckpts").chmod(0o750)
    files = case.folder / ".waypoint/quarantine" / gone(case.go()).id / "files"
    assert (files / "ckpts").stat().st_mode & 0o777 == 0o750
    assert (files / "export/1/variables").stat().st_mode & 0o777 == 0o700


# What changed since the plan


def rewrite(path: Path) -> None:
    """The same bytes and the same time, in another file."""
    found = path.stat()
    shutil.copy2(path, path.with_name("x"))
    path.with_name("x").rename(path)
    assert path.stat().st_mtime_ns == found.st_mtime_ns


def link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "longer": (lambda path: path.write_bytes(b"longer than it was"), "bytes instead of"),
    "younger": (lambda path: os.utime(path, ns=(START_NS, START_NS + 7)), "was written since"),
    "replaced": (rewrite, "was replaced since"),
    "gone": (lambda path: path.unlink(), "is no longer there as a plain file"),
    "link": (link, "is no longer there as a plain file"),
    "one more shard": (lambda path: write(path.parent, {"ckpt-1.data-00001-of-00002": b"x"}), "it has other files now"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_the_plan_is_left_out_and_said(tmp_path: Path, change: str) -> None:
    case = a_case(tmp_path / "root", live_window=0.0)
    known, plan = case.state(), case.plan()
    act, reason = CHANGES[change]
    act(case.folder / "ckpts/ckpt-1.index")
    there = {path.name for path in (case.folder / "ckpts").glob("ckpt-1*")}
    with holding_plan(case.run_folder, plan, Act(actor="ada", now=NOW)) as held:
        done = quarantine(held, Replan(state=known, policy=case.policy, grace=60.0))
    assert list(reasons(done)) == ["ckpts/ckpt-1"]
    assert reason in " ".join(reasons(done)["ckpts/ckpt-1"])
    assert {path.name for path in (case.folder / "ckpts").glob("ckpt-1*")} == there
    assert not [name for name in in_quarantine(case.folder) if "ckpt-1." in name]


def test_a_pin_that_was_set_since_holds(case: Case) -> None:
    plan = case.plan()
    pin(RunFolder.alone(case.folder), "ckpts/ckpt-2", Format.TF_BUNDLE, actor="eve", now=NOW, note="the paper's")
    done = case.go(plan)
    assert reasons(done) == {"ckpts/ckpt-2": ("pinned by eve: the paper's",)}
    assert (case.folder / "ckpts/ckpt-2.index").exists()
    assert 'paths: "ckpt-2"' in (case.folder / "ckpts/checkpoint").read_text()


def test_a_manifest_that_cannot_be_read_keeps_everything_it_may_name(case: Case) -> None:
    plan = case.plan()
    (case.folder / "resume_manifest.json").write_text("{")
    done = case.go(plan)
    assert done.journal is None
    assert all("a manifest cannot be read" in " ".join(why) for why in reasons(done).values())


@pytest.mark.parametrize("sign", ["file", "lease"])
def test_of_a_run_that_came_alive_only_leftovers_go(case: Case, sign: str) -> None:
    plan, state = case.plan(), (case.folder / "ckpts/checkpoint").read_bytes()
    if sign == "lease":
        write(case.folder, {".waypoint/lease.json": b"{}"})
        os.utime(case.folder / ".waypoint/lease.json")
    else:
        (case.folder / "events.out.tfevents.1").write_bytes(b"now")
    done = case.go(plan)
    assert {item.path for item in gone(done).items} == {"ckpts/ckpt-9", "ckpts/ckpt-8_temp"}
    assert gone(done).states == ()
    assert {"live run: only leftovers go"} == {why for all_ in reasons(done).values() for why in all_}
    assert (case.folder / "ckpts/checkpoint").read_bytes() == state


def test_a_lease_that_nobody_touched_for_two_minutes_is_none(case: Case) -> None:
    write(case.folder, {".waypoint/lease.json": b"{}"}, case.state().now_ns - 121 * 1_000_000_000)
    assert not case.run_folder.is_live()
    write(case.folder, {".waypoint/lease.json": b"{}"}, case.state().now_ns - 110 * 1_000_000_000)
    assert case.run_folder.is_live()


def test_a_run_inside_lives_its_own_life(tmp_path: Path) -> None:
    case = a_case(tmp_path / "root", inner=frozenset({"other"}))
    (case.folder / "other").mkdir()
    (case.folder / "other/events.out.tfevents.1").write_bytes(b"now")
    assert not case.run_folder.is_live()
    assert replace(case, inner=frozenset()).run_folder.is_live()


def test_a_second_time_there_is_nothing_left_to_move(case: Case) -> None:
    plan = case.plan()
    case.go(plan)
    again = case.go(plan)
    assert again.journal is None
    assert {why for all_ in reasons(again).values() for why in all_} == {
        "it is no longer there, or no longer what it was"
    }
    assert len(batches(case.folder).batches) == 1


@pytest.mark.parametrize("window", [0.0, 3600.0], ids=["idle", "live"])
def test_a_job_that_writes_in_the_last_instant_keeps_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: float
) -> None:
    case = a_case(tmp_path / "root", live_window=window)
    before, real, plan = tree(case.folder), os.rename, case.plan()
    written = case.folder / "ckpts/ckpt-2.data-00001-of-00002"

    def late(source: Path, target: Path) -> None:
        if source == written:
            written.write_bytes(b"a new save")
        real(source, target)

    monkeypatch.setattr(os, "rename", late)
    done = case.go(plan)
    why = reasons(done)
    assert why.pop("ckpts/ckpt-2") == ("ckpts/ckpt-2.data-00001-of-00002 was written while it was moved",)
    assert written.read_bytes() == b"a new save"
    assert {"ckpts/ckpt-2.index", "ckpts/ckpt-2.data-00000-of-00002"} <= tree(case.folder).keys()
    if window:
        assert set(why.values()) == {("live run: only leftovers go",)}
        assert {item.path for item in gone(done).items} == {"ckpts/ckpt-9", "ckpts/ckpt-8_temp"}
    else:
        assert why == {}
        assert listed(case) == ["ckpt-2", "ckpt-3"]
    assert [line["event"] for line in log(case)] == ["quarantine", "quarantine taken back", "quarantine"]
    assert len(batches(case.folder).batches) == 1
    case.undo(gone(done).id)
    assert tree(case.folder).keys() == before.keys()
    assert (case.folder / "ckpts/checkpoint").read_bytes() == state_text(3, 1, 2, 3)


# Places


@pytest.fixture
def other_disk(case: Case) -> Iterator[Path]:
    """Another file system in the place of keras/."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a file system")
    place = case.folder / "keras"
    shutil.copytree(place, case.root / "copy")
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=False, capture_output=True).returncode:
        pytest.skip("this system refuses to mount a file system in memory")
    try:
        shutil.copytree(case.root / "copy", place, dirs_exist_ok=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_what_is_on_another_file_system_stays_and_is_said(case: Case, other_disk: Path) -> None:
    done = case.go()
    assert reasons(done) == dict.fromkeys(
        ("keras/m-1.keras", "keras/m-2.keras"), ("it is on another file system than its run",)
    )
    assert sorted(os.listdir(other_disk)) == ["m-1.keras", "m-2.keras", "m-3.keras"]
    assert "ckpts/ckpt-1.index" in in_quarantine(case.folder)


def test_a_mount_that_hides_behind_the_same_device_is_found_by_the_move(case: Case, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a file system")
    place, shared = case.folder / "keras", tmp_path / "shared"
    shutil.copytree(place, shared)
    if subprocess.run(["mount", "--bind", shared, place], check=False, capture_output=True).returncode:
        pytest.skip("this system refuses to mount a folder a second time")
    try:
        before = tree(case.folder)
        done = case.go()
        assert set(reasons(done)) == {"keras/m-1.keras", "keras/m-2.keras"}
        assert "is on another file system than its run" in reasons(done)["keras/m-1.keras"][0]
        assert {"ckpts/ckpt-1.index", "export/1/saved_model.pb"} <= in_quarantine(case.folder).keys()
        case.undo(gone(done).id)
        assert tree(case.folder) == before
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_folder_that_became_a_link_is_not_followed(case: Case, tmp_path: Path) -> None:
    known, plan = case.state(), case.plan()
    for target in (tmp_path / "outside", case.folder / "elsewhere"):
        (case.folder / "keras").rename(target)
        (case.folder / "keras").symlink_to(target)
        with holding_plan(case.run_folder, plan, Act(actor="ada", now=NOW)) as held:
            done = quarantine(held, Replan(state=known, policy=case.policy, grace=60.0))
        assert {path for path in reasons(done) if path.startswith("keras")} == {"keras/m-1.keras", "keras/m-2.keras"}
        assert sorted(os.listdir(target)) == ["m-1.keras", "m-2.keras", "m-3.keras"]
        (case.folder / "keras").unlink()
        target.rename(case.folder / "keras")
        if done.journal is not None:
            case.undo(done.journal.id)


def test_a_folder_that_cannot_be_looked_at_keeps_its_files_and_lets_the_others_go(tmp_path: Path) -> None:
    case = a_case(tmp_path / "root", live_window=0.0)
    known, plan = case.state(), case.plan()
    (case.folder / "keras").rename(case.folder / "aside")
    (case.folder / "keras").symlink_to("keras")
    with holding_plan(case.run_folder, plan, Act(actor="ada", now=NOW)) as held:
        done = quarantine(held, Replan(state=known, policy=case.policy, grace=60.0))
    assert {path for path in reasons(done) if path.startswith("keras")} == {"keras/m-1.keras", "keras/m-2.keras"}
    assert "ckpts/ckpt-1.index" in in_quarantine(case.folder)


@pytest.mark.parametrize("place", [".waypoint", ".waypoint/quarantine"])
def test_a_link_in_the_place_of_our_folder_is_refused(case: Case, tmp_path: Path, place: str) -> None:
    (tmp_path / "outside").mkdir()
    (case.folder / place).parent.mkdir(exist_ok=True)
    (case.folder / place).symlink_to(tmp_path / "outside")
    before = tree(case.folder)
    with pytest.raises(PlaceError, match="no plain folder"):
        case.go()
    assert (tree(case.folder), os.listdir(tmp_path / "outside")) == (before, [])


def test_a_run_that_is_its_root_keeps_its_quarantine_at_the_top(tmp_path: Path) -> None:
    case = a_case(tmp_path / "root", run=".")
    before = tree(case.folder)
    done = case.go()
    assert (tmp_path / "root/.waypoint/quarantine" / gone(done).id / "files/ckpts/ckpt-1.index").exists()
    assert re.findall('paths: "(.*)"', (case.folder / "ckpts/checkpoint").read_text()) == ["ckpt-3"]
    case.undo(gone(done).id)
    assert tree(case.folder) == before


def test_names_that_are_no_text_go_and_come_back(case: Case) -> None:
    name = os.fsdecode(b"cp-\xff\n-1.keras")
    write(case.folder / "raw", {name: b"one", name.replace("1", "2"): b"two"})
    before = tree(case.folder)
    done = case.go()
    assert r"raw/cp-\xff\x0a-1.keras" in {item.path for item in gone(done).items}
    assert not (case.folder / "raw" / name).exists()
    case.undo(gone(done).id)
    assert tree(case.folder) == before


@pytest.fixture
def read_only(case: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A run of which nothing can be written."""
    refuse_writes(monkeypatch, lambda path: path.is_relative_to(case.root))
    return case


def test_a_read_only_run_says_what_to_do(read_only: Case) -> None:
    with pytest.raises(ReadOnlyError, match=r"exp/a cannot be written.* Give the plan, which lists every file"):
        read_only.go()
    assert not (read_only.folder / ".waypoint").exists()


def test_a_folder_that_cannot_be_written_keeps_what_it_holds(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not str(path).endswith("/keras"))
    done = case.go()
    assert reasons(done) == dict.fromkeys(("keras/m-1.keras", "keras/m-2.keras"), ("keras cannot be written",))


def test_a_batch_that_somebody_else_holds_is_not_half_undone(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, held = gone(case.go()), in_quarantine(case.folder)
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not str(path).endswith("files/orbax/2/d/deep"))
    with pytest.raises(ReadOnlyError, match=r"deep cannot be written: nothing was done\. ada moved these files here"):
        case.undo(batch.id)
    assert in_quarantine(case.folder) == held
    assert only(case).undoable


def test_a_full_disk_leaves_everything_where_it_was(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = tree(case.folder), os.mkdir

    def full(path: Path, *arguments: int, **more: int) -> None:
        if str(path).endswith("/files"):
            raise OSError(28, "No space left on device")
        real(path, *arguments, **more)

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(OSError, match="No space left"):
        case.go()
    assert tree(case.folder) == before
    assert batches(case.folder).batches == ()


# The state file


def listed(case: Case) -> list[str]:
    return re.findall('all_model_checkpoint_paths: "(.*)"', (case.folder / "ckpts/checkpoint").read_text())


def test_the_state_file_keeps_times_and_what_it_did_not_list(case: Case) -> None:
    write(case.folder / "ckpts", bundle_files("ckpt-0"))
    write(case.folder / "ckpts", {"checkpoint": state_text(3, 2, 3, preserved=12.5)}, START_NS + 4_000_000_000)
    case.go()
    assert (case.folder / "ckpts/checkpoint").read_text() == state_text(3, 3, preserved=12.5).decode()
    assert (case.folder / "ckpts/checkpoint").stat().st_mtime_ns == START_NS + 4_000_001_000


@pytest.mark.parametrize(
    "text", [b'model_checkpoint_path: "ckpt-3"\n', b"\0garbage", None], ids=["latest", "bad", "none"]
)
def test_a_state_file_that_names_nothing_that_goes_is_left_alone(case: Case, text: bytes | None) -> None:
    place = case.folder / "ckpts/checkpoint"
    place.unlink()
    if text is not None:
        place.write_bytes(text)
        os.utime(place, ns=(START_NS, START_NS))
    done = case.go()
    assert gone(done).states == ()
    assert (place.read_bytes() if place.exists() else None) == text


def test_what_a_state_file_cannot_do_without_stays(case: Case) -> None:
    """Its latest goes, and two series could take its place."""
    write(case.folder / "ckpts", bundle_files("other-5") | bundle_files("thing-5") | bundle_files("other-4"))
    write(
        case.folder / "ckpts", {"checkpoint": b'model_checkpoint_path: "gone"\nall_model_checkpoint_paths: "other-4"\n'}
    )
    done = case.go()
    assert set(reasons(done)) == {"ckpts/ckpt-1", "ckpts/ckpt-2", "ckpts/other-4"}
    assert "the state file that names it cannot be rewritten" in reasons(done)["ckpts/other-4"][0]
    assert "keras/m-1.keras" in {item.path for item in gone(done).items}


def test_a_state_file_that_was_written_since_is_left_alone(case: Case) -> None:
    batch = gone(case.go())
    later = state_text(4, 3, 4)
    write(case.folder / "ckpts", {"checkpoint": later, **bundle_files("ckpt-4")})
    back = case.undo(batch.id)
    assert [(one.path, one.problem) for one in back.problems] == [
        ("ckpts/checkpoint", "was left as it is: somebody wrote it since")
    ]
    assert (case.folder / "ckpts/checkpoint").read_bytes() == later
    assert {"ckpts/ckpt-1.index", "ckpts/ckpt-2.index"} <= tree(case.folder).keys()


def test_undo_on_a_live_run_brings_files_back_and_leaves_the_state_file(case: Case) -> None:
    batch = gone(case.go())
    new = (case.folder / "ckpts/checkpoint").read_bytes()
    (case.folder / "events.out.tfevents.1").write_bytes(b"now")
    back = case.undo(batch.id)
    assert ["the run is live" in one.problem for one in back.problems] == [True]
    assert (case.folder / "ckpts/checkpoint").read_bytes() == new
    assert (case.folder / "ckpts/ckpt-1.index").exists()


# Conflicts


def test_what_came_since_is_never_written_over(case: Case) -> None:
    batch = gone(case.go())
    write(case.folder / "ckpts", {"ckpt-1.index": b"a job's"})
    before, held = tree(case.folder), in_quarantine(case.folder)
    with pytest.raises(ConflictError, match=r"in the place of ckpts/ckpt-1 \(could go into ckpts/restored-") as error:
        case.undo(batch.id)
    (conflict,) = error.value.conflicts
    assert (conflict.path, conflict.taken) == ("ckpts/ckpt-1", ("ckpts/ckpt-1.index",))
    assert conflict.offered == f"ckpts/restored-{only(case).short}"
    assert (tree(case.folder), in_quarantine(case.folder)) == (before, held)
    assert only(case).undoable


def test_a_taken_place_can_be_answered_with_another_name(case: Case) -> None:
    before = tree(case.folder)
    batch = gone(case.go())
    short = only(case).short
    write(case.folder, {"ckpts/ckpt-1.index": b"a job's", "export/2": b"a file", f"ckpts/restored-{short}": b"x"})
    back = case.undo(batch.id, OnConflict.RENAME)
    after = tree(case.folder)
    elsewhere = f"ckpts/restored-{short}-2"
    assert after[f"{elsewhere}/ckpt-1.index"] == before["ckpts/ckpt-1.index"]
    assert after[f"{elsewhere}/ckpt-1.data-00000-of-00001"] == before["ckpts/ckpt-1.data-00000-of-00001"]
    assert after[f"export/restored-{short}/2/variables/variables.index"] == before["export/2/variables/variables.index"]
    assert after["ckpts/ckpt-1.index"].content == b"a job's"
    assert after["export/2"].content == b"a file"
    assert after["ckpts/ckpt-2.index"] == before["ckpts/ckpt-2.index"]
    assert back.journal.stage is Stage.UNDONE
    assert in_quarantine(case.folder) == {}
    # It would list what stands in the place of ckpt-1 now, which it never listed.
    assert listed(case) == ["ckpt-3"]
    assert ["not all that it named" in one.problem for one in back.problems] == [True]


def test_recovery_leaves_in_quarantine_what_cannot_come_back(case: Case) -> None:
    batch = gone(case.go())
    place = case.folder / ".waypoint/quarantine" / batch.id / "journal.json"
    place.write_text(place.read_text().replace('"stage": "done"', '"stage": "undoing"'))
    write(case.folder / "ckpts", {"ckpt-1.index": b"a job's"})
    assert needs_recovery(case.folder)
    (ended,) = recover(case.run_folder, actor="ada", now=NOW)
    assert (ended.found, ended.became) == (Stage.UNDOING, Stage.DONE)
    assert [one.path for one in ended.problems] == ["ckpts/ckpt-1.index", "ckpts/checkpoint"]
    assert in_quarantine(case.folder).keys() == {"ckpts/ckpt-1.index"}
    assert [(item.path, item.files) for item in only(case).items] == [("ckpts/ckpt-1", 1)]
    (case.folder / "ckpts/ckpt-1.index").unlink()
    case.undo(batch.id)
    assert listed(case) == ["ckpt-1", "ckpt-2", "ckpt-3"]


def test_a_batch_is_undone_once(case: Case) -> None:
    batch = gone(case.go())
    case.undo(batch.id[-8:])
    with pytest.raises(StageError, match="is undone already"):
        case.undo(batch.id)
    for name in ("", "x", "../../exp", batch.id + "0"):
        with pytest.raises(NotFoundError, match="There is no batch"):
            case.undo(name)


def test_a_name_that_fits_two_batches_is_ambiguous(case: Case) -> None:
    batch = gone(case.go())
    folder = case.folder / ".waypoint/quarantine"
    other = f"{'0' if batch.id[0] != '0' else '1'}{batch.id[1:]}"
    shutil.copytree(folder / batch.id, folder / other)
    with pytest.raises(AmbiguousError, match="fits several batches"):
        case.undo(batch.id[-8:])


def test_a_file_that_may_not_be_linked_is_renamed_if_its_place_is_free(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel does with files of others (fs.protected_hardlinks), and some file servers with all."""
    before = tree(case.folder)
    batch = gone(case.go())

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    write(case.folder, {"keras/m-1.keras": b"a job's"})
    with pytest.raises(ConflictError):
        case.undo(batch.id)
    (case.folder / "keras/m-1.keras").unlink()
    assert case.undo(batch.id).problems == ()
    assert tree(case.folder) == before


def test_a_folder_that_went_away_is_made_as_it_was(case: Case) -> None:
    (case.folder / "keras").chmod(0o2750)
    before, below = tree(case.folder), folders(case.folder)
    batch = gone(case.go())
    shutil.move(case.folder / "keras/m-3.keras", case.root / "m-3.keras")
    (case.folder / "keras").rmdir()
    assert case.undo(batch.id).problems == ()
    shutil.move(case.root / "m-3.keras", case.folder / "keras/m-3.keras")
    assert (tree(case.folder), folders(case.folder)) == (before, below)


def test_many_conflicts_are_counted(case: Case) -> None:
    batch = gone(case.go())
    write(case.folder, dict.fromkeys(in_quarantine(case.folder), b"a job's"))
    with pytest.raises(ConflictError, match=r"ckpts/ckpt-1 \(.* and 7 more\.$") as error:
        case.undo(batch.id)
    assert len(error.value.conflicts) == 10


# What others do meanwhile


def test_a_busy_run_is_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.acts.acting.locked", lambda home: locked(home, wait=0))
    with locked(case.folder), pytest.raises(BusyError, match="is deciding about this run"):
        case.go()


def test_a_file_that_went_from_quarantine_is_told(case: Case) -> None:
    batch = gone(case.go())
    files = case.folder / ".waypoint/quarantine" / batch.id / "files"
    (files / "keras/m-1.keras").unlink()
    assert [(one.path, one.problem) for one in only(case).problems] == [
        ("keras/m-1.keras", "is not in quarantine any more")
    ]
    back = case.undo(batch.id)
    assert [(one.path, one.problem) for one in back.problems] == [
        ("keras/m-1.keras", "is gone: it is neither in quarantine nor in its place")
    ]
    assert (case.folder / "keras/m-2.keras").exists()


def test_batches_tell_all_there_is_to_know(case: Case) -> None:
    plan: RunPlan = case.plan()
    first = gone(case.go(plan))
    held = case.folder / ".waypoint/quarantine" / first.id / "files"
    batch = only(case)
    assert (batch.id, batch.by, batch.at, batch.note, batch.stage) == (first.id, "ada", NOW, "old", Stage.DONE)
    assert batch.bytes == sum(path.stat().st_size for path in held.rglob("*") if path.is_file())
    assert batch.freed_bytes == sum(path.stat().st_blocks * 512 for path in held.rglob("*") if path.is_file())
    assert [(item.path, item.files) for item in batch.items[:2]] == [("ckpts/ckpt-1", 2), ("ckpts/ckpt-2", 3)]
    case.undo(first.id)
    second = gone(case.go())
    assert [one.id for one in batches(case.folder).batches] == [second.id, first.id]
    assert [(one.stage, one.undoable) for one in batches(case.folder).batches] == [
        (Stage.DONE, True),
        (Stage.UNDONE, False),
    ]
    assert batches(case.root / "nothing").batches == ()


TAMPERED = {
    "out": ('"ckpts/ckpt-1.index"', '"../b/ckpt-1.index"'),
    "absolute": ('"ckpts/ckpt-1.index"', '"/etc/passwd"'),
    "ours": ('"ckpts/ckpt-1.index"', '".waypoint/pins.json"'),
    "state": ('"ckpts/checkpoint"', '"ckpts/train.py"'),
    "version": ('"version": 1', '"version": 2'),
    "unknown": ('"version": 1', '"version": 1, "more": 1'),
    "no JSON": ('"version"', "version"),
    "other batch": ('"id": "0', '"id": "1'),
    "bool": ('"links": 1', '"links": true'),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_a_journal_that_was_tampered_with_moves_nothing(case: Case, change: str) -> None:
    batch = gone(case.go())
    place = case.folder / ".waypoint/quarantine" / batch.id / "journal.json"
    place.write_text(place.read_text().replace(*TAMPERED[change]))
    before, held = tree(case.folder), in_quarantine(case.folder)
    with pytest.raises(CoreError, match=r"journal\.json"):
        case.undo(batch.id)
    assert (tree(case.folder), in_quarantine(case.folder)) == (before, held)
    found = batches(case.folder)
    assert (found.batches, [one.path for one in found.problems]) == ((), [f".waypoint/quarantine/{batch.id}"])


def test_a_link_that_somebody_put_into_quarantine_is_not_followed(case: Case, tmp_path: Path) -> None:
    batch = gone(case.go())
    files = case.folder / ".waypoint/quarantine" / batch.id / "files"
    shutil.move(files / "keras", tmp_path / "outside")
    (files / "keras").symlink_to(tmp_path / "outside")
    back = case.undo(batch.id)
    assert {one.path for one in back.problems} == {"keras/m-1.keras", "keras/m-2.keras"}
    assert sorted(os.listdir(tmp_path / "outside")) == ["m-1.keras", "m-2.keras"]

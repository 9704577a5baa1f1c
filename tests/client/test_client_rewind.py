"""A job rewinds its run: what is newer moves out of the way, by a journal that Waypoint's undo understands."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.acts.journal import Journal, JournalKind, Stage
from tests.support.kills import ends_of
from tests.support.quarantine_cases import Case, bundle_files, folders, state_text, tree, tree_of
from tests.support.rewind_cases import BACKUP, PICK, SECOND_NS, hand_over, to_be_rewound
from tests.support.trees import START_NS, write
from waypoint_resume import ResumeError, RunIsBusy
from waypoint_resume.decision import decide
from waypoint_resume.governing import governing
from waypoint_resume.rewind import set_aside


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """The run, with no job variables in the environment."""
    for name in ("SLURM_JOB_ID", "TF_CONFIG", "WAYPOINT_DECISIONS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    return to_be_rewound(tmp_path)


def batch_of(case: Case) -> Path:
    """Where the newest manifest's rewind puts things."""
    manifest = json.loads((case.folder / "resume_manifest.json").read_text())
    return case.folder / ".waypoint/rewound" / str(manifest["id"])


def journal_of(case: Case) -> Journal:
    """The journal, as the dashboard reads it."""
    return Journal.model_validate_json((batch_of(case) / "journal.json").read_bytes())


def numbered(files: dict[str, object], *numbers: str) -> set[str]:
    """Those whose path tells one of the numbers of the run's checkpoints."""
    return {
        name for name in files if any(part in name for number in numbers for part in (f"-{number}.", f"/{number}/"))
    }


def test_what_is_newer_moves_and_nothing_else_does(case: Case) -> None:
    before = tree(case.folder)
    moved = set_aside(decide(case.folder))
    goes = numbered(dict(before), "2", "3") | set(BACKUP)
    assert tree_of(batch_of(case) / "files") == {name: before[name] for name in goes}
    after = tree(case.folder)
    assert after.keys() == before.keys() - goes
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"ckpts/checkpoint"}
    assert after["ckpts/checkpoint"].content == state_text(1, 1)
    assert after["ckpts/checkpoint"].mode == before["ckpts/checkpoint"].mode
    assert "ckpts/ckpt-3" in moved
    assert PICK not in moved
    assert folders(case.folder).keys() >= {"export", "orbax", "export/1/assets", "backup"}
    assert not (case.folder / "export/2").exists()


def test_the_journal_is_in_the_form_of_quarantine(case: Case) -> None:
    before = tree(case.folder)
    set_aside(decide(case.folder))
    journal = journal_of(case)
    assert (journal.kind, journal.stage, journal.by, journal.note) == (
        JournalKind.REWIND,
        Stage.DONE,
        "ada",
        "diverged",
    )
    assert journal.id == batch_of(case).name
    assert {file.name: (file.size, file.mtime_ns, file.mode) for file in journal.files} == {
        name: (len(facts.content), facts.mtime_ns, facts.mode)
        for name, facts in before.items()
        if name in tree_of(batch_of(case) / "files")
    }
    (state,) = journal.states
    assert (state.path, state.old.encode(), state.new.encode()) == (
        "ckpts/checkpoint",
        state_text(3, 1, 2, 3),
        state_text(1, 1),
    )
    assert {folder.name for folder in journal.folders if folder.goes} >= {"export/2", "export/3/variables", "orbax/2/d"}
    bundles = [item.files[0].name for item in journal.items if item.path.startswith("ckpts/")]
    assert bundles == ["ckpts/ckpt-2.index", "ckpts/ckpt-3.index"]
    log = [json.loads(line) for line in (case.folder / ".waypoint/log.jsonl").read_text().splitlines()]
    assert (log[-1]["event"], log[-1]["actor"], log[-1]["job"]) == ("rewind", "ada", "waypoint-night")


def test_it_happens_once_for_a_manifest(case: Case) -> None:
    decision = decide(case.folder)
    assert set_aside(decision)
    assert set_aside(decision) == ()
    write(case.folder / "ckpts", bundle_files("ckpt-2"))  # the job trains on and comes to the same name
    again = decide(case.folder)
    assert again.is_restart
    assert set_aside(again) == ()
    assert (case.folder / "ckpts/ckpt-2.index").exists()


def test_what_was_saved_after_the_plan_goes_too(case: Case) -> None:
    write(case.folder / "ckpts", bundle_files("ckpt-4"), START_NS + 4 * SECOND_NS)
    write(case.folder / "keras", {"m-4.keras": b"PK"}, START_NS + 4 * SECOND_NS)
    write(case.folder / "keras", {"m-0.keras": b"PK"}, START_NS + 2 * SECOND_NS)  # no newer than what was known
    write(case.folder / "export/4", {"saved_model.pb": b"graph"}, START_NS + 4 * SECOND_NS)
    write(case.folder / "export/4/variables", bundle_files("variables"), START_NS + 4 * SECOND_NS)
    (case.folder / "ckpts/checkpoint").write_bytes(state_text(4, 1, 2, 3, 4))
    decision = decide(case.folder)
    write(case.folder / "ckpts", bundle_files("ckpt-5"), START_NS + 5 * SECOND_NS)  # by a job that nobody ended
    moved = set(set_aside(decision))
    assert moved >= {"ckpts/ckpt-4", "ckpts/ckpt-5", "keras/m-4.keras", "export/4"}
    assert (case.folder / "keras/m-0.keras").exists()
    assert not (case.folder / "export/4").exists()
    assert (case.folder / "ckpts/checkpoint").read_bytes() == state_text(1, 1)


def test_what_the_plan_names_and_is_gone_already_is_no_problem(case: Case) -> None:
    for path in (case.folder / "ckpts").glob("ckpt-2.*"):
        path.unlink()
    moved = set_aside(decide(case.folder))
    assert "ckpts/ckpt-2" not in moved
    assert journal_of(case).stage is Stage.DONE


def test_a_state_file_about_what_goes_alone_goes_with_it(case: Case) -> None:
    manifest = case.folder / "resume_manifest.json"
    (case.folder / ".waypoint/rewound").rename(case.folder / ".waypoint/plans")
    other = case.folder / "best"
    write(other, {**bundle_files("ckpt-2"), "checkpoint": state_text(2, 2)})
    plan = json.loads(next((case.folder / ".waypoint/plans").iterdir()).read_text())
    files = ["best/ckpt-2.index", "best/ckpt-2.data-00000-of-00001"]
    item = {"kind": "checkpoint", "path": "best/ckpt-2", "format": "tf-bundle", "reason": "newer", "files": files}
    plan["items"].append(item)
    (case.folder / ".waypoint/rewound").mkdir()
    (case.folder / ".waypoint/rewound" / f"{json.loads(manifest.read_text())['id']}.plan.json").write_text(
        json.dumps(plan)
    )
    set_aside(decide(case.folder))
    assert list(other.iterdir()) == []
    assert (batch_of(case) / "files/best/checkpoint").read_bytes() == state_text(2, 2)


STATES = {
    "absolute": (b'model_checkpoint_path: "FOLDER/ckpt-3"\nall_model_checkpoint_paths: "FOLDER/ckpt-1"\n', b"FOLDER/"),
    "moved": (b'model_checkpoint_path: "/gone/ckpt-3"\nall_model_checkpoint_paths: "/gone/ckpt-1"\n', None),
    "unreadable": (b"\xff\xfe no state file", None),
    "one-line": (b'model_checkpoint_path: "ckpt-3" all_model_checkpoint_paths: "ckpt-3"', None),
    "not-listed": (state_text(3, 2, 3), None),
}


@pytest.mark.parametrize("form", STATES)
def test_the_state_file_follows_the_pick_and_lists_nothing_new(case: Case, form: str) -> None:
    import tensorflow as tf

    text = STATES[form][0].replace(b"FOLDER", os.fsencode(case.folder / "ckpts"))
    (case.folder / "ckpts/checkpoint").write_bytes(text)
    set_aside(decide(case.folder))
    if form == "unreadable":  # it is no text, so that no journal could bring it back: it stays
        assert (case.folder / "ckpts/checkpoint").read_bytes() == text
        return
    state = tf.train.get_checkpoint_state(str(case.folder / "ckpts"))
    assert state.model_checkpoint_path == str(case.folder / PICK)
    listed = {Path(name).name for name in state.all_model_checkpoint_paths}
    assert listed <= {"ckpt-1"}
    assert ("ckpt-1" in listed) == (form in ("absolute", "moved"))


def test_a_rewind_that_cannot_move_puts_everything_back(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before, dirs = tree(case.folder), folders(case.folder)
    decision = decide(case.folder)
    real, left = os.rename, [7]

    def rename(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(18, "Invalid cross-device link", str(source))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(ResumeError, match=r"Invalid cross-device link.*everything is in its place again"):
        set_aside(decision)
    monkeypatch.undo()
    assert tree(case.folder) == before
    assert folders(case.folder) == dirs
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    assert set_aside(decide(case.folder))
    assert journal_of(case).stage is Stage.DONE


@pytest.mark.parametrize("how", ["missing", "no-json", "outside", "link"])
def test_a_plan_that_cannot_be_followed_moves_nothing(case: Case, tmp_path: Path, how: str) -> None:
    before = tree(case.folder)
    plan = batch_of(case).with_name(f"{batch_of(case).name}.plan.json")
    if how == "missing":
        plan.unlink()
    elif how == "no-json":
        plan.write_text("{")
    elif how == "outside":
        document = json.loads(plan.read_text())
        document["items"][0]["files"] = ["../../secret"]
        plan.write_text(json.dumps(document))
    else:
        (tmp_path / "elsewhere").mkdir()
        batch_of(case).symlink_to(tmp_path / "elsewhere")
    told = {
        "missing": "is not there",
        "no-json": "cannot be followed",
        "outside": r"'\.\.' leads",
        "link": "link",
    }
    with pytest.raises(ResumeError, match=told[how]):
        set_aside(decide(case.folder))
    assert tree(case.folder) == before


def test_the_pick_never_moves_even_if_the_plan_names_it(case: Case) -> None:
    path = batch_of(case).with_name(f"{batch_of(case).name}.plan.json")
    document = json.loads(path.read_text())
    document["items"][0]["files"].append(f"{PICK}.index")
    path.write_text(json.dumps(document))
    set_aside(decide(case.folder))
    assert (case.folder / f"{PICK}.index").exists()


def test_another_jobs_rewind_is_left_alone(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decide(case.folder)
    monkeypatch.setenv("WAYPOINT_JOB", "day")
    decide(case.folder, take_over=True)
    before = tree(case.folder)
    with pytest.raises(RunIsBusy, match=r"took the manifest .* over"):
        set_aside(first)
    assert tree(case.folder) == before


def test_a_second_rewind_is_a_batch_of_its_own(case: Case) -> None:
    decision = decide(case.folder)
    set_aside(decision)
    first = batch_of(case)
    decision.note(finished_at="2026-01-31T09:30:00Z")
    write(case.folder / "ckpts", bundle_files("ckpt-2"), START_NS + 9 * SECOND_NS)
    (case.folder / "ckpts/checkpoint").write_bytes(state_text(2, 1, 2))
    hand_over(case)
    assert set_aside(decide(case.folder)) == ("ckpts/ckpt-2",)
    assert batch_of(case) != first
    assert (first / "files/ckpts/ckpt-2.index").exists()
    assert (batch_of(case) / "files/ckpts/ckpt-2.index").exists()


def test_runs_inside_the_run_and_checkpoints_that_were_known_stay_whatever_their_times(case: Case) -> None:
    later = START_NS + 9 * SECOND_NS
    write(case.folder / "inner/ckpts", bundle_files("ckpt-7"), later)
    write(case.folder / "ckpts", bundle_files("ckpt-11"), START_NS)
    hand_over(case)
    os.utime(case.folder / "ckpts/ckpt-11.index", ns=(later, later))
    moved = set_aside(decide(case.folder))
    assert "ckpts/ckpt-2" in moved
    assert (case.folder / "inner/ckpts/ckpt-7.index").exists()
    assert (case.folder / "ckpts/ckpt-11.index").exists()


def half_done(case: Case, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """A rewind that was killed after some moves."""
    decision = decide(case.folder)
    real, left = os.rename, [moves]

    def rename(source: Path, target: Path) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            set_aside(decision)
    assert journal_of(case).stage is Stage.MOVING


def test_what_was_saved_again_meanwhile_never_replaces_what_was_set_aside(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(case.folder)
    half_done(case, monkeypatch, 9)
    held = tree_of(batch_of(case) / "files")
    again = dict.fromkeys(held, b"saved again")
    write(case.folder, again)
    set_aside(decide(case.folder))
    assert held.items() <= tree_of(batch_of(case) / "files").items() <= before.items()
    assert {name: tree(case.folder)[name].content for name in held} == again


def test_what_lies_in_the_batch_already_is_never_replaced(case: Case) -> None:
    before = tree(case.folder)
    write(batch_of(case) / "files/ckpts", {"ckpt-2.index": b"somebody's"})
    set_aside(decide(case.folder))
    assert (batch_of(case) / "files/ckpts/ckpt-2.index").read_bytes() == b"somebody's"
    assert tree(case.folder)["ckpts/ckpt-2.index"] == before["ckpts/ckpt-2.index"]


BROKEN: dict[str, Callable[[Any, Path], None]] = {
    "out-of-the-run": lambda journal, out: journal["items"][0]["files"][-1].update(path=f"../../{out.name}"),
    "absolute": lambda journal, out: journal["items"][0]["files"][-1].update(path=str(out)),
    "wrong-type": lambda journal, _: journal.update(items={}),
    "another-id": lambda journal, _: journal.update(id="01a2044e-3f6f-7199-9a81-c6f1c7555e9a"),
    "unknown-stage": lambda journal, _: journal.update(stage="paused"),
    "own-files": lambda journal, _: journal["items"][0]["files"][-1].update(path=".waypoint/log.jsonl"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_journal_by_hand_moves_and_deletes_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    half_done(case, monkeypatch, 2)
    (tmp_path / "precious").write_bytes(b"mine")
    journal = json.loads((batch_of(case) / "journal.json").read_text())
    BROKEN[how](journal, tmp_path / "precious")
    (batch_of(case) / "journal.json").write_text(json.dumps(journal))
    before = tree(tmp_path)
    with pytest.raises(ResumeError, match="cannot be understood, nothing was moved"):
        set_aside(decide(case.folder))
    assert tree(tmp_path) == before


def test_after_an_undo_the_job_does_not_save_over_what_came_back(case: Case) -> None:
    set_aside(decide(case.folder))
    journal = json.loads((batch_of(case) / "journal.json").read_text())
    (batch_of(case) / "journal.json").write_text(json.dumps({**journal, "stage": "undone"}))
    with pytest.raises(ResumeError, match="was brought back since"):
        decide(case.folder)


def test_a_manifest_that_was_replaced_after_the_claim_moves_nothing(case: Case) -> None:
    decision = decide(case.folder)
    hand_over(case)
    before = tree(case.folder)
    with pytest.raises(ResumeError, match="was replaced meanwhile"):
        set_aside(decision)
    assert tree(case.folder) == before


@pytest.mark.parametrize("stage", ["moving", "undoing"])
def test_no_job_starts_beside_a_half_done_rewind_that_it_does_not_complete(
    case: Case, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    half_done(case, monkeypatch, 2)
    batch = batch_of(case)
    journal = json.loads((batch / "journal.json").read_text())
    (batch / "journal.json").write_text(json.dumps({**journal, "stage": stage}))
    if stage == "moving":
        hand_over(case)  # another manifest, whose job does not end what the first one's began
    with pytest.raises(ResumeError, match=rf"half-done \({stage}\).* undo a {batch.name[-8:]}"):
        decide(case.folder)


def test_undoing_an_older_rewind_withdraws_the_manifest_that_a_job_would_follow(case: Case) -> None:
    decision = decide(case.folder)
    set_aside(decision)
    decision.note(finished_at="2026-01-31T09:30:00Z")
    assert decision.lease is not None
    decision.lease.release()
    first = batch_of(case).name
    hand_over(case)
    assert case.undo(first).withdrawn
    assert governing([case.folder]) == (None, None)


@pytest.mark.soak
def test_after_a_kill_every_file_is_in_its_place_or_set_aside_and_the_next_start_ends_it(
    tmp_path: Path, more: int
) -> None:
    stride = 5 if more == 1 else 1
    ends = ends_of("kill_rewind", tmp_path, 20 * more, stride)
    assert ends["kills"] > 150 / stride
    assert min(ends["not begun"], ends["moving"], ends["done"]) > 0

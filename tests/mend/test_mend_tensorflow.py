"""Mended state files before TensorFlow: what it finds, and what its next save deletes."""

import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import text_format

from core.acts.rewrites import rewrites, write_states
from core.base.errors import AmbiguousError
from core.base.records import Checkpoint
from core.formats import state_file
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.mend.effects import deleted_by_next_save, effects
from core.mend.of_run import Mender, Refusal
from core.mend.propose import MendProposal
from core.runfolder.run_folder import RunFolder
from core.services.mending import mender_of
from tests.conftest import Opener
from tests.support.mend_cases import only
from tests.support.training import look

HOUR = 3600.0
Break = Callable[[ModuleType, Path], Path]


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: ModuleType = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    tf.get_logger().setLevel("CRITICAL")
    return tf


def a_job(tf: ModuleType) -> tuple[object, object]:
    """What a job saves: a checkpoint with a weight and a counter of steps; and that counter."""
    step = tf.Variable(0, dtype=tf.int64)
    return tf.train.Checkpoint(w=tf.Variable(1.0), step=step), step


def train(tf: ModuleType, folder: Path, saves: int, keep: int | None, *, name: str = "ckpt", **more: object) -> None:
    """Go on from what tf.train.latest_checkpoint finds, and save some times."""
    checkpoint, step = a_job(tf)
    found = tf.train.latest_checkpoint(str(folder))
    if found is not None:
        checkpoint.restore(found)  # type: ignore[attr-defined]
    manager = tf.train.CheckpointManager(checkpoint, str(folder), keep, checkpoint_name=name, **more)
    for _ in range(saves):
        step.assign_add(1)  # type: ignore[attr-defined]
        manager.save()


def prefixes(folder: Path) -> set[str]:
    """The checkpoints in a folder."""
    return {name.removesuffix(".index") for name in os.listdir(folder) if name.endswith(".index")}


def remove(folder: Path, name: str) -> None:
    for path in folder.glob(f"{name}.*"):
        path.unlink()


def state_of(folder: Path) -> CheckpointState:
    return text_format.Parse((folder / "checkpoint").read_text(), CheckpointState())


def trained(tf: ModuleType, folder: Path) -> Path:
    """Four listed checkpoints, ckpt-3 to ckpt-6, and one that the state file does not list."""
    folder.mkdir(parents=True)
    train(tf, folder, 2, 4)
    for path in folder.glob("ckpt-1.*"):
        shutil.copy2(path, folder / path.name.replace("ckpt-1.", "ckpt-90."))
    train(tf, folder, 4, 4)
    assert prefixes(folder) == {"ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6", "ckpt-90"}
    return folder


def with_absolute_paths(tf: ModuleType, folder: Path) -> None:
    """Let TensorFlow write the same state with absolute paths, as TF1's Saver does."""
    state = state_of(folder)
    paths = [str(folder / path) for path in state.all_model_checkpoint_paths]
    tf.compat.v1.train.update_checkpoint_state(
        str(folder),
        paths[-1],
        paths,
        all_model_checkpoint_timestamps=list(state.all_model_checkpoint_timestamps),
        last_preserved_timestamp=state.last_preserved_timestamp,
    )


def moved(tf: ModuleType, run: Path) -> Path:
    with_absolute_paths(tf, run)
    return Path(shutil.move(run, run.with_name("elsewhere")))


def moved_in_part(tf: ModuleType, run: Path) -> Path:
    remove(run, "ckpt-3")
    return moved(tf, run)


def moved_without_latest(tf: ModuleType, run: Path) -> Path:
    remove(run, "ckpt-6")
    return moved(tf, run)


def without_latest(tf: ModuleType, run: Path) -> Path:
    remove(run, "ckpt-6")
    return run


def without_all_that_is_listed(tf: ModuleType, run: Path) -> Path:
    for number in range(3, 7):
        remove(run, f"ckpt-{number}")
    return run


def without_oldest(tf: ModuleType, run: Path) -> Path:
    remove(run, "ckpt-3")
    return run


def only_a_list(tf: ModuleType, run: Path) -> Path:
    text = (run / "checkpoint").read_text()
    (run / "checkpoint").write_text(text.partition("\n")[2])
    return run


def written(content: bytes) -> Break:
    def change(tf: ModuleType, run: Path) -> Path:
        (run / "checkpoint").write_bytes(content)
        return run

    return change


def cut(tf: ModuleType, run: Path) -> Path:
    data = (run / "checkpoint").read_bytes()
    (run / "checkpoint").write_bytes(data[:100])
    return run


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 3\n"
# How it breaks, the rules that the proposal answers, the latest afterwards, what is then listed.
BROKEN: dict[str, tuple[Break, tuple[str, ...], str, list[str]]] = {
    "moved": (moved, ("moved-run",), "ckpt-6", ["ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6"]),
    "moved-in-part": (moved_in_part, ("moved-run", "dangling-history"), "ckpt-6", ["ckpt-4", "ckpt-5", "ckpt-6"]),
    "moved-without-latest": (
        moved_without_latest, ("moved-run", "dangling-latest"), "ckpt-5", ["ckpt-3", "ckpt-4", "ckpt-5"],
    ),
    "no-latest": (without_latest, ("dangling-latest",), "ckpt-5", ["ckpt-3", "ckpt-4", "ckpt-5"]),
    "nothing-listed-is-there": (without_all_that_is_listed, ("dangling-latest", "dangling-history"), "ckpt-90", []),
    "no-oldest": (without_oldest, ("dangling-history",), "ckpt-6", ["ckpt-4", "ckpt-5", "ckpt-6"]),
    "only-a-list": (only_a_list, ("unreadable-state",), "ckpt-6", ["ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6"]),
    "empty": (written(b""), ("unreadable-state",), "ckpt-6", ["ckpt-6"]),
    "garbage": (written(b"\x00\xff{"), ("unreadable-state",), "ckpt-6", ["ckpt-6"]),
    "cut": (cut, ("unreadable-state",), "ckpt-6", ["ckpt-6"]),
    "lfs": (written(LFS), ("unreadable-state",), "ckpt-6", ["ckpt-6"]),
}  # fmt: skip


def a_mender(workspace: Opener, root: Path, run: str) -> Mender:
    opened = workspace(root)
    opened.refresh()
    return mender_of(opened, opened.find_run(run))


def checked(tf: ModuleType, mender: Mender, proposal: MendProposal, old_list: set[str]) -> None:
    """Apply it; TensorFlow must find the latest, and delete what was foretold and nothing that was not listed."""
    opened_at = mender.run.last_saved
    assert opened_at is not None
    folder = Path(mender.run_folder.root_path) / mender.run.path
    mender.apply(proposal, actor="ada", now=opened_at, confirm=mender.run.path)
    name = proposal.latest.rpartition("/")[2]
    assert tf.train.latest_checkpoint(str(folder)) == str(folder / name)
    assert proposal.after.latest == proposal.latest
    clock = (folder / "checkpoint").stat().st_mtime + HOUR
    for keep in (2, 1, 3, 5):
        copy = shutil.copytree(folder, folder.parents[1] / f"keeps-{keep}")
        before = prefixes(copy)
        foretold = deleted_by_next_save(proposal, keep, opened_at.fromtimestamp(clock, opened_at.tzinfo))
        train(tf, copy, 1, keep)
        assert before - prefixes(copy) == {path.rpartition("/")[2] for path in foretold}, keep
        assert before - prefixes(copy) <= old_list, keep


@pytest.mark.parametrize(("how", "rules", "latest", "listed"), BROKEN.values(), ids=BROKEN.keys())
def test_tensorflow_finds_the_right_one_and_deletes_nothing_that_was_not_listed(
    tf: ModuleType,
    tmp_path: Path,
    workspace: Opener,
    how: Break,
    rules: tuple[str, ...],
    latest: str,
    listed: list[str],
) -> None:
    run = how(tf, trained(tf, tmp_path / "root" / "run"))
    mender = a_mender(workspace, tmp_path / "root", run.name)
    proposal = only(mender.proposals())
    assert proposal.rules == rules
    was_read = rules != ("unreadable-state",) or how is only_a_list
    checked(tf, mender, proposal, {f"ckpt-{number}" for number in range(3, 7)} if was_read else set())
    state = state_of(run)
    assert (state.model_checkpoint_path, list(state.all_model_checkpoint_paths)) == (latest, listed)
    assert mender.proposals() == ()


def member(mender: Mender, name: str) -> Checkpoint:
    return next(item for item in mender.members if item.path.endswith(f"/{name}"))


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("ckpt-4", ["ckpt-3", "ckpt-5", "ckpt-6", "ckpt-4"]),
        ("ckpt-90", ["ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6"]),
    ],
    ids=["listed", "not-listed"],
)
def test_the_latest_may_be_picked(
    tf: ModuleType, tmp_path: Path, workspace: Opener, name: str, listed: list[str]
) -> None:
    run = trained(tf, tmp_path / "root" / "run")
    mender = a_mender(workspace, tmp_path / "root", "run")
    assert mender.proposals() == ()
    proposal = mender.point_at(member(mender, name))
    assert proposal is not None
    checked(tf, mender, proposal, set(state_of(run).all_model_checkpoint_paths))
    assert list(state_of(run).all_model_checkpoint_paths) == listed
    assert mender.point_at(member(mender, name)) is None


def test_a_new_state_file_lists_only_the_latest(tf: ModuleType, tmp_path: Path, workspace: Opener) -> None:
    run = trained(tf, tmp_path / "root" / "run")
    (run / "checkpoint").unlink()
    mender = a_mender(workspace, tmp_path / "root", "run")
    assert mender.proposals() == ()
    proposal = mender.point_at(member(mender, "ckpt-5"))
    assert proposal is not None
    assert (proposal.rules, proposal.listed) == (("no-state",), ("run/ckpt-5",))
    checked(tf, mender, proposal, set())


def test_what_the_next_save_overwrites_is_told(tf: ModuleType, tmp_path: Path, workspace: Opener) -> None:
    run = trained(tf, tmp_path / "root" / "run")
    mender = a_mender(workspace, tmp_path / "root", "run")
    proposal = mender.point_at(member(mender, "ckpt-4"))
    assert proposal is not None
    assert proposal.overwrites == "run/ckpt-5"
    told = effects(proposal, max_to_keep=9, now=mender.members[0].saved_at)
    assert any("names its next save run/ckpt-5 and overwrites the one that is there" in line for line in told)
    mender.apply(proposal, actor="ada", now=mender.members[0].saved_at, confirm="run")
    fifth, sixth = ((run / f"ckpt-{number}.index").stat().st_mtime_ns for number in (5, 6))
    train(tf, run, 1, 9)
    assert (run / "ckpt-5.index").stat().st_mtime_ns > fifth
    assert (run / "ckpt-6.index").stat().st_mtime_ns == sixth


def test_times_and_what_is_preserved_stay(tf: ModuleType, tmp_path: Path, workspace: Opener) -> None:
    run = trained(tf, tmp_path / "root" / "run")
    newest = state_of(run).all_model_checkpoint_timestamps[-1]
    times = [newest - 9 * HOUR, newest - 6 * HOUR, newest - 3 * HOUR, newest]
    paths = [str(run / f"ckpt-{number}") for number in range(3, 7)]
    tf.compat.v1.train.update_checkpoint_state(
        str(run), paths[-1], paths, all_model_checkpoint_timestamps=times, last_preserved_timestamp=newest - 10 * HOUR
    )
    twin = shutil.copytree(run, tmp_path / "twin")  # its state file names `run`, so it is made whole before that moves
    text = (twin / "checkpoint").read_text().replace(str(run), str(twin))
    (twin / "checkpoint").write_text(text)
    here = Path(shutil.move(run, run.with_name("moved")))
    mender = a_mender(workspace, tmp_path / "root", "moved")
    proposal = only(mender.proposals())
    mender.apply(proposal, actor="ada", now=mender.members[0].saved_at, confirm="moved")
    state = state_of(here)
    assert list(state.all_model_checkpoint_timestamps) == times
    assert state.last_preserved_timestamp == newest - 10 * HOUR
    for folder in (here, twin):
        train(tf, folder, 1, 1, keep_checkpoint_every_n_hours=4)
    # ckpt-4 is 4 hours after what was preserved last; ckpt-5 and ckpt-6 come too soon after it, or not.
    assert prefixes(here) == prefixes(twin)
    assert {"ckpt-4", "ckpt-7"} <= prefixes(here) < {"ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6", "ckpt-7", "ckpt-90"}
    assert state_of(here).last_preserved_timestamp == state_of(twin).last_preserved_timestamp


def test_of_several_series_a_person_must_pick(tf: ModuleType, tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    train(tf, run, 2, 2)
    train(tf, run, 1, 2, name="best")
    (run / "checkpoint").write_bytes(b"{")
    mender = a_mender(workspace, tmp_path / "root", "run")
    (refusal,) = mender.proposals()
    assert isinstance(refusal, Refusal)
    assert isinstance(refusal.error, AmbiguousError)
    assert "name the latest with --latest: run/best-3, run/ckpt-2" in str(refusal.error)
    proposal = mender.point_at(member(mender, "best-3"))
    assert proposal is not None
    checked(tf, mender, proposal, set())


def test_a_folder_that_reads_like_a_pattern_stays_unfound_and_that_is_told(
    tf: ModuleType, tmp_path: Path, workspace: Opener
) -> None:
    run = trained(tf, tmp_path / "root" / "run").rename(tmp_path / "root" / "run[1]")
    (run / "ckpt-3.index").unlink()
    mender = a_mender(workspace, tmp_path / "root", "run[1]")
    proposal = only(mender.proposals())
    now = mender.members[0].saved_at
    mender.apply(proposal, actor="ada", now=now, confirm="run[1]")
    assert tf.train.latest_checkpoint(str(run)) is None
    assert proposal.after.latest is None
    assert any("rename the folder" in line for line in effects(proposal, max_to_keep=2, now=now))


def test_a_live_manager_writes_its_own_list_back(tf: ModuleType, tmp_path: Path, workspace: Opener) -> None:
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    checkpoint, _ = a_job(tf)
    manager = tf.train.CheckpointManager(checkpoint, str(run), 9)
    for _ in range(3):
        manager.save()
    mender = a_mender(workspace, tmp_path / "root", "run")
    proposal = mender.point_at(member(mender, "ckpt-2"))
    assert proposal is not None
    assert mender.is_live()
    mend = mender.apply(proposal, actor="ada", now=mender.members[0].saved_at, confirm="run")
    assert manager.latest_checkpoint == str(run / "ckpt-3")
    manager.save()
    assert list(state_of(run).all_model_checkpoint_paths) == ["ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"]
    assert [item.state.value for item in mender.history()] == ["replaced"]
    assert mend.record.why == "point the latest at ckpt-2"


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("C:\\\\runs\\\\color\\\\", "", "moved-run"),
        ("checkpoints\\\\color\\\\", "", "moved-run"),
        ("checkpoints/color/", "", "moved-run"),
        ("gs://bucket/run/", "", "moved-run"),
        ("", ".index", "dangling-latest"),
        ("", ".data-00000-of-00001", "dangling-latest"),
        ("", "/", "dangling-latest"),
    ],
    ids=["windows", "windows-relative", "relative", "bucket", "index", "shard", "slash"],
)
def test_paths_that_lead_nowhere_are_put_right(
    tf: ModuleType, tmp_path: Path, workspace: Opener, before: str, after: str, rule: str
) -> None:
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    train(tf, run, 2, 3)
    text = (run / "checkpoint").read_text()
    (run / "checkpoint").write_text(re.sub(r'"(ckpt-\d)"', lambda found: f'"{before}{found[1]}{after}"', text))
    seen = look(workspace(tmp_path / "root", write_grace=0))
    assert ("run/checkpoint", rule) in seen.rules
    mender = a_mender(workspace, tmp_path / "root", "run")
    proposal = only(mender.proposals())
    found = tf.train.latest_checkpoint(str(run))
    assert proposal.before.latest == (None if found is None else os.path.relpath(found, tmp_path / "root"))
    checked(tf, mender, proposal, {"ckpt-1", "ckpt-2"})
    assert look(workspace(tmp_path / "root", write_grace=0)).rules == []


def test_two_managers_in_one_folder_take_each_others_checkpoints(
    tf: ModuleType, tmp_path: Path, workspace: Opener
) -> None:
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    train(tf, run, 2, 2)
    train(tf, run, 1, 4, name="best")
    seen = look(workspace(tmp_path / "root", write_grace=0))
    assert seen.rules == [("run/checkpoint", "shared-state")]
    assert seen.findings[0].reason == "It lists checkpoints of 2 series: best-N and ckpt-N."
    train(tf, run, 2, 2, name="best")
    assert prefixes(run) == {"best-4", "best-5"}


def test_a_state_file_of_another_name_is_read_judged_and_kept_right(
    tf: ModuleType, tmp_path: Path, workspace: Opener
) -> None:
    """DeepSpeech and others give `latest_filename=` to TF1's functions."""
    run = tmp_path / "root" / "run"
    run.mkdir(parents=True)
    checkpoint, _ = a_job(tf)
    for number in (10, 20):
        checkpoint.write(str(run / f"best_dev-{number}"))  # type: ignore[attr-defined]
    (run / "notes.txt").write_text("the model_checkpoint_path: of the paper\n")
    tf.compat.v1.train.update_checkpoint_state(
        str(run), "best_dev-20", ["best_dev-10", "best_dev-20"], latest_filename="best_dev_checkpoint"
    )
    opened = workspace(tmp_path / "root", write_grace=0)
    assert look(opened).rules == []
    found = opened.find_run("run")
    members = opened.members(found.root, "run")
    place = RunFolder.of(opened.root(found.root), "run", None)
    (rewrite,) = rewrites(place, members, {"run/best_dev-20"}).states
    assert rewrite.path == "best_dev_checkpoint"
    write_states(place, [rewrite])
    assert tf.train.latest_checkpoint(str(run), "best_dev_checkpoint") == str(run / "best_dev-10")
    remove(run, "best_dev-10")
    assert look(opened).rules == [("run/best_dev_checkpoint", "dangling-latest")]
    mender = a_mender(workspace, tmp_path / "root", "run")
    mender.apply(only(mender.proposals()), actor="ada", now=datetime.now(UTC), confirm="run")
    assert tf.train.latest_checkpoint(str(run), "best_dev_checkpoint") == str(run / "best_dev-20")


OTHERS = {
    "text": b"JUST AN EMPTY FILE\n",
    "msgpack": b"\x84\xa4step\x01\xa6params\x80\xa9opt_state\x80\xa4rng\xc0",
    "pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01.",
    "zip": b"PK\x03\x04" + bytes(60),
    "json": b'{"epoch": 3}\n',
}


def test_a_file_called_checkpoint_of_another_tool_is_nobodys(tmp_path: Path, workspace: Opener) -> None:
    for name, content in OTHERS.items():
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "checkpoint").write_bytes(content)
    opened = workspace(tmp_path / "root", write_grace=0)
    assert look(opened).rules == []
    assert opened.runs() == ()


@pytest.mark.parametrize("content", [*OTHERS.values(), b"model_checkpoint_path", b'model_checkpoint_path: "c'])
def test_no_parsers_words_are_shown(content: bytes) -> None:
    state = state_file.parse("checkpoint", content)
    told = f"{state.unreadable} {state.error}"
    assert not re.search(r"\d+:\d+|Expected|ParseError|CheckpointState|field", told)

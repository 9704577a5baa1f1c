"""Mended state files on disk: what stops a write, what is kept, the way back."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.base.errors import BusyError, CoreError, NotFoundError, PlaceError, ReadOnlyError
from core.mend.errors import LiveRunError, StateChangedError
from core.mend.of_run import Mender
from core.mend.propose import MendProposal
from core.mend.records import Mend, MendState
from core.runfolder.places import locked
from tests.support.mend_cases import RUN, STATE, a_mender
from tests.support.read_only import refuse_writes
from tests.support.resume_cases import NOW
from tests.support.trees import state

HERE = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a run of three checkpoints, of which the state file names the last."""
    a_mender(tmp_path / "root", 1, 2, 3)
    state(tmp_path / "root" / RUN / "ckpts", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3", times=(1.0, 2.0, 3.0))
    return tmp_path / "root"


@pytest.fixture
def mender(root: Path) -> Mender:
    """It mends them."""
    return a_mender(root, 1, 2, 3)


def picked(mender: Mender, number: int = 2) -> MendProposal:
    """The proposal to make ckpt-NUMBER the latest."""
    found = mender.point_at(mender.members[number - 1])
    assert found is not None
    return found


def apply(mender: Mender, proposal: MendProposal, confirm: str = "") -> Mend:
    return mender.apply(proposal, actor="ada", now=NOW, confirm=confirm)


def undo(mender: Mender, mend: Mend, confirm: str = "") -> Mend:
    return mender.undo(mend.record.id, actor="bob", now=NOW, confirm=confirm)


def states(mender: Mender) -> list[str]:
    """What became of each mend, newest first."""
    return [mend.state.value for mend in mender.history()]


def test_the_old_file_is_kept_and_all_is_told(root: Path, mender: Mender) -> None:
    old = (root / STATE).read_bytes()
    proposal = picked(mender)
    mend = apply(mender, proposal)
    folder = root / RUN / ".waypoint/mended" / mend.record.id
    assert mend.folder == folder
    assert (folder / "checkpoint").read_bytes() == old
    assert (root / STATE).read_bytes() == proposal.new
    assert json.loads((folder / "record.json").read_bytes()) == {
        "id": mend.record.id,
        "actor": "ada",
        "at": "2026-01-31T09:30:00Z",
        "state": "ckpts/checkpoint",
        "old": hashlib.sha256(old).hexdigest(),
        "new": hashlib.sha256(proposal.new).hexdigest(),
        "mode": 0o644,
        "mtime_ns": 1769851800_000000000,
        "why": "point the latest at ckpt-2",
    }
    assert mender.history() == (mend,)
    undo(mender, mend)
    lines = [json.loads(line) for line in (root / RUN / ".waypoint/log.jsonl").read_text().splitlines()]
    assert [(line["actor"], line["event"], line["mend"]) for line in lines] == [
        ("ada", "mend state file", mend.record.id),
        ("bob", "undo mend", mend.record.id),
    ]


def test_undo_puts_back_bytes_time_and_mode(root: Path, mender: Mender) -> None:
    (root / STATE).chmod(0o640)
    before, data = (root / STATE).stat(), (root / STATE).read_bytes()
    mend = apply(mender, picked(mender))
    assert stat.S_IMODE((root / STATE).stat().st_mode) == 0o640
    assert (root / STATE).stat().st_mtime_ns == before.st_mtime_ns + 1000
    assert undo(mender, mend).state is MendState.UNDONE
    after = (root / STATE).stat()
    assert (root / STATE).read_bytes() == data
    assert (after.st_mode, after.st_mtime_ns, after.st_gid) == (before.st_mode, before.st_mtime_ns, before.st_gid)
    assert min(os.listdir((root / STATE).parent)) == "checkpoint"
    assert states(mender) == ["undone"]
    with pytest.raises(StateChangedError, match="is undone already"):
        undo(mender, mend)


@pytest.mark.skipif(not AS_ROOT, reason="only root may give files away")
def test_owner_and_group_stay(root: Path, mender: Mender) -> None:
    os.chown(root / STATE, 1234, 4321)
    mend = apply(mender, picked(mender))
    assert ((root / STATE).stat().st_uid, (root / STATE).stat().st_gid) == (1234, 4321)
    undo(mender, mend)
    assert ((root / STATE).stat().st_uid, (root / STATE).stat().st_gid) == (1234, 4321)


def test_a_file_that_was_not_there_is_removed_by_undo(root: Path, mender: Mender) -> None:
    (root / STATE).unlink()
    before = sorted(os.listdir((root / STATE).parent))
    mend = apply(mender, picked(mender))
    assert (root / STATE).read_text() == ('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-2"\n')
    assert (mend.record.old, (mend.folder / "checkpoint").exists()) == (None, False)
    undo(mender, mend)
    assert sorted(os.listdir((root / STATE).parent)) == before


def test_mends_are_undone_one_after_the_other(root: Path, mender: Mender) -> None:
    contents = [(root / STATE).read_bytes()]
    for number in (2, 1):
        apply(mender, picked(mender, number))
        contents.append((root / STATE).read_bytes())
    newest, first = mender.history()
    assert states(mender) == ["in effect", "replaced"]
    with pytest.raises(StateChangedError, match=r"a job or a later mend wrote it since.*mended/.*/checkpoint"):
        undo(mender, first)
    assert mender.newest() == newest
    undo(mender, newest)
    assert (root / STATE).read_bytes() == contents[1]
    assert states(mender) == ["undone", "in effect"]
    undo(mender, mender.newest())
    assert (root / STATE).read_bytes() == contents[0]
    with pytest.raises(NotFoundError, match="nothing to undo"):
        mender.newest()


def test_what_a_job_wrote_since_is_never_undone(root: Path, mender: Mender) -> None:
    mend = apply(mender, picked(mender))
    (root / STATE).write_bytes(b'model_checkpoint_path: "ckpt-9"\n')
    with pytest.raises(StateChangedError, match="Nothing was written"):
        undo(mender, mend)
    assert (root / STATE).read_bytes() == b'model_checkpoint_path: "ckpt-9"\n'


def test_a_kept_file_that_was_changed_is_not_put_back(root: Path, mender: Mender) -> None:
    mend = apply(mender, picked(mender))
    (mend.folder / "checkpoint").write_bytes(b"other")
    with pytest.raises(CoreError, match="is not the old state file any more"):
        undo(mender, mend)
    (mend.folder / "checkpoint").unlink()
    with pytest.raises(CoreError, match="is not the old state file any more"):
        undo(mender, mend)
    assert states(mender) == ["in effect"]


def test_a_proposal_is_only_good_for_the_file_that_it_was_made_from(root: Path, mender: Mender) -> None:
    proposal = picked(mender)
    data = (root / STATE).read_bytes() + b"\n"
    (root / STATE).write_bytes(data)
    with pytest.raises(StateChangedError, match=r"exp/a/ckpts/checkpoint changed since"):
        apply(mender, proposal)
    (root / STATE).unlink()
    with pytest.raises(StateChangedError, match=r"exp/a/ckpts/checkpoint changed since"):
        apply(mender, proposal)
    assert not (root / STATE).exists()
    assert not (root / RUN / ".waypoint/mended").exists()


@pytest.mark.parametrize("gone", ["ckpt-1.index", "ckpt-2.index", "ckpt-2.data-00000-of-00001"])
def test_checkpoints_that_went_away_meanwhile_stop_it(root: Path, mender: Mender, gone: str) -> None:
    proposal, old = picked(mender), (root / STATE).read_bytes()
    (root / STATE).with_name(gone).unlink()
    with pytest.raises(StateChangedError, match=gone.removesuffix(".index")):
        apply(mender, proposal)
    assert (root / STATE).read_bytes() == old


def test_a_latest_that_is_being_written_again_stops_it(root: Path, mender: Mender) -> None:
    proposal = picked(mender)
    (root / STATE).with_name("ckpt-2.data-00000-of-00001").write_bytes(b"longer than it was")
    with pytest.raises(StateChangedError, match=r"ckpt-2\.data"):
        apply(mender, proposal)


def test_a_live_run_wants_its_name(root: Path) -> None:
    mender = a_mender(root, 1, 2, 3, status="live")
    proposal, old = picked(mender), (root / STATE).read_bytes()
    for confirm in ("", "a", "exp", STATE):
        with pytest.raises(LiveRunError, match="never reads the state file again: at its next save it writes its own"):
            apply(mender, proposal, confirm)
    assert (root / STATE).read_bytes() == old
    assert not (root / RUN / ".waypoint").exists()
    mend = apply(mender, proposal, RUN)
    with pytest.raises(LiveRunError, match="exp/a"):
        undo(mender, mend)
    undo(mender, mend, RUN)
    assert (root / STATE).read_bytes() == old


def test_what_was_saved_after_the_last_look_makes_a_run_live(root: Path) -> None:
    mender = a_mender(root, 1, 2, 3, live_window=3600.0)
    with pytest.raises(LiveRunError):
        apply(mender, picked(mender))


def test_a_lease_makes_a_run_live(root: Path, mender: Mender) -> None:
    proposal = picked(mender)
    lease = mender.run_folder.folder / ".waypoint" / "lease.json"
    lease.parent.mkdir()
    lease.write_text("{}")
    with pytest.raises(LiveRunError):
        apply(mender, proposal)
    os.utime(lease, ns=(1, 1))
    assert apply(mender, proposal).state is MendState.IN_EFFECT


def test_a_mend_does_not_make_a_run_live(root: Path) -> None:
    mender = a_mender(root, 1, 2, 3, live_window=3600.0)
    for path in (root / STATE).parent.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    members = (
        item._replace(files=tuple(file._replace(mtime_ns=10**18) for file in item.files)) for item in mender.members
    )
    quiet = replace(mender, members=tuple(members))
    mend = apply(quiet, picked(quiet))
    undo(quiet, mend)
    (root / STATE).unlink()
    undo(quiet, apply(quiet, picked(quiet)))
    assert states(quiet) == ["undone", "undone"]


def test_a_busy_run_is_told(root: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runfolder.run_folder.locked", lambda home: locked(home, wait=0))
    with locked(root / RUN), pytest.raises(BusyError, match="is deciding about this run"):
        apply(mender, picked(mender))


@pytest.fixture
def read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root, of which nothing can be written."""
    refuse_writes(monkeypatch, lambda path: path.is_relative_to(root))
    return root


def test_a_read_only_run_says_what_another_person_can_run(read_only: Path, tmp_path: Path) -> None:
    mender = a_mender(read_only, 1, 2, 3, decisions_dir=tmp_path / "apart")
    command = rf"python -m core mend exp/a --root {read_only} --latest ckpts/ckpt-2 --apply"
    with pytest.raises(ReadOnlyError, match=rf"exp/a/ckpts cannot be written\. .* {command}$"):
        apply(mender, picked(mender))
    assert not (tmp_path / "apart").exists()


def test_where_only_the_state_file_can_be_written_the_old_one_is_kept_apart(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, *_, **__: Path(path) not in (root / RUN, root / RUN / ".waypoint"))
    mender = a_mender(root, 1, 2, 3, decisions_dir=tmp_path / "apart")
    old = (root / STATE).read_bytes()
    mend = apply(mender, picked(mender))
    assert mend.folder == tmp_path / "apart/r00t/exp/a/.waypoint/mended" / mend.record.id
    undo(mender, mender.newest())
    assert (root / STATE).read_bytes() == old


def test_a_folder_that_only_others_may_write_is_a_clear_error(
    root: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "x/.waypoint/log.jsonl")

    monkeypatch.setattr(os, "pwrite", denied)
    with pytest.raises(ReadOnlyError, match=r"x/\.waypoint/log\.jsonl cannot be written: Permission denied\. Somebody"):
        apply(mender, picked(mender))


def test_a_full_disk_leaves_the_old_file_and_is_logged(
    root: Path, mender: Mender, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, real = (root / STATE).read_bytes(), os.replace

    def full(source: Path, target: Path) -> None:
        if target == root / STATE:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        apply(mender, picked(mender))
    assert (root / STATE).read_bytes() == old
    assert states(mender) == ["never"]
    assert '"mend state file failed"' in (root / RUN / ".waypoint/log.jsonl").read_text()
    with pytest.raises(StateChangedError, match="never came to be"):
        undo(mender, mender.history()[0])


def test_links_are_never_followed(root: Path, mender: Mender, tmp_path: Path) -> None:
    old = (root / STATE).read_bytes()
    for target in (tmp_path / "outside", root / RUN / "inside"):
        target.write_bytes(old)
        (root / STATE).unlink()
        (root / STATE).symlink_to(target)
        with pytest.raises(PlaceError, match="link"):
            picked(mender)
        assert target.read_bytes() == old


def test_a_folder_behind_a_link_is_refused_on_apply(root: Path, mender: Mender, tmp_path: Path) -> None:
    proposal = picked(mender)
    (root / RUN / "ckpts").rename(tmp_path / "ckpts")
    (root / RUN / "ckpts").symlink_to(tmp_path / "ckpts")
    with pytest.raises(PlaceError, match="link"):
        apply(mender, proposal)


def test_a_folder_named_checkpoint_is_refused(root: Path, mender: Mender) -> None:
    (root / STATE).unlink()
    (root / STATE).mkdir()
    with pytest.raises(PlaceError, match="no plain file"):
        picked(mender)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "../b/checkpoint"},
        {"state": "ckpts/ckpt-1.index"},
        {"state": "/etc/checkpoint"},
        {"new": "x"},
        {"id": "0190163d-8694-739b-aea5-966c26f8ad91"},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_was_tampered_with_undoes_nothing(root: Path, mender: Mender, change: dict[str, object]) -> None:
    mend = apply(mender, picked(mender))
    record = json.loads((mend.folder / "record.json").read_text())
    (mend.folder / "record.json").write_text(json.dumps(record | change))
    new = (root / STATE).read_bytes()
    with pytest.raises(CoreError):
        undo(mender, mend)
    assert (root / STATE).read_bytes() == new


@pytest.mark.parametrize("mend_id", ["", "../../x", "0190163d-8694-739b-aea5-966c26f8ad91", "last"])
def test_an_unknown_id_is_not_found(mender: Mender, mend_id: str) -> None:
    with pytest.raises(NotFoundError, match="has no mend"):
        mender.undo(mend_id, actor="ada", now=NOW)


OLD = b'model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-1"\nall_model_checkpoint_paths: "ckpt-2"\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    old=st.none() | st.binary(max_size=400) | st.integers(0, len(OLD)).map(lambda length: OLD[:length]),
    mode=st.sampled_from([0o600, 0o640, 0o644, 0o664, 0o444]),
    number=st.sampled_from([1, 2]),
)
def test_undo_is_the_way_back(root: Path, old: bytes | None, mode: int, number: int) -> None:
    mender, place = a_mender(root, 1, 2), root / STATE
    place.unlink(missing_ok=True)
    if old is not None:
        place.write_bytes(old)
        place.chmod(mode)
    before = sorted(os.listdir(place.parent)), place.stat().st_mode if old is not None else None
    proposal = mender.point_at(mender.members[number - 1])
    assume(proposal is not None)
    assert proposal is not None
    undo(mender, apply(mender, proposal))
    assert (place.read_bytes() if place.exists() else None) == old
    assert (sorted(os.listdir(place.parent)), place.stat().st_mode if old is not None else None) == before


@pytest.mark.parametrize("old", [OLD.decode(), ""], ids=["there", "absent"])
def test_a_kill_before_any_line_leaves_the_old_file_or_the_new_one_and_the_way_back(tmp_path: Path, old: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_mends", tmp_path, old],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout)
    assert counts["apply"]["old"] > 100
    assert counts["undo"]["new"] > 100
    assert min(counts["apply"]["new"], counts["undo"]["old"]) > 10

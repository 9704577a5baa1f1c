"""Manifests on disk: what stops a write, that none is lost, and what became of each."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import BusyError, NotFoundError, NotRestorableError, PlaceError, ReadOnlyError
from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, Severity
from core.resume.errors import ChangedError, ManifestError, NotAcceptedError, StateError
from core.resume.history import ManifestState, read_manifests
from core.resume.manifest import Manifest, parse
from core.resume.propose import Proposal, propose
from core.resume.withdrawal import reinstate, withdraw
from core.resume.write import write_manifest
from core.runfolder import places
from core.runfolder.run_folder import RunFolder
from tests.support.read_only import refuse_writes
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from tests.support.rewound_cases import lease
from waypoint_resume.claim_record import Claim
from waypoint_resume.governing import governing

TESTS = Path(__file__).parents[1]
UNKNOWN_ID = "0190163d-8694-739b-aea5-966c26f8ad91"


def proposal_of(checkpoint: Checkpoint) -> Proposal:
    """A proposal with the checkpoint alone in its run."""
    return propose(checkpoint, (checkpoint,), a_run(path=checkpoint.run), NOW)


def write(
    root: Path,
    checkpoint: Checkpoint,
    *,
    note: str = "",
    accepted: Sequence[str] | None = None,
    decisions_dir: Path | None = None,
) -> tuple[Manifest, Path]:
    """Write with every warning accepted."""
    proposal = proposal_of(checkpoint)
    ids = [caution.id for caution in proposal.warnings] if accepted is None else accepted
    return write_manifest(
        run_folder_of(root, checkpoint, decisions_dir),
        checkpoint,
        proposal,
        actor="ada",
        note=note,
        accepted=ids,
        now=NOW,
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log."""
    return [json.loads(line) for line in (folder / ".waypoint" / "log.jsonl").read_text().splitlines()]


def states(folder: Path, decisions: Path | None = None) -> list[tuple[str, str]]:
    """Note and state of each manifest."""
    return [
        (entry.manifest.note, entry.state.value) for entry in read_manifests(RunFolder.alone(folder, decisions)).entries
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def checkpoint(root: Path) -> Checkpoint:
    """A checkpoint on disk in the run exp/a."""
    return on_disk(root, a_checkpoint())


def test_the_manifest_says_what_was_chosen(root: Path, checkpoint: Checkpoint) -> None:
    manifest, path = write(root, checkpoint, note="lowest loss \udc80")
    assert path == root / "exp/a/resume_manifest.json"
    assert parse(path.read_bytes()) == manifest
    assert (manifest.run, manifest.created_by, manifest.created_at) == ("exp/a", "ada", NOW)
    assert manifest.note == r"lowest loss \udc80"
    assert manifest.checkpoint.path == "ckpts/ckpt-7"
    assert [(file.path, file.bytes, file.sha256) for file in manifest.checkpoint.files] == [
        ("ckpts/ckpt-7.index", 5, hashlib.sha256(bytes(5)).hexdigest()),
        ("ckpts/ckpt-7.data-00000-of-00001", 9, None),
    ]
    assert manifest.warnings_accepted == ("not-in-the-file",)
    assert manifest.checks[-1].detail == "2 files have the size and time that was indexed"
    assert manifest.restore == proposal_of(checkpoint).restore
    assert log_of(root / "exp/a") == [
        {
            "at": "2026-01-31T09:30:00Z",
            "actor": "ada",
            "event": "write manifest",
            "manifest": manifest.id,
            "checkpoint": "ckpts/ckpt-7",
            "former": None,
        }
    ]
    assert (
        os.listdir(path.parent) == ["resume_manifest.json", "ckpts", ".waypoint"] or len(os.listdir(path.parent)) == 3
    )


@pytest.mark.parametrize(("folder", "path"), [("", "ckpt-7"), ("ckpts", "ckpts/ckpt-7")], ids=["in-root", "below"])
def test_the_root_itself_can_be_the_run(root: Path, folder: str, path: str) -> None:
    manifest, place = write(root, on_disk(root, a_checkpoint(folder=folder, run=".")))
    assert place == root / "resume_manifest.json"
    assert (manifest.run, manifest.checkpoint.path) == (".", path)
    assert manifest.checkpoint.files[0].path == f"{path}.index"


def test_names_that_are_not_utf_8_become_text(root: Path) -> None:
    manifest, _ = write(root, on_disk(root, a_checkpoint(folder="r\udce9sum\udce9/c", run="r\udce9sum\udce9")))
    assert manifest.run == r"r\xe9sum\xe9"
    assert manifest.checkpoint.files[0].path == "c/ckpt-7.index"


def test_large_files_are_not_hashed(root: Path) -> None:
    big = FileStat(name="a.keras", size=4 * 1024 * 1024 + 1, mtime_ns=1)
    small = FileStat(name="b.keras", size=4 * 1024 * 1024, mtime_ns=1)
    manifest, _ = write(root, on_disk(root, a_checkpoint()._replace(files=(big, small))))
    assert manifest.checkpoint.files[0].sha256 is None
    assert manifest.checkpoint.files[1].sha256 == hashlib.sha256(b"\1" * small.size).hexdigest()


def test_what_cannot_be_restored_is_refused_with_its_reasons(root: Path, checkpoint: Checkpoint) -> None:
    finding = Finding(path="x", rule="missing-shard", severity=Severity.ERROR, reason="shard 1 is gone", action="none")
    with pytest.raises(NotRestorableError, match=r"exp/a/ckpts/ckpt-7 cannot be restored: shard 1 is gone\."):
        write(root, checkpoint._replace(restorable=False, findings=(finding,)))
    assert not (root / "exp/a/resume_manifest.json").exists()


def test_every_warning_must_be_accepted(root: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(NotAcceptedError, match="not-in-the-file: No checkpoint holds the state of random generators"):
        write(root, checkpoint, accepted=["other"])
    assert not (root / "exp/a/.waypoint").exists()


def test_a_proposal_of_another_checkpoint_is_refused(root: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="another checkpoint"):
        write_manifest(
            run_folder_of(root, checkpoint),
            checkpoint,
            proposal_of(a_checkpoint(8)),
            actor="a",
            note="",
            accepted=["not-in-the-file"],
            now=NOW,
        )


def test_files_that_changed_are_named(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / checkpoint.folder
    os.utime(folder / "ckpt-7.index", ns=(1, 1))
    (folder / "ckpt-7.data-00000-of-00001").write_bytes(b"1234")
    expected = r"ckpts/ckpt-7\.index was written since, ckpts/ckpt-7\.data-00000-of-00001 has 4 bytes instead of 9\."
    with pytest.raises(ChangedError, match=expected):
        write(root, checkpoint)
    (folder / "ckpt-7.index").unlink()
    with pytest.raises(ChangedError, match=r"ckpts/ckpt-7\.index is no longer there as a plain file"):
        write(root, checkpoint)


@pytest.mark.parametrize("what", ["file", "folder", "run"])
def test_links_out_of_the_run_are_not_followed(root: Path, checkpoint: Checkpoint, what: str) -> None:
    place = {"file": "exp/a/ckpts/ckpt-7.index", "folder": "exp/a/ckpts", "run": "exp/a"}[what]
    (root / place).rename(root.parent / "moved")
    (root / place).symlink_to(root.parent / "moved")
    with pytest.raises(PlaceError, match="link"):
        write(root, checkpoint)


@pytest.mark.parametrize("name", ["resume_manifest.json", ".waypoint"])
def test_links_in_the_place_of_our_files_are_refused(root: Path, checkpoint: Checkpoint, name: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "exp/a" / name).symlink_to(outside)
    with pytest.raises(PlaceError, match="is no plain"):
        write(root, checkpoint)
    assert os.listdir(outside) == []


@pytest.mark.parametrize("run", ["..", "exp/../../b", "/etc", ""])
def test_a_run_that_leads_out_of_its_root_is_refused(root: Path, run: str) -> None:
    with pytest.raises(PlaceError):
        places.absolute_folder(str(root), run)


def test_a_former_manifest_is_kept(root: Path, checkpoint: Checkpoint) -> None:
    written = [write(root, checkpoint, note=f"n{number}")[0] for number in range(3)]
    kept = root / "exp/a/.waypoint/manifests"
    assert sorted(os.listdir(kept)) == [f"{manifest.id}.json" for manifest in written[:2]]
    assert parse((kept / f"{written[0].id}.json").read_bytes()) == written[0]
    assert [line["former"] for line in log_of(root / "exp/a")] == [
        None,
        f"{written[0].id}.json",
        f"{written[1].id}.json",
    ]
    assert states(root / "exp/a") == [("n2", "pending"), ("n1", "superseded"), ("n0", "superseded")]


def test_a_former_one_that_cannot_be_read_is_kept_too(root: Path, checkpoint: Checkpoint) -> None:
    (root / "exp/a/resume_manifest.json").write_bytes(b"{ my notes")
    write(root, checkpoint, note="new")
    (name,) = os.listdir(root / "exp/a/.waypoint/manifests")
    assert name == f"unreadable-{hashlib.sha256(b'{ my notes').hexdigest()[:16]}.json"
    found = read_manifests(RunFolder.alone(root / "exp/a"))
    assert [entry.manifest.note for entry in found.entries] == ["new"]
    assert [problem.path for problem in found.problems] == [f".waypoint/manifests/{name}"]
    assert found.problems[0].problem.startswith("1 problem in the manifest:")


def test_a_changed_manifest_is_kept_beside_the_one_whose_id_it_bears(root: Path, checkpoint: Checkpoint) -> None:
    first, path = write(root, checkpoint, note="first")
    write(root, checkpoint, note="second")
    kept = path.parent / ".waypoint/manifests"
    path.write_text((kept / f"{first.id}.json").read_text().replace("first", "edited"))
    write(root, checkpoint, note="third")
    assert sorted(name[36:].startswith("-") for name in os.listdir(kept)) == [False, True]
    assert sorted(states(path.parent)) == [("edited", "superseded"), ("first", "superseded"), ("third", "pending")]


def test_a_full_disk_keeps_the_old_manifest_and_is_logged(
    root: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, path = write(root, checkpoint)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(root, checkpoint)
    assert parse(path.read_bytes()) == first
    assert [line["event"] for line in log_of(path.parent)][1:] == ["write manifest", "write manifest failed"]
    assert [entry.state for entry in read_manifests(RunFolder.alone(path.parent)).entries] == [ManifestState.PENDING]


def test_an_actor_without_a_name_is_refused_and_nothing_written(root: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(ManifestError, match="in 'created_by'"):
        write_manifest(
            run_folder_of(root, checkpoint),
            checkpoint,
            proposal_of(checkpoint),
            actor="",
            note="",
            accepted=["not-in-the-file"],
            now=NOW,
        )
    assert read_manifests(RunFolder.alone(root / "exp/a")).entries == ()


def test_a_second_writer_waits_and_then_names_the_holder(root: Path) -> None:
    with (
        places.locked(root),
        pytest.raises(BusyError, match=rf"process {os.getpid()} on .* is deciding about this run"),
        places.locked(root, wait=0.05),
    ):
        pytest.fail("two at once")
    with places.locked(root, wait=0.05) as hidden:
        assert hidden == root / ".waypoint"


def test_threads_lose_no_manifest(root: Path, checkpoint: Checkpoint) -> None:
    threads = [threading.Thread(target=write, args=(root, checkpoint), kwargs={"note": str(n)}) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(note) for note, _ in states(root / "exp/a")) == list(range(12))


LOOP = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from dataclasses import replace
import os, pickle
from tests.resume.test_resume_write import write
root, count = Path(sys.argv[2]), int(sys.argv[3])
checkpoint = pickle.loads(bytes.fromhex(sys.argv[4]))
{body}
"""


def python(body: str, *arguments: object) -> "subprocess.Popen[str]":
    """Another process that runs LOOP with a body."""
    command = [sys.executable, "-c", LOOP.format(body=body), str(TESTS.parent), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TESTS.parent)


def pickled(checkpoint: Checkpoint) -> str:
    """A checkpoint as an argument."""
    return pickle.dumps(checkpoint).hex()


def test_two_processes_lose_no_manifest(root: Path, checkpoint: Checkpoint) -> None:
    body = "for number in range(count): print(write(root, checkpoint)[0].id)"
    writers = [python(body, root, 40, pickled(checkpoint)) for _ in range(2)]
    written = [line for writer in writers for line in writer.communicate()[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0]
    found = read_manifests(RunFolder.alone(root / "exp/a"))
    assert sorted(entry.manifest.id for entry in found.entries) == sorted(written)
    assert len(written) == 80
    assert found.problems == ()
    assert sorted(line["manifest"] for line in log_of(root / "exp/a")) == sorted(written)


KILLS = """
import random, select, signal, time
for number in range(count):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        while True:
            os.write(writer, b'%s\\n' % write(root, checkpoint)[0].id.encode())
    os.close(writer)
    first = os.read(reader, 37)
    time.sleep(random.uniform(0, 0.012))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(reader, 'rb') as told:
        print(os.fsdecode(first + told.read()).strip(), flush=True)
    print((root / 'exp/a/resume_manifest.json').read_text().split('"')[5], flush=True)
"""


def test_a_kill_at_any_moment_leaves_whole_manifests_and_loses_none(root: Path, checkpoint: Checkpoint) -> None:
    process = python(KILLS, root, 15, pickled(checkpoint))
    told = set(process.communicate()[0].split())
    assert process.returncode == 0
    write(root, checkpoint, note="after")
    found = read_manifests(RunFolder.alone(root / "exp/a"))
    assert found.problems == ()
    assert told <= {entry.manifest.id for entry in found.entries}
    assert len(told) >= 15
    assert (found.entries[0].manifest.note, found.entries[0].state) == ("after", ManifestState.PENDING)
    assert {entry.state for entry in found.entries[1:]} == {ManifestState.SUPERSEDED}
    assert {entry.manifest.id for entry in found.entries} <= {line["manifest"] for line in log_of(root / "exp/a")}
    assert [name for name in os.listdir(root / "exp/a") if name.endswith("tmp")] == []


@pytest.fixture
def read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root, of which nothing can be written."""
    refuse_writes(monkeypatch, lambda path: path.is_relative_to(root))
    return root


def test_a_read_only_run_names_the_setting(read_only: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(ReadOnlyError, match=r"exp/a cannot be written\. .* set WAYPOINT_DECISIONS_DIR"):
        write(read_only, checkpoint)


def test_decisions_about_a_read_only_run_lie_apart(read_only: Path, checkpoint: Checkpoint, tmp_path: Path) -> None:
    apart = tmp_path / "decisions"
    _, path = write(read_only, checkpoint, note="a", decisions_dir=apart)
    manifest, _ = write(read_only, checkpoint, note="b", decisions_dir=apart)
    assert path == apart / "r00t/exp/a/resume_manifest.json"
    assert os.listdir(read_only / "exp/a") == ["ckpts"]
    home = places.decisions_folder(apart, "r00t", "exp/a")
    assert states(read_only / "exp/a", home) == [("b", "pending"), ("a", "superseded")]
    withdraw(RunFolder.alone(read_only / "exp/a", home), manifest.id, actor="ada", now=NOW)
    assert states(read_only / "exp/a", home) == [("b", "withdrawn"), ("a", "superseded")]


def test_of_two_places_the_newest_counts(
    root: Path, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, checkpoint, note="in the run")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    write(root, checkpoint, note="apart", decisions_dir=tmp_path / "d")
    home = places.decisions_folder(tmp_path / "d", "r00t", "exp/a")
    assert states(root / "exp/a", home) == [("apart", "pending"), ("in the run", "superseded")]


def test_a_folder_that_only_others_may_write_is_a_clear_error(
    root: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "x/.waypoint/log.jsonl")

    monkeypatch.setattr(os, "pwrite", denied)
    with pytest.raises(ReadOnlyError, match=r"x/\.waypoint/log\.jsonl cannot be written: Permission denied"):
        write(root, checkpoint)


def claim(folder: Path, manifest_id: str, **more: object) -> None:
    """What a job leaves that took a manifest."""
    claims = folder / ".waypoint/claims"
    claims.mkdir(parents=True, exist_ok=True)
    (claims / f"{manifest_id}.claim").write_text(json.dumps({"manifest": manifest_id, "job": "4711"} | more))


def test_states_follow_the_claim(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    first, _ = write(root, checkpoint, note="first")
    claim(folder, first.id)
    (entry,) = read_manifests(RunFolder.alone(folder)).entries
    assert (entry.state, entry.needs_checkpoint, entry.claim) == (
        ManifestState.CLAIMED,
        True,
        Claim(job="4711"),
    )
    write(root, checkpoint, note="second")
    new, old = read_manifests(RunFolder.alone(folder)).entries
    assert (old.state, old.is_current, old.needs_checkpoint) == (ManifestState.SUPERSEDED, False, True)
    assert (new.state, new.is_current, new.needs_checkpoint) == (ManifestState.PENDING, True, True)
    claim(folder, first.id, finished_at="2026-02-01T00:00:00Z")
    old = read_manifests(RunFolder.alone(folder)).entries[1]
    assert (old.state, old.needs_checkpoint) == (ManifestState.FINISHED, False)


def test_a_claim_that_cannot_be_read_still_counts(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    manifest, _ = write(root, checkpoint)
    claim(folder, manifest.id)
    (folder / f".waypoint/claims/{manifest.id}.claim").write_bytes(b"{")
    found = read_manifests(RunFolder.alone(folder))
    assert found.entries[0].state is ManifestState.CLAIMED
    assert [problem.path for problem in found.problems] == [f".waypoint/claims/{manifest.id}.claim"]


def test_withdraw_and_reinstate(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    manifest, path = write(root, checkpoint, note="n")
    before = path.read_bytes()
    withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW + timedelta(hours=1))
    (entry,) = read_manifests(RunFolder.alone(folder)).entries
    assert (entry.state, entry.needs_checkpoint) == (ManifestState.WITHDRAWN, False)
    assert entry.withdrawal == {"manifest": manifest.id, "actor": "bob", "at": "2026-01-31T10:30:00Z"}
    with pytest.raises(StateError, match="is withdrawn, not pending"):
        withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    reinstate(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    assert states(folder) == [("n", "pending")]
    with pytest.raises(StateError, match="is pending, not withdrawn"):
        reinstate(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    assert path.read_bytes() == before
    events = [(line["actor"], line["event"]) for line in log_of(folder)]
    assert events == [("ada", "write manifest"), ("bob", "withdraw manifest"), ("bob", "reinstate manifest")]


def test_what_was_claimed_or_replaced_cannot_be_withdrawn_or_reinstated(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    first, _ = write(root, checkpoint)
    withdraw(RunFolder.alone(folder), first.id, actor="bob", now=NOW)
    second, _ = write(root, checkpoint)
    assert [entry.state.value for entry in read_manifests(RunFolder.alone(folder)).entries] == ["pending", "withdrawn"]
    with pytest.raises(StateError, match="was replaced since"):
        reinstate(RunFolder.alone(folder), first.id, actor="bob", now=NOW)
    claim(folder, second.id, finished_at="2026-02-01T00:00:00Z")
    with pytest.raises(StateError, match="is finished, not pending or claimed"):
        withdraw(RunFolder.alone(folder), second.id, actor="bob", now=NOW)
    for unknown in (UNKNOWN_ID, "../../../etc/passwd"):
        with pytest.raises(NotFoundError, match="No manifest"):
            withdraw(RunFolder.alone(folder), unknown, actor="bob", now=NOW)


def test_a_claimed_manifest_is_withdrawn_once_its_job_is_dead(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    manifest, _ = write(root, checkpoint, note="n")
    claim(folder, manifest.id, uuid="c1")
    mark = lease(folder)
    before = log_of(folder)
    with pytest.raises(StateError, match=r"A job \(4711\) lives in this run and follows the manifest: end it first"):
        withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    assert (states(folder), log_of(folder)) == ([("n", "claimed")], before)
    os.utime(mark, (1, 1))
    withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    (entry,) = read_manifests(RunFolder.alone(folder)).entries
    assert (entry.state, entry.needs_checkpoint, entry.claim) == (
        ManifestState.WITHDRAWN,
        False,
        Claim(job="4711", uuid="c1"),
    )
    assert entry.withdrawal is not None
    assert entry.withdrawal["claim"] == "c1"
    assert governing([folder]) == (None, None)
    reinstate(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    assert states(folder) == [("n", "claimed")]


def test_a_start_that_was_faster_than_the_withdrawal_keeps_its_claim(root: Path, checkpoint: Checkpoint) -> None:
    folder = root / "exp/a"
    manifest, _ = write(root, checkpoint, note="n")
    withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    claim(folder, manifest.id, uuid="c1")
    assert states(folder) == [("n", "claimed")]
    withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)
    assert states(folder) == [("n", "withdrawn")]
    claim(folder, manifest.id, uuid="c2")  # as a restart takes it over
    assert states(folder) == [("n", "claimed")]
    (folder / f".waypoint/claims/{manifest.id}.claim").write_bytes(b"{")
    with pytest.raises(StateError, match=r"The claim of manifest .* cannot be understood"):
        withdraw(RunFolder.alone(folder), manifest.id, actor="bob", now=NOW)


def test_a_run_without_manifests_has_none(tmp_path: Path) -> None:
    found = read_manifests(RunFolder.alone(tmp_path / "nowhere", tmp_path / "no-decisions"))
    assert (found.entries, found.problems) == ((), ())

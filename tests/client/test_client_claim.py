"""A job claims a manifest: one of many, whole at every instant, without TensorFlow; and its lease keeps others out."""

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.base.records import Checkpoint
from core.resume.history import ManifestState, read_manifests
from core.resume.manifest import Manifest
from core.resume.manifest import parse as parse_by_core
from core.resume.propose import propose
from core.resume.withdrawal import withdraw
from core.resume.write import write_manifest
from core.runfolder.run_folder import RunFolder
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from tests.support.trees import save
from waypoint_resume import ResumeError, RunIsBusy
from waypoint_resume.clock import seconds_of
from waypoint_resume.decision import decide
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.governing import governing
from waypoint_resume.identity import identity_of
from waypoint_resume.manifest import parse_manifest
from waypoint_resume.names import short_id
from waypoint_resume.process import own_process
from waypoint_resume.state_store import StateStore

HERE = Path(__file__).parents[2]


def hand_over(root: Path, checkpoint: Checkpoint, decisions_dir: Path | None = None, note: str = "") -> Manifest:
    """Write the manifest of a checkpoint with core's own code, all warnings accepted."""
    proposal = propose(checkpoint, (checkpoint,), a_run(path=checkpoint.run), NOW)
    accepted = [caution.id for caution in proposal.warnings]
    given: dict[str, Any] = {"actor": "ada", "note": note, "accepted": accepted, "now": NOW}
    place = run_folder_of(root, checkpoint, decisions_dir)
    return write_manifest(place, checkpoint, proposal, **given)[0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run exp/a with a checkpoint and a pending manifest; no job variables in the environment."""
    for name in ("WAYPOINT_JOB", "SLURM_JOB_ID", "TF_CONFIG", "WAYPOINT_DECISIONS_DIR"):
        monkeypatch.delenv(name, raising=False)
    hand_over(tmp_path, on_disk(tmp_path, a_checkpoint()))
    return tmp_path / "exp" / "a"


def state(run: Path, decisions: Path | None = None) -> ManifestState:
    """What core says of the newest manifest."""
    found = read_manifests(RunFolder.alone(run, decisions))
    assert found.problems == ()
    return found.entries[0].state


def manifest_id(run: Path) -> str:
    """The id of the manifest in place."""
    return str(json.loads((run / "resume_manifest.json").read_text())["id"])


def racers(kind: str, folder: Path, identity: str, last: object, count: int) -> list[subprocess.Popen[str]]:
    """Jobs that wait for the start."""
    command = [sys.executable, "-m", "tests.support.client_race", kind, str(folder), identity, str(last)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    running = [subprocess.Popen(command, cwd=HERE, text=True, **pipes) for _ in range(count)]
    for process in running:
        assert answer_of(process) == "ready"
    return running


def answer_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a job prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: "subprocess.Popen[str]") -> str:
    """Let a job end; the rest of what it printed."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    return rest.strip()


@pytest.mark.soak
def test_of_twenty_processes_one_claims(run: Path, tmp_path: Path, more: int) -> None:
    rounds = 20 * more
    running = racers("claim", tmp_path, manifest_id(run), rounds, 20)
    for number in range(rounds):
        (tmp_path / f"start-{number}").touch()
        assert sorted(answer_of(process) for process in running) == ["lost"] * 19 + ["won"]
        claims = tmp_path / f"home-{number}" / ".waypoint" / "claims"
        assert [path.name for path in claims.iterdir()] == [f"{manifest_id(run)}.claim"]
    assert {end(process) for process in running} == {"[]"}


def test_of_ten_jobs_one_gets_the_run_and_the_others_are_told_that_it_is_busy(run: Path, tmp_path: Path) -> None:
    running = racers("decide", run, "-", tmp_path / "start", 10)
    (tmp_path / "start").touch()
    assert sorted(answer_of(process) for process in running) == ["busy"] * 9 + ["won"]
    assert state(run) is ManifestState.CLAIMED
    assert {end(process) for process in running} == {"[]"}
    assert not (run / ".waypoint/lease.json").exists()


@pytest.mark.soak
def test_a_job_killed_while_it_claims_leaves_a_pending_or_a_claimed_manifest(
    run: Path, tmp_path: Path, more: int
) -> None:
    seen = set()
    chance = random.Random(7)
    for number in range(20 * more):
        hand_over(tmp_path, on_disk(tmp_path, a_checkpoint(number + 8)), note=str(number))
        start = tmp_path / f"start-{number}"
        [process] = racers("decide", run, "-", start, 1)
        start.touch()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(chance.random() * 0.03)
        process.kill()
        process.communicate()
        seen.add(state(run))
        assert (run / "ckpts" / f"ckpt-{number + 8}.index").exists()
        left = {path.name for path in (run / ".waypoint").rglob("*") if path.is_file()}
        known = r"(lease|run)\.json|decisions\.lock|log\.jsonl|\..*\.waypoint-tmp|[-0-9a-f]{32,36}\.(json|claim)"
        assert [name for name in left if not re.fullmatch(known, name)] == []
    assert seen <= {ManifestState.PENDING, ManifestState.CLAIMED}
    # The next one goes on: the process of the lease has surely ended.
    decision = decide(run)
    assert decision.manifest is not None
    assert decision.lease is not None
    decision.lease.release()


def test_importing_the_client_imports_nothing_heavy_and_nothing_of_core() -> None:
    program = """
import sys
import waypoint_resume
heavy = ("core", "tensorflow", "keras", "numpy", "h5py")
print([name for name in sys.modules if name.split(".")[0] in heavy])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_claim_says_who_has_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    decision = decide(run)
    [entry] = read_manifests(RunFolder.alone(run)).entries
    assert entry.claim is not None
    assert (entry.claim.job, entry.claim.host, entry.claim.pid, entry.claim.checkpoint) == (
        "slurm-4711",
        socket.gethostname(),
        os.getpid(),
        "ckpts/ckpt-7",
    )
    written = json.loads((run / "resume_manifest.json").read_text())
    assert decision.manifest == {**written, "checkpoint": {**written["checkpoint"], "inner": ""}}
    assert not decision.is_restart
    decision.note(finished_at="2026-01-31T09:30:00Z")
    assert state(run) is ManifestState.FINISHED
    assert governing([run]) == (None, None)


def test_a_withdrawn_manifest_is_not_claimed(run: Path) -> None:
    withdraw(RunFolder.alone(run), manifest_id(run), actor="ada", now=NOW)
    decision = decide(run)
    assert decision.manifest is None
    assert state(run) is ManifestState.WITHDRAWN


def test_a_superseded_manifest_is_not_claimed(run: Path, tmp_path: Path) -> None:
    newer = hand_over(tmp_path, on_disk(tmp_path, a_checkpoint(8)))
    decision = decide(run)
    assert decision.manifest is not None
    assert decision.manifest["id"] == newer.id
    assert [entry.state for entry in read_manifests(RunFolder.alone(run)).entries] == [
        ManifestState.CLAIMED,
        ManifestState.SUPERSEDED,
    ]


def test_a_manifest_in_decisions_dir_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, decisions = tmp_path / "root", tmp_path / "decisions"
    on_disk(root, a_checkpoint())
    checkpoint = on_disk(root, a_checkpoint())._replace(root=short_id(str(root)))
    home = decisions / short_id(str(root)) / "exp" / "a"
    home.mkdir(parents=True)
    manifest = hand_over(root, checkpoint)
    (root / "exp/a/resume_manifest.json").rename(home / "resume_manifest.json")
    assert decide(root / "exp/a").manifest is None
    monkeypatch.setenv("WAYPOINT_DECISIONS_DIR", str(decisions))
    decision = decide(root / "exp/a", take_over=True)
    assert decision.manifest is not None
    assert decision.manifest["id"] == manifest.id
    assert state(root / "exp/a", home) is ManifestState.CLAIMED


def lease_of(run: Path, *, age: float, **changes: object) -> None:
    """The lease of another job, last touched some seconds ago."""
    path = run / ".waypoint" / "lease.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"job": "other", "host": "elsewhere", "pid": 1, **changes}))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


def test_a_run_with_a_young_lease_is_busy_unless_it_is_taken_over(run: Path) -> None:
    lease_of(run, age=60)
    with pytest.raises(RunIsBusy, match=r"in use by job other on elsewhere \(process 1\), seen 6\d s ago"):
        decide(run)
    assert state(run) is ManifestState.PENDING
    assert decide(run, take_over=True).manifest is not None


@pytest.mark.parametrize(
    ("age", "changes"),
    [(121, {}), (0, {"job": "waypoint-night"}), (0, {"process": "PROCESS"})],
    ids=["old", "the-same-job", "its-process-has-ended"],
)
def test_a_lease_that_keeps_nobody_out(
    run: Path, monkeypatch: pytest.MonkeyPatch, age: float, changes: dict[str, str]
) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    own = (own_process() or "").split("/")
    filled = {k: f"{own[0]}/{own[1]}/{int(ended.stdout)}/1" if v == "PROCESS" else v for k, v in changes.items()}
    lease_of(run, age=age, **filled)
    assert decide(run).manifest is not None


def test_a_requeued_job_takes_its_own_claim_over(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    first, second = decide(run), decide(run)
    assert second.is_restart
    assert first.claim is not None
    assert second.claim is not None
    assert first.claim["claimed_at"] == second.claim["claimed_at"]
    first.note(finished_at="2026-01-31T09:30:00Z")  # the former process has no say any more
    assert state(run) is ManifestState.CLAIMED


def test_a_process_that_starts_twice_does_not_keep_itself_out(run: Path) -> None:
    first = decide(run)
    assert decide(run).is_restart
    assert first.lease is not None
    first.lease.release()
    assert (run / ".waypoint/lease.json").exists()  # the second one's


def test_the_lease_is_touched_until_the_job_ends(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waypoint_resume.lease.HEARTBEAT", 0.001)
    decision = decide(run)
    path = run / ".waypoint" / "lease.json"
    os.utime(path, (1, 1))
    until = time.monotonic() + 60
    while path.stat().st_mtime < 2 and time.monotonic() < until:
        pass
    assert path.stat().st_mtime > 2
    assert decision.lease is not None
    decision.lease.release()
    assert not path.exists()


@pytest.mark.parametrize("how", ["missing", "shorter", "changed", "link"])
def test_files_that_are_not_what_was_picked_are_named_and_nothing_is_claimed(run: Path, how: str) -> None:
    index = run / "ckpts" / "ckpt-7.index"
    content = index.read_bytes()
    index.unlink()
    if how == "link":
        (run.parent / "other").write_bytes(content)
        index.symlink_to(run.parent / "other")
    elif how != "missing":
        index.write_bytes(content[1:] if how == "shorter" else b"x" * len(content))
    message = {"missing": "is gone", "shorter": "4 bytes instead of 5", "changed": "SHA-256", "link": "no plain file"}
    with pytest.raises(ResumeError, match=f"ckpts/ckpt-7.index .*{message[how]}"):
        decide(run)
    assert not (run / ".waypoint/claims").exists()
    assert not (run / ".waypoint/lease.json").exists()


def changed(run: Path, **changes: object) -> bytes:
    """The text of the run's manifest with some fields changed; a dotted name leads inside, None removes."""
    document = json.loads((run / "resume_manifest.json").read_text())
    for name, value in changes.items():
        *way, last = name.split("__")
        inner = document
        for part in way:
            inner = inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(document).encode()


BAD = {
    "version": ({"version": 2}, "in 'version': 2 is a version that this Waypoint does not know; allowed: 1"),
    "bool-version": ({"version": True}, "in 'version'"),
    "unknown-field": ({"extra": 1}, "in 'extra': an unknown field"),
    "missing": ({"restore__api": None}, "in 'restore.api': missing"),
    "bool-for-int": ({"checkpoint__step": True}, "in 'checkpoint.step': true is not allowed; allowed: an integer"),
    "dotdot": (
        {"checkpoint__path": "../b/ckpt-7"},
        r"in 'checkpoint.path': .*: '\.\.' leads out of its folder",
    ),
    "absolute": ({"checkpoint__path": "/ckpt-7"}, "in 'checkpoint.path': \"/ckpt-7\": an absolute path"),
    "override": ({"overrides": {"learning_rate": [1]}}, r"in 'overrides.learning_rate': no scalar"),
    "no-files": ({"checkpoint__files": []}, "in 'checkpoint.files': no file"),
    "api": ({"restore__api": "pickle.load"}, "in 'restore.api': \"pickle.load\" is not allowed; allowed: 'tf"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_a_manifest_with_errors_is_refused_by_name_as_core_refuses_it(
    run: Path, changes: dict[str, object], message: str
) -> None:
    data = changed(run, **changes)
    (run / "resume_manifest.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"in the manifest:"):
        parse_by_core(data)
    with pytest.raises(ResumeError, match=message):
        decide(run)
    assert not (run / ".waypoint/claims").exists()


def test_every_problem_of_a_manifest_is_said_at_once(run: Path) -> None:
    data = changed(run, mode="again", note=7, checkpoint__format="zip")
    with pytest.raises(ResumeError) as caught:
        parse_manifest(data, "x")
    assert re.findall(r"in '([a-z.]+)'", str(caught.value)) == ["note", "checkpoint.format", "mode"]


def test_the_claim_time_is_the_disks(run: Path) -> None:
    decision = decide(run)
    assert decision.claim is not None
    claimed = seconds_of(decision.claim["claimed_at"])
    assert claimed is not None
    written = (run / ".waypoint/claims" / f"{manifest_id(run)}.claim").stat().st_mtime
    assert abs(written - claimed) < timedelta(seconds=60).total_seconds()


def test_a_lease_from_far_ahead_keeps_nobody_out(run: Path) -> None:
    lease_of(run, age=-400 * 86_400)
    assert decide(run).manifest is not None


def test_a_second_process_of_the_same_job_is_kept_out_while_the_first_lives(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    [process] = racers("decide", run, "-", tmp_path / "start", 1)
    (tmp_path / "start").touch()
    assert answer_of(process) == "won"
    with pytest.raises(RunIsBusy, match="all but one are to pass chief=False"):
        decide(run)
    end(process)
    assert decide(run).is_restart


def test_what_was_saved_after_the_hand_over_stops_the_job_before_it_claims(run: Path) -> None:
    made = (run / "resume_manifest.json").stat().st_mtime
    for step in (6, 8):  # an older one that somebody touched, and a later one
        save(run / "ckpts", step, at_ns=int((made + 1) * 1e9))
    (run / "ckpts" / "ckpt-9.index").write_bytes(b"cut")  # by a kill: nothing to be lost
    (run / "ckpts" / "ckpt-9.data-00000-of-00001").write_bytes(b"cut")
    with pytest.raises(ResumeError, match=r"^ckpts/ckpt-8: saved after ckpts/ckpt-7 was handed over"):
        decide(run)
    assert state(run) is ManifestState.PENDING


def test_what_another_training_of_the_run_saved_meanwhile_stops_no_job(run: Path) -> None:
    made = (run / "resume_manifest.json").stat().st_mtime
    save(run / "ckpts", 8, at_ns=int((made + 1) * 1e9))
    store = StateStore(run, run)
    for step, saver in ((7, "ckpts/b-{epoch}"), (8, "ckpts/a-{epoch}")):
        fit = FitMark(step, "site", 0, (saver,))
        store.keep(identity_of(run, f"ckpts/ckpt-{step}"), {"fit": fit.record()})
    assert decide(run).manifest is not None


def test_a_claimed_manifest_that_was_withdrawn_governs_nothing(run: Path) -> None:
    decision = decide(run)
    assert decision.claim is not None
    record = run / ".waypoint/withdrawn" / f"{manifest_id(run)}.json"
    record.parent.mkdir()
    record.write_text("{}")  # a moment before the claim: the job was faster
    assert governing([run])[1] is not None
    record.write_text(json.dumps({"claim": decision.claim["uuid"]}))
    assert governing([run]) == (None, None)


@pytest.mark.parametrize("how", ["folder", "link", "deep", "files-of-another"])
def test_an_odd_manifest_is_one_clear_error(run: Path, tmp_path: Path, how: str) -> None:
    path = run / "resume_manifest.json"
    text = path.read_bytes()
    document = json.loads(text)
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "link":
        (tmp_path / "elsewhere").write_bytes(text)
        path.symlink_to(tmp_path / "elsewhere")
    elif how == "deep":
        path.write_bytes(b"[" * 100_000)
    else:
        document["checkpoint"]["path"] = "ckpts/ckpt-6"
        path.write_text(json.dumps(document))
    with pytest.raises(ResumeError):
        decide(run)
    assert not (run / ".waypoint/claims").exists()

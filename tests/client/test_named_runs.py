"""A job names a folder, and the dashboard took another one for the run: both mean the same, before and after."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.base.facts import Format
from core.base.records import Checkpoint
from core.config.settings import load
from core.resume.history import ManifestState, read_manifests
from core.resume.propose import propose
from core.resume.withdrawal import withdraw
from core.resume.write import write_manifest
from core.runfolder.pins import pin, read_pins, unpin
from core.runfolder.run_folder import RunFolder
from core.services.workspace import Workspace
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from tests.support.rewind_cases import to_be_rewound
from waypoint_resume import ResumeError
from waypoint_resume.claim import Decision
from waypoint_resume.decision import decide
from waypoint_resume.rewind import set_aside


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """One job that is started again and again."""
    for name in ("SLURM_JOB_ID", "TF_CONFIG", "WAYPOINT_DECISIONS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYPOINT_JOB", "night")


def hand_over(root: Path, run: str, folder: str, number: int = 7) -> Checkpoint:
    """Write the manifest of a checkpoint with core's own code; `run` is what the dashboard takes for its run."""
    checkpoint = on_disk(root, a_checkpoint(number, folder=folder, run=run))
    proposal = propose(checkpoint, (checkpoint,), a_run(path=run), NOW)
    accepted = [caution.id for caution in proposal.warnings]
    given: dict[str, Any] = {"actor": "ada", "note": "", "accepted": accepted, "now": NOW}
    write_manifest(run_folder_of(root, checkpoint), checkpoint, proposal, **given)
    return checkpoint


def end(decision: Decision) -> None:
    """The job ends as one does that has done its work."""
    decision.note(finished_at="2026-01-31T10:00:00Z")
    assert decision.lease is not None
    decision.lease.release()


@pytest.mark.parametrize(
    ("run", "folder", "named", "path", "lease"),
    [
        pytest.param("exp/out", "exp/out", "exp", "out/ckpt-7", "exp", id="below"),
        pytest.param("exp/models/best", "exp/models/best", "exp", "models/best/ckpt-7", "exp", id="far-below"),
        pytest.param("exp", "exp/ckpts", "exp/ckpts", "ckpts/ckpt-7", "exp", id="above-the-folder-of-checkpoints"),
        pytest.param("exp", "exp/b/ckpts", "exp/b", "ckpts/ckpt-7", "exp/b", id="above-a-run-of-its-own"),
        pytest.param("exp", "exp", "exp", "ckpt-7", "exp", id="in-it"),
    ],
)
def test_the_manifest_is_found_wherever_the_dashboard_wrote_it(
    tmp_path: Path, run: str, folder: str, named: str, path: str, lease: str
) -> None:
    hand_over(tmp_path, run, folder)
    for is_restart in (False, True):
        decision = decide(tmp_path / named)
        assert decision.manifest is not None
        assert (decision.manifest["checkpoint"]["path"], decision.is_restart) == (path, is_restart)
        (claim,) = (tmp_path / run / ".waypoint/claims").iterdir()
        assert json.loads(claim.read_text())["checkpoint"] == path
        assert (tmp_path / lease / ".waypoint/lease.json").exists()
        assert decision.lease is not None
        decision.lease.release()
    decision.note(finished_at="2026-01-31T10:00:00Z")
    assert read_manifests(RunFolder.alone(tmp_path / run)).entries[0].state is ManifestState.FINISHED
    assert decide(tmp_path / named).manifest is None


def test_a_manifest_about_another_run_above_is_nobodys_business_here(tmp_path: Path) -> None:
    hand_over(tmp_path, "exp", "exp/a")
    (tmp_path / "exp/b").mkdir()
    assert decide(tmp_path / "exp/b").manifest is None
    assert read_manifests(RunFolder.alone(tmp_path / "exp")).entries[0].state is ManifestState.PENDING


def test_of_several_none_is_guessed_and_each_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        hand_over(tmp_path, f"exp/{name}", f"exp/{name}")
    with pytest.raises(ResumeError, match=r"Several manifests may be meant(.|\n)*exp/a/(.|\n)*exp/b/"):
        decide(tmp_path / "exp")
    assert not (tmp_path / "exp/.waypoint/lease.json").exists()
    withdraw(
        RunFolder.alone(tmp_path / "exp/a"),
        read_manifests(RunFolder.alone(tmp_path / "exp/a")).entries[0].manifest.id,
        actor="ada",
        now=NOW,
    )
    decision = decide(tmp_path / "exp")
    assert decision.manifest is not None
    assert decision.manifest["checkpoint"]["path"] == "b/ckpt-7"


def test_a_folder_that_another_job_named_is_left_alone(tmp_path: Path) -> None:
    end(decide(tmp_path / "exp/a"))
    hand_over(tmp_path, "exp/a", "exp/a")
    assert decide(tmp_path / "exp").manifest is None


def test_what_was_decided_below_before_a_job_named_the_run_still_holds(tmp_path: Path) -> None:
    checkpoint = hand_over(tmp_path, "exp/out", "exp/out")
    pin(RunFolder.alone(tmp_path / "exp/out"), "ckpt-7", Format.TF_BUNDLE, actor="ada", now=NOW)
    decision = decide(tmp_path / "exp")
    run = tmp_path / "exp"
    (entry,) = read_manifests(RunFolder.alone(run)).entries
    assert (entry.manifest.checkpoint.path, entry.state) == ("out/ckpt-7", ManifestState.CLAIMED)
    assert {file.path for file in entry.manifest.checkpoint.files} == {f"out/{file.name}" for file in checkpoint.files}
    assert entry.needs_checkpoint
    assert read_pins(RunFolder.alone(run)).why("out/ckpt-7", Format.TF_BUNDLE) == "pinned by ada"
    unpin(RunFolder.alone(run), "out/ckpt-7", Format.TF_BUNDLE, actor="ada", now=NOW)
    assert read_pins(RunFolder.alone(run)).pins == read_pins(RunFolder.alone(tmp_path / "exp/out")).pins == ()
    assert decision.lease is not None
    decision.lease.release()
    withdraw(RunFolder.alone(run), entry.manifest.id, actor="ada", now=NOW)  # lies in exp, and the job sees it
    assert decide(run).manifest is None


def test_a_named_folder_is_one_run_for_the_dashboard_before_and_after_its_first_save(tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    settings = load(roots_override=[tmp_path]).model_copy(update={"home": tmp_path / ".home"})
    workspace = Workspace.open(settings)
    end(decide(tmp_path / "exp"))
    workspace.refresh()
    assert [(run.path, run.checkpoints) for run in workspace.runs()] == [("exp", 0)]
    for folder in ("exp/out", "exp/models/best", "other"):
        on_disk(tmp_path, a_checkpoint(folder=folder, run=folder))
    (tmp_path / "exp/out/.waypoint").mkdir()
    workspace.refresh()
    assert {run.path for run in workspace.runs()} == {"exp", "other"}
    workspace.close()


def test_a_rewind_below_is_a_batch_of_the_run_that_the_job_names(tmp_path: Path) -> None:
    case = to_be_rewound(tmp_path)
    above = case.folder.parent
    (above / "later.keras").write_bytes(b"saved later, and unknown to the plan")
    os.utime(above / "later.keras", (4e9, 4e9))
    decision = decide(above)
    moved = set_aside(decision)
    assert all(path.startswith(f"{case.folder.name}/") for path in moved)
    assert f"{case.folder.name}/ckpts/ckpt-2" in moved
    (batch,) = (above / ".waypoint/rewound").glob("*/journal.json")
    assert json.loads(batch.read_text())["stage"] == "done"
    assert (case.folder / "ckpts/ckpt-1.index").exists()
    assert not (case.folder / "ckpts/ckpt-2.index").exists()
    assert (above / "later.keras").exists()

"""`resume-env`: a shell gets what the job would be told, whatever the names hold, and nothing is claimed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core.cli.resume_env import resume_env_command
from core.services.manifests import manifest_problems, reinstate_manifest, run_manifests, withdraw_manifest
from core.services.resume import propose, resume_from
from core.services.runs import series_choices
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import save
from waypoint_resume.decision import decide
from waypoint_resume.governing import governing
from waypoint_resume.job_environment import NAMES

pytestmark = pytest.mark.usefixtures("plain_environment")
app = typer.Typer()
app.command()(resume_env_command)


def exported(root: Path, run: str) -> dict[str, str]:
    """The variables that a shell has after `eval` of what the command prints; the client by itself prints the same."""
    done = CliRunner().invoke(app, ["--root", str(root), run])
    assert done.exit_code == 0, done.output
    assert client(root / run) == (0, done.stdout_bytes, b"")
    shell = subprocess.run(
        ["sh", "-c", 'eval "$(cat)"; env -0'], input=done.stdout_bytes, capture_output=True, check=True
    )
    lines = [line.partition("=") for line in os.fsdecode(shell.stdout).split("\0")]
    return {name.removeprefix("RESUME_"): value for name, _, value in lines if name.startswith("RESUME_")}


def client(run: Path, *options: str) -> tuple[int, bytes, bytes]:
    """What `python -m waypoint_resume env` answers, far from the checkout: exit code, stdout, stderr."""
    command = [sys.executable, "-m", "waypoint_resume", "env", str(run), *options]
    done = subprocess.run(command, capture_output=True, check=False, cwd="/")
    return done.returncode, done.stdout, done.stderr


def hand_over(workspace: Workspace, run: str) -> str:
    """Write the manifest of a run's latest checkpoint; its id."""
    workspace.refresh()
    found = workspace.find_run(run)
    [choice] = series_choices(workspace, found.root, found.path)
    assert choice.chosen is not None
    proposal = propose(workspace, choice.chosen)
    accepted = [warning.id for warning in proposal.warnings]
    return resume_from(workspace, choice.chosen, proposal, note="", accepted=accepted)[0].id


@pytest.mark.parametrize("name", ["a", "it's $(a) run", "r\udce9sum\udce9"], ids=["plain", "quotes", "not-utf-8"])
def test_a_shell_gets_the_manifest_in_place(tmp_path: Path, workspace: Opener, name: str) -> None:
    root = tmp_path / "root"
    save(root / name / "checkpoints", 200)
    opened = workspace(root)
    opened.refresh()
    assert exported(root, name)["STATE"] == "none"
    identity = hand_over(opened, name)
    assert exported(root, name) == {
        "RUN": str(root / name),
        "STATE": "pending",
        "MANIFEST": identity,
        "MODE": "continue",
        "CHECKPOINT": str(root / name / "checkpoints/ckpt-200"),
        "FORMAT": "tf-bundle",
        "API": "tf.train.Checkpoint.restore",
        "STEP": "200",
        "EPOCH": "",
        "JOB": "",
        "WEIGHTS_ONLY": "",
    }
    assert not (root / name / ".waypoint/claims").exists()


def test_it_says_what_the_client_follows(tmp_path: Path, workspace: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "night")
    root = tmp_path / "root"
    save(root / "a", 200)
    opened = workspace(root)
    identity = hand_over(opened, "a")
    found = opened.find_run("a")
    withdraw_manifest(opened, found.root, "a", identity)
    assert exported(root, "a")["STATE"] == "none"
    assert governing([root / "a"]) == (None, None)
    reinstate_manifest(opened, found.root, "a", identity)
    decision = decide(root / "a")
    said = exported(root, "a")
    assert (said["STATE"], said["JOB"], said["MANIFEST"]) == ("claimed", "waypoint-night", identity)
    decision.note(finished_at="2026-01-31T09:30:00Z")
    assert exported(root, "a")["STATE"] == "none"
    assert governing([root / "a"]) == (None, None)


def test_a_manifest_that_cannot_be_read_is_no_fresh_start(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    save(root / "a", 200)
    opened = workspace(root)
    hand_over(opened, "a")
    place = root / "a/resume_manifest.json"
    place.write_text(place.read_text().replace('"version": 1', '"version": 9'))
    found = opened.find_run("a")
    (problem,) = manifest_problems(opened, found.root, "a")
    assert (problem.path, run_manifests(opened, found.root, "a")) == ("resume_manifest.json", ())
    done = CliRunner().invoke(app, ["--root", str(root), "a"])
    assert done.exit_code == 1
    assert "export RESUME_STATE=unreadable\nexport RESUME_MANIFEST=''\n" in done.stdout
    assert f"{root / 'a' / 'resume_manifest.json'} is no manifest that this client reads" in done.stderr
    assert "in 'version'" in done.stderr
    assert client(root / "a") == (1, done.stdout_bytes, done.stderr_bytes)
    hand_over(opened, "a")  # which keeps the one that cannot be read, and says no more of it
    assert manifest_problems(opened, found.root, "a") == ()
    assert exported(root, "a")["STATE"] == "pending"


def test_as_json_unknown_values_are_null(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    save(root / "a", 200)
    hand_over(workspace(root), "a")
    done = CliRunner().invoke(app, ["--root", str(root), "--json", "a"])
    said = json.loads(done.stdout)
    assert (said["state"], said["step"], said["epoch"], said["job"]) == ("pending", 200, None, None)
    assert client(root / "a", "--json") == (0, done.stdout_bytes, b"")


def test_a_folder_that_is_not_there_hands_nothing_over_and_is_said(tmp_path: Path) -> None:
    code, out, err = client(tmp_path / "gone")
    assert (code, b"export RESUME_STATE=none\n" in out) == (0, True)
    assert err.endswith(b"gone' is no folder: nothing was handed over there.\n")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["env", "--help"]], ids=" ".join)
def test_the_client_explains_itself(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "waypoint_resume", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    wanted = ["usage: python -m waypoint_resume env", *(f"RESUME_{name}" for name in NAMES)]
    for text in wanted if arguments[0] == "env" else ["usage: python -m waypoint_resume", "env", "--version"]:
        assert text in said

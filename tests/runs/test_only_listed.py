"""What is listed and not resumable here: never recommended, never an alarm, never taken by a plan, kindly refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from flax import serialization
from safetensors.numpy import save
from typer.testing import CliRunner

from core.base.errors import NotRestorableError
from core.base.facts import Format
from core.base.records import Health
from core.cli.app import app
from core.config.settings import load
from core.services.resume import propose
from core.services.runs import series_choices
from core.services.workspace import Workspace
from core.verify.results import Outcome
from core.verify.run import verify
from tests.support.trees import START_NS, write
from tests.support.trees import save as save_bundle

LISTED = {Format.SAFETENSORS: "safetensors", Format.FLAX_MSGPACK: "Flax msgpack"}
HOUR_NS = 3600 * 1_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of bundles with newer safetensors and Flax files beside them, and a run of nothing else."""
    tensors = {"w": np.ones(3, dtype=np.float32)}
    for run in ("mixed", "alone"):
        for number in range(1, 4):
            files = {
                f"model-{number}.safetensors": save(tensors),
                f"checkpoint_{number}": serialization.to_bytes({"params": tensors, "step": number}),
            }
            write(tmp_path / "runs" / run, files, START_NS + (10 + number) * HOUR_NS)
    save_bundle(tmp_path / "runs" / "mixed", 1)
    save_bundle(tmp_path / "runs" / "mixed", 2)
    return tmp_path


@pytest.fixture
def workspace(folder: Path) -> Workspace:
    settings = load(roots_override=[folder / "runs"]).model_copy(update={"home": folder / "home"})
    opened = Workspace.open(settings)
    opened.refresh()
    return opened


def shell(folder: Path, *words: str) -> tuple[int, str, str]:
    """A command's exit code, stdout and stderr."""
    env = {"WAYPOINT_HOME": str(folder / "home")}
    done = CliRunner().invoke(app, [*words, "--root", str(folder / "runs")], env=env)
    return done.exit_code, done.stdout, done.stderr


def test_they_are_listed_in_good_health_and_never_the_latest_restorable(workspace: Workspace) -> None:
    (root,) = workspace.reader.roots()
    for run in ("mixed", "alone"):
        members = workspace.members(root.id, run)
        listed = [item for item in members if item.format in LISTED]
        assert len(listed) == 6
        assert {(item.health, item.restorable, item.is_latest_restorable) for item in listed} == {
            (Health.OK, False, False)
        }
    first = series_choices(workspace, root.id, "mixed")[0]
    assert first.chosen is not None
    assert first.chosen.path == "mixed/ckpt-2"
    assert [choice.why for choice in series_choices(workspace, root.id, "alone")] == [
        f"{label} is listed, not resumable here." for label in ("Flax msgpack", "safetensors")
    ]


def test_no_finding_is_about_them(folder: Path, workspace: Workspace) -> None:
    code, out, err = shell(folder, "health", "--json")
    assert code == 0, err
    assert "safetensors" not in out
    assert "checkpoint_" not in out
    assert "nothing-restorable" not in out
    assert "newest-not-restorable" not in out


@pytest.mark.parametrize("policy", [["--latest", "1"], ["--newer-days", "1"], ["--every-steps", "1000000"]])
def test_no_policy_takes_them(folder: Path, policy: list[str]) -> None:
    code, out, err = shell(folder, "plan", *policy, "--json")
    assert code == 0, err
    plan = json.loads(out)
    gone = [item["path"] for run in plan["runs"] for item in run["goes"]]
    assert gone in ([], ["ckpt-1"])
    stays = {item["path"]: item["reasons"] for run in plan["runs"] for item in run["stays"]}
    assert any("listed, not resumable here: no policy takes it" in why for why in stays["model-1.safetensors"])


def test_resuming_from_one_is_refused_by_name(folder: Path, workspace: Workspace) -> None:
    code, out, err = shell(folder, "resume", "mixed", "--checkpoint", "mixed/model-3.safetensors")
    assert (code, out) == (3, "")
    said = "mixed/model-3.safetensors cannot be restored: safetensors is listed, not resumable here."
    assert said in " ".join(err.split())
    code, _, err = shell(folder, "resume", "alone")
    assert code == 3
    assert "Flax msgpack is listed, not resumable here." in " ".join(err.split())
    assert "Traceback" not in err
    (root,) = workspace.reader.roots()
    item = next(one for one in workspace.members(root.id, "alone") if one.format is Format.FLAX_MSGPACK)
    with pytest.raises(NotRestorableError, match=r"^Flax msgpack is listed, not resumable here\.$"):
        propose(workspace, item)


@pytest.mark.parametrize(("name", "label"), [("model-1.safetensors", "safetensors"), ("checkpoint_1", "Flax msgpack")])
def test_verifying_one_says_that_it_is_not_told(folder: Path, workspace: Workspace, name: str, label: str) -> None:
    (root,) = workspace.reader.roots()
    item = workspace.reader.checkpoint(root.id, f"alone/{name}")
    result = verify(root.path, item)
    assert (result.outcome, result.tensors, result.passed) == (Outcome.NOT_TOLD, 0, False)
    code, out, _ = shell(folder, "verify", f"alone/{name}")
    assert code == 1
    assert f"alone/{name}: not told: no verifier for {label}." in " ".join(out.split())


def test_a_rewind_leaves_them_where_they_are(workspace: Workspace) -> None:
    (root,) = workspace.reader.roots()
    picked = workspace.reader.checkpoint(root.id, "mixed/ckpt-1")
    proposal = propose(workspace, picked)
    assert [aside.checkpoint.path for aside in proposal.asides] == ["mixed/ckpt-2"]
    assert not any("safetensors" in warning.text for warning in proposal.warnings)


def test_one_that_is_cut_is_damaged(folder: Path) -> None:
    path = folder / "runs" / "alone" / "model-1.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    write(folder, {"runs/alone/model-1.safetensors": path.read_bytes()})
    code, out, err = shell(folder, "health", "--json")
    assert code == 0, err
    assert "unreadable-file" in out
    assert "truncated" in out

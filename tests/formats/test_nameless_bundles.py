"""Bundles whose prefix ended in a slash (`.index`, `.data-00000-of-00001`): the folder has to serve as their name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.services.workspace import Workspace
from tests.conftest import Opener
from tests.support.trees import index_of, save, shard_of, state
from waypoint_resume.identity import identity_of

pytestmark = pytest.mark.usefixtures("plain_environment")


def nameless(folder: Path, step: int) -> None:
    """A bundle of that step as `Checkpoint.write(f"{folder}/")` names it."""
    prefix = save(folder, step)
    index_of(prefix).rename(folder / ".index")
    shard_of(prefix).rename(folder / ".data-00000-of-00001")


def listed(workspace: Workspace) -> dict[str, tuple[str, bool]]:
    """The run of each checkpoint by path, and whether it is the latest that can be restored."""
    workspace.refresh()
    return {
        item.path: (item.run, item.is_latest_restorable)
        for run in workspace.runs()
        for item in workspace.members(run.root, run.path)
    }


def test_the_folder_is_the_run_or_one_save_of_a_run_where_it_is_named_so(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    nameless(root / "alone", 4)
    for step in (1, 2, 10):
        nameless(root / "steps" / f"ckpt-{step}", step)
    save(root / "mixed", 6)
    nameless(root / "mixed", 5)
    found = listed(workspace(root))
    assert found == {
        "alone": ("alone", True),
        "steps/ckpt-1": ("steps", False),
        "steps/ckpt-2": ("steps", False),
        "steps/ckpt-10": ("steps", True),
        "mixed": ("mixed", found["mixed"][1]),
        "mixed/ckpt-6": ("mixed", True),
    }


def test_no_state_file_is_missed_for_what_none_can_name(tmp_path: Path) -> None:
    root = tmp_path / "root"
    nameless(root / "alone", 4)
    save(root / "named", 1)
    state(root / "both", "ckpt-1")
    save(root / "both", 1)
    nameless(root / "both", 2)
    result = CliRunner().invoke(app, ["health", "--json", "--root", str(root)])
    found = {(item["path"], item["rule"]) for item in json.loads(result.stdout)}
    assert {(path, rule) for path, rule in found if rule in ("no-state", "untracked")} == {("named", "no-state")}


def test_tensorflow_reads_it_and_a_lost_shard_is_told(tmp_path: Path) -> None:
    root = tmp_path / "root"
    nameless(root / "alone", 4)
    nameless(root / "torn", 4)
    (root / "torn" / ".data-00000-of-00001").unlink()
    result = CliRunner().invoke(app, ["verify", "alone", "--restore", "--json", "--root", str(root)])
    (told,) = json.loads(result.stdout)
    assert (told["outcome"], told["restore"]["ok"]) == ("verified", True), told["restore"]
    result = CliRunner().invoke(app, ["health", "torn", "--json", "--root", str(root)])
    found = {item["rule"]: item["reason"] for item in json.loads(result.stdout)}
    assert ".data-00000-of-00001" in found["orphan-index"]


def test_its_identity_is_its_own_files_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    nameless(run, 4)
    before = identity_of(run, ".")
    assert [file.path for file in before.files] == [".data-00000-of-00001", ".index"]
    save(run, 6)
    (run / "log.txt").write_text("what else lies there")
    assert identity_of(run, ".").digest == before.digest

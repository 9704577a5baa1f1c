"""The shell's `mend`: what it shows, writes and answers."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from core.cli.mend import mend_command
from tests.support.trees import index_of, save, state

pytestmark = pytest.mark.usefixtures("plain_environment")
app = typer.Typer()
app.command("mend")(mend_command)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose state file names a checkpoint that lost its index; nothing in it is young."""
    folder = tmp_path / "data" / "exp" / "ckpts"
    for step in (1, 2, 3):
        save(folder, step)
    state(folder, "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3", times=(1.0, 2.0, 3.0))
    index_of(folder / "ckpt-3").unlink()
    return folder


def run(folder: Path, *arguments: str, name: str = "exp") -> Result:
    return CliRunner().invoke(app, [name, "--root", str(folder.parents[1]), *arguments])


def answer(folder: Path, *arguments: str) -> Any:  # noqa: ANN401 - a JSON document
    result = run(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_it_shows_and_writes_nothing(folder: Path) -> None:
    before = (folder / "checkpoint").read_bytes()
    result = run(folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:6] == [
        "exp/ckpts/checkpoint: dangling-latest",
        "--- exp/ckpts/checkpoint (now)",
        "+++ exp/ckpts/checkpoint (mended)",
        "@@ -1,7 +1,5 @@",
        '-model_checkpoint_path: "ckpt-3"',
        '+model_checkpoint_path: "ckpt-2"',
    ]
    assert "max_to_keep=5 deletes nothing." in result.stdout
    assert result.stdout.endswith("Nothing was written; --apply writes it.\n")
    assert "max_to_keep=1 deletes exp/ckpts/ckpt-1, exp/ckpts/ckpt-2." in run(folder, "--max-to-keep", "1").stdout
    assert (folder / "checkpoint").read_bytes() == before
    assert not (folder.parent / ".waypoint").exists()


def test_apply_writes_and_undo_takes_back(folder: Path) -> None:
    before = (folder / "checkpoint").read_bytes()
    document = answer(folder, "--apply")
    (proposal,) = document["proposals"]
    assert list(document) == ["root", "run", "proposals", "refused", "mends"]
    assert proposal["mend"] == document["mends"][0]["id"]
    assert (proposal["latest"], proposal["listed"]) == ("exp/ckpts/ckpt-2", ["exp/ckpts/ckpt-1", "exp/ckpts/ckpt-2"])
    assert document["mends"][0]["became"] == "in effect"
    after = run(folder).stdout
    assert after.startswith("Nothing to mend.\nIn effect since ")
    assert f"{proposal['mend']} by " in after
    assert run(folder, "--undo", "last").exit_code == 0
    assert (folder / "checkpoint").read_bytes() == before
    assert answer(folder)["mends"][0]["became"] == "undone"
    assert run(folder, "--undo", "last").exit_code == 2
    assert run(folder, "--undo", proposal["mend"]).exit_code == 1


@pytest.mark.parametrize("name", ["ckpts/ckpt-1", "exp/ckpts/ckpt-1", "absolute"])
def test_a_checkpoint_can_be_made_the_latest(folder: Path, name: str) -> None:
    wanted = str(folder / "ckpt-1") if name == "absolute" else name
    assert run(folder, "--latest", wanted, "--apply").exit_code == 0
    assert (folder / "checkpoint").read_text().startswith('model_checkpoint_path: "ckpt-1"\n')


def test_a_live_run_is_told_and_wants_its_name(folder: Path) -> None:
    os.utime(index_of(folder / "ckpt-2"))
    assert "exp is live. A live job's CheckpointManager never reads the state file again" in run(folder).stdout
    refused = run(folder, "--apply")
    assert (refused.exit_code, "confirm with the run's name: exp" in refused.stderr) == (1, True)
    assert run(folder, "--apply", "--confirm", "exp").exit_code == 0


def test_what_cannot_be_mended_tells_why(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(b"")
    save(folder, 9, name="best-9")
    several = run(folder, "--json")
    assert (several.exit_code, "name the latest" in several.stderr) == (2, True)
    assert json.loads(several.stdout)["refused"][0]["state"] == "exp/ckpts/checkpoint"
    for path in folder.glob("*.index"):
        path.unlink()
    nothing = run(folder)
    assert (nothing.exit_code, "can be restored" in nothing.stderr) == (3, True)


def test_wrong_use(folder: Path) -> None:
    assert run(folder, name="other").exit_code == 2
    assert run(folder, "--latest", "ckpt-77").exit_code == 2
    assert run(folder, "--undo", "last", "--apply").exit_code == 2
    assert run(folder, "--max-to-keep", "0").exit_code == 2

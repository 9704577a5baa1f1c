"""Full disks: that of a training, and the one on which Waypoint keeps its own catalog. Small file systems in memory."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.base.facts import Format
from core.cli.app import app
from tests.conftest import Opener
from tests.support.small_disks import Maker, fill_up
from tests.support.training import Trainings, look, why_not
from tests.support.trees import save

UNITS = 1000  # a save of a fifth of a megabyte
DAMAGE = {"empty-file", "truncated-shard", "unreadable-index", "unreadable-file", "orphan-index", "missing-shard"}
LEFT = {"orphan-shard", "interrupted-save", "unreadable-state", "dangling-latest", "dangling-history"}


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_training_that_fills_its_disk(
    trainings: Trainings, small_disk: Maker, workspace: Opener, tmp_path: Path
) -> None:
    root = small_disk("root", "6m")
    rounds = trainings.run("fill", root / "run", units=UNITS)
    assert rounds > 2
    assert len(trainings.refused) >= 5
    before = contents(root)
    seen = look(workspace(root, write_grace=0))
    trainings.run("load", root, units=UNITS)
    loaded = {Path(path).relative_to(root).as_posix() for path in trainings.loaded}
    for path, item in seen.items.items():
        is_bundle = item.format is Format.TF_BUNDLE
        readable = why_not(root / path) is None if is_bundle else path in loaded
        assert (path, item.restorable) == (path, readable)
        assert item.restorable or DAMAGE & {rule for place, rule in seen.rules if place == path}
    assert {rule for path, rule in seen.rules if path not in seen.items} <= LEFT | {"nothing-restorable"}
    assert len(seen.restorable) >= 5
    assert before.keys() == seen.files
    assert contents(root) == before


def index(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The command's exit code and what it says."""
    monkeypatch.setenv("WAYPOINT_HOME", str(home))
    done = CliRunner().invoke(app, ["index", "--root", str(root)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize("when", ["before the first look", "after a look", "in a look"])
def test_waypoints_own_disk_is_full(
    when: str, small_disk: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for step in range(1, 4):
        save(root / "run", step)
    home = small_disk("small", "4m")
    if when != "before the first look":
        assert index(root, home, monkeypatch)[0] == 0
        for number in range(300):
            save(root / f"run{number}", 1)
    before = contents(root)
    ballast = fill_up(home, 256 * 1024 if when == "in a look" else 0)
    code, said = index(root, home, monkeypatch)
    assert code == 1
    assert said.startswith("The catalog ")
    assert "disk" in said
    assert "is full" in said
    assert len(said.splitlines()) == 1
    assert contents(root) == before
    ballast.unlink()
    assert index(root, home, monkeypatch)[0] == 0
    assert contents(root) == before

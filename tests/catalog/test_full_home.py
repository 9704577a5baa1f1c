"""A home without a byte left: every command says so and answers by a copy of the catalog in memory, one frees bytes."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.config.settings import Settings
from core.services.workspace import Workspace
from tests.support.small_disks import Maker, fill_up
from tests.support.trees import flip, save, state

pytestmark = pytest.mark.usefixtures("plain_environment")

COMMANDS = [
    ("ls",), ("ls", "--cached"), ("health",), ("usage",), ("latest", "a"), ("plan", "a", "--latest", "1"),
    ("undo", "a"), ("verify", "a"), ("mend", "a"), ("pin", "a", "ckpts/ckpt-4", "--dry-run"),
]  # fmt: skip


def run_of(root: Path) -> Path:
    """A run with four saves."""
    run = root / "a"
    for step in (1, 2, 3, 4):
        at = time.time_ns() - (100 - step) * 3600 * 10**9
        save(run / "ckpts", step, at_ns=at)
    state(run / "ckpts", "ckpt-4", *(f"ckpt-{step}" for step in (1, 2, 3, 4)), at_ns=time.time_ns() - 90 * 3600 * 10**9)
    return run


def shell(root: Path, *words: str) -> tuple[int, str, str]:
    """A command's exit code, what it prints, and what it says on stderr."""
    done = CliRunner().invoke(app, [*words, "--root", str(root)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def names(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("is_same", [False, True], ids=["disk of its own", "disk of the runs"])
@pytest.mark.parametrize("home_is", ["new", "known", "open elsewhere"])
def test_every_command_answers_and_one_frees_bytes(
    home_is: str, is_same: bool, small_disk: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk("disk", "4m")
    run = run_of((disk if is_same else tmp_path) / "root")
    root, home = run.parent, disk / "home"
    catalog = home / "catalog.sqlite3"
    monkeypatch.setenv("WAYPOINT_HOME", str(home))
    kept = {"ckpts/ckpt-4.index", "ckpts/ckpt-4.data-00000-of-00001"}
    answers = {}
    with contextlib.ExitStack() as stack:
        if home_is != "new":
            flip(run / "ckpts/ckpt-4")  # that is known to the catalog alone, and no plan may forget it
            assert "ckpt-4: damaged" in shell(root, "verify", "a")[1]
            kept |= {"ckpts/ckpt-3.index", "ckpts/ckpt-3.data-00000-of-00001"}
            answers = {words: shell(root, *words)[:2] for words in COMMANDS}
        if home_is == "open elsewhere":
            server = Workspace.open(Settings(roots=(str(root),), home=home))
            stack.callback(server.close)
            server.refresh()
        ballast = fill_up(disk)
        before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file() and path.parent != home}
        for words in COMMANDS:
            code, out, said = shell(root, *words)
            assert (code, out) == answers.get(words, (code, out)), words
            if "--cached" in words and home_is != "known":
                continue  # nothing is known, or nothing had to be written
            assert words[0] != "ls" or "a/ckpts/ckpt-4" in out
            assert said.startswith(f"The catalog {catalog} cannot be used: "), words
            assert f"The disk of {home} is full: make room (`quarantine RUN --delete`" in said
            assert "WAYPOINT_HOME" in said
            assert said.count("not kept") == 1
        code, out, said = shell(root, "index")  # what was asked for is the catalog itself
        assert (code, out, said.count("\n")) == (1, "", 1)
        assert {path: path.read_bytes() for path in before} == before
        delete = ("quarantine", "a", "--latest", "1", "--delete", "--confirm", "a")
        code, _, said = shell(root, *delete)
        assert (code, "deleted for good" in said) == (0, True), said
        assert {name for name in names(run) if name.startswith("ckpts/ckpt")} == kept
        assert (shutil.disk_usage(disk).free > 0) == is_same
    ballast.unlink()
    assert shell(root, "index")[::2] == (0, "")
    assert len(json.loads(shell(root, "ls", "--json")[1])) == len(kept) // 2
    rules = [one["rule"] for one in json.loads(shell(root, "health", "--json")[1])]
    assert ("checksum-mismatch" in rules) == (home_is != "new")


def test_what_goes_into_quarantine_comes_back_and_a_hand_over_is_written(
    small_disk: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, disk = run_of(tmp_path / "root"), small_disk("disk", "4m")
    root = run.parent
    monkeypatch.setenv("WAYPOINT_HOME", str(disk / "home"))
    before = names(run / "ckpts")
    fill_up(disk)
    assert shell(root, "quarantine", "a", "--latest", "1")[0] == 0
    assert len(names(run / "ckpts")) == len(before) - 6
    (batch,) = json.loads(shell(root, "undo", "a", "--json")[1])
    code, _, said = shell(root, "undo", "a", batch["batch"])
    assert (code, "back: 3" in said) == (0, True), said
    assert names(run / "ckpts") == before
    assert shell(root, "resume", "a")[0] == 0
    assert (run / "resume_manifest.json").exists()


def test_a_catalog_that_cannot_be_copied_is_not_taken_for_an_empty_one(
    small_disk: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, disk = run_of(tmp_path / "root"), small_disk("disk", "4m")
    root, catalog = run.parent, disk / "home/catalog.sqlite3"
    monkeypatch.setenv("WAYPOINT_HOME", str(catalog.parent))
    assert shell(root, "index")[0] == 0
    catalog.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    fill_up(disk)
    code, _, said = shell(root, "quarantine", "a", "--latest", "1", "--delete", "--confirm", "a")
    assert (code, said.count("\n")) == (1, 1)
    assert str(catalog) in said
    assert len(list((run / "ckpts").glob("*.index"))) == 4

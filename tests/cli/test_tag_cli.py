"""The shell says something of a run, and the next look at it finds it in the catalog."""

from pathlib import Path

import pytest
from sqlalchemy import select

from core.catalog.run_tables import run_tags
from core.config.settings import load
from core.services.workspace import Workspace
from tests.cli.test_cli import answer, run
from tests.support.trees import save


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Path:
    root = tmp_path / "runs"
    save(root / "a", 9)
    monkeypatch.setenv("WAYPOINT_ROOTS", str(root))
    return root


def test_what_is_said_stands_in_the_catalog_until_it_is_taken_back(root: Path) -> None:
    said = answer("tag", "a", "+Baseline", "+old", "--note", " for the paper ", "--owner", "ada", "--favourite")
    assert {name: said[name] for name in ("root", "run", "tags", "note", "owner", "favourite")} == {
        "root": str(root),
        "run": "a",
        "tags": ["Baseline", "old"],
        "note": "for the paper",
        "owner": "ada",
        "favourite": True,
    }
    assert answer("tag", "a", "-old", "--best-metric", "val_loss", "--mode", "min")["tags"] == ["Baseline"]
    workspace = Workspace.open(load())
    (found,) = workspace.runs()
    assert (found.tags, found.note, found.owner, found.is_favourite) == (("Baseline",), "for the paper", "ada", True)
    with workspace.engine.connect() as connection:
        assert connection.execute(select(run_tags)).all() == [(found.id, "baseline")]
    workspace.close()
    assert answer("tag", "a")["best_metric"] == {"name": "val_loss", "mode": "min"}
    gone = answer("tag", "a", "-baseline", "--note", "", "--owner", "", "--no-favourite", "--best-metric", "")
    assert (gone["tags"], gone["note"], gone["favourite"], gone["best_metric"]) == ([], "", False, None)
    assert "a: no tags" in run("tag", "a").stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["baseline"], "neither +TAG nor -TAG"),
        (["--wrong"], "neither +TAG nor -TAG"),
        (["+"], "neither +TAG nor -TAG"),
        (["--best-metric", "loss"], "one needs the other"),
        (["--mode", "min"], "one needs the other"),
    ],
)
def test_wrong_use_changes_nothing(words: list[str], why: str, root: Path) -> None:
    done = run("tag", "a", *words)
    assert (done.exit_code, why in " ".join(done.output.replace("│", " ").split())) == (2, True)
    assert not (root / "a/.waypoint").exists()


def test_a_file_that_cannot_be_understood_is_told_with_its_place(root: Path) -> None:
    (root / "a/.waypoint").mkdir()
    (root / "a/.waypoint/tags.json").write_text("{")
    done = run("tag", "a", "+x")
    assert (done.exit_code, f"{root}/a/.waypoint/tags.json cannot be understood" in done.stderr) == (1, True)

"""The shell accepts what is so on purpose: all findings of a rule in a run, or those below a path."""

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import answer, run
from tests.support.trees import index_of, save


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Path:
    """A run with one whole save and shards without an index in two folders."""
    root = tmp_path / "runs"
    save(root / "a/ckpts", 9)
    for step in (1, 2, 3):
        index_of(save(root / "a/ckpts", step)).unlink()
        index_of(save(root / "a/ckpts/export", step)).unlink()
    (root / "a/.waypoint").mkdir()
    monkeypatch.setenv("WAYPOINT_ROOTS", str(root))
    return root


def found() -> list[str]:
    return sorted(one["path"] for one in answer("health", "--cached") if one["rule"] == "orphan-shard")


def test_one_note_is_for_all_that_repeat_and_they_come_back(root: Path) -> None:
    before = [f"a/ckpts/{name}" for name in ("ckpt-1", "ckpt-2", "ckpt-3", *(f"export/ckpt-{n}" for n in (1, 2, 3)))]
    answer("index")
    assert found() == before
    answer("accept", "a", "orphan-shard", "--note", "so", "--dry-run")
    assert found() == before
    done = answer("accept", "a", "orphan-shard", "ckpts/export", "--note", "for the paper")
    assert [one["path"] for one in done["findings"]] == before[3:]
    assert found() == before[:3]
    kept = json.loads((root / "a/.waypoint/accepted.json").read_text())["accepted"]
    assert {one["note"] for one in kept} == {"for the paper"}
    assert "accepted: 3 × orphan-shard in a" in run("accept", "a", "orphan-shard", "--note", "so").stderr
    assert found() == []
    assert len(answer("accept", "a", "orphan-shard", "--remove")["findings"]) == 6
    assert found() == before


def test_wrong_use_accepts_nothing(root: Path) -> None:
    assert run("accept", "a", "orphan-shard").exit_code == 2
    assert run("accept", "a", "orphan-chard", "--note", "so").exit_code == 2
    none = run("accept", "a", "orphan-shard", "nowhere", "--note", "so")
    assert (none.exit_code, "has no finding orphan-shard about nowhere" in none.stderr) == (2, True)
    assert not (root / "a/.waypoint/accepted.json").exists()

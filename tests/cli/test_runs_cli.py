"""The shell lists runs and checkpoints that fit a search, sorted; what cannot be understood is pointed at."""

from pathlib import Path

import pytest

from core.catalog.run_metrics import MetricPoint, RunMetric, RunParam, store_metrics, store_params
from core.config.settings import load
from core.indexing.passes import root_id
from core.services.workspace import Workspace
from tests.cli.test_cli import answer, run
from tests.support.trees import save

FIRST, SECOND, THIRD = "ads/ada/2026-10-31/one", "ads/bob/2026-11-01/zwei", "ads/bob/2026-11-02/café"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Path:
    """Three runs, of which two have a loss and all but one a rate."""
    root = tmp_path / "runs"
    for number, path in enumerate((FIRST, SECOND, THIRD), 1):
        save(root / path, number)
    monkeypatch.setenv("WAYPOINT_ROOTS", str(root))
    answer("index")
    workspace = Workspace.open(load())
    with workspace.engine.begin() as connection:
        low = MetricPoint(0.15, 5, 1.0)
        for path, loss, rate in ((FIRST, 0.5, 0.1), (THIRD, 0.25, 0.01)):
            point = MetricPoint(loss, 7, 1.0)
            metric = RunMetric(
                tag="val_loss",
                x_kind="step",
                source="csv",
                count=2,
                first=point,
                last=point,
                min=low,
                max=point,
                mode="min",
            )
            store_metrics(connection, root_id(str(root)), path, [metric])
            store_params(connection, root_id(str(root)), path, [RunParam("lr", str(rate), rate, "hparams")])
    workspace.close()
    return root


def found(*words: str) -> list[str]:
    return [one["run"] for one in answer("runs", "--cached", *words)]


def test_runs_are_found_and_sorted(root: Path) -> None:
    answer("tag", FIRST, "+baseline", "--note", "für Kai", "--owner", "ada")
    assert found("--sort", "path") == [FIRST, SECOND, THIRD]
    assert found("--sort", "-step") == [THIRD, SECOND, FIRST]
    assert found("--sort", "val_loss") == [THIRD, FIRST, SECOND]
    assert found("--sort", "-lr") == [FIRST, THIRD, SECOND]
    assert found("--where", "CAFE") == [THIRD]
    assert found("--where", "val_loss<0.3") == [THIRD]
    assert found("--where", "tag:base fur owner:ada") == [FIRST]
    assert found("--where", "-lr=0.1 date>2026-10-31 project=ads", "--sort", "date") == [SECOND, THIRD]


def test_a_run_is_told_with_all_that_is_known_of_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_LAYOUT", "{project}/{user}/{date}/{run}")
    answer("tag", THIRD, "+base")
    (one,) = answer("runs", "--cached", "--where", "tag=base")
    assert {name: one[name] for name in ("root", "run", "checkpoints", "levels", "metrics", "params", "tags")} == {
        "root": str(root),
        "run": THIRD,
        "checkpoints": 1,
        "levels": {"project": "ads", "user": "bob", "date": "2026-11-02", "run": "café"},
        "metrics": {
            "val_loss": {
                "last": 0.25,
                "best": 0.15,
                "best_at": {"step": 5.0},
                "mode": "min",
                "count": 2,
                "source": "csv",
            }
        },
        "params": {"lr": 0.01},
        "tags": ["base"],
    }


def test_levels_follow_the_layout_and_a_guess_is_said_to_be_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("runs", "--cached")
    assert (
        "parts of paths are taken for {project}/*/{date}/{run}; `layout` in the settings says otherwise" in told.stderr
    )
    assert answer("runs", "--cached", "--where", "one")[0]["levels"] == {
        "project": "ads",
        "date": "2026-10-31",
        "run": "one",
    }
    monkeypatch.setenv("WAYPOINT_LAYOUT", "*/{user}/{run}")
    assert answer("runs", "--where", "one")[0]["levels"] == {"user": "ada", "run": "2026-10-31/one"}
    assert "taken for" not in run("runs", "--cached").stderr
    save(root / "new/eve/4", 4)
    assert answer("runs", "--where", "user:eve")[0]["run"] == "new/eve/4"
    monkeypatch.delenv("WAYPOINT_LAYOUT")
    assert "user" not in answer("runs", "--where", "one")[0]["levels"]


def test_checkpoints_are_found_by_the_same_language(root: Path) -> None:
    listed = [one["path"] for one in answer("ls", "--cached", "--where", "val_loss<0.6 step>=1 restorable:yes -café")]
    assert listed == [f"{FIRST}/ckpt-1"]


def test_a_search_that_has_no_meaning_is_pointed_at(root: Path) -> None:
    for command in ("runs", "ls"):
        done = run(command, "--cached", "--where", "推 val_loss<x")
        assert done.exit_code == 2
        assert done.stderr.splitlines()[-3:] == [
            "The search cannot be understood at character 12: expected a number or a date after <, found 'x'.",
            "推 val_loss<x",
            "\N{IDEOGRAPHIC SPACE}          ^",
        ]


def test_a_name_that_no_run_has_is_told_with_the_nearest(root: Path) -> None:
    done = run("runs", "--cached", "--where", "val_los<1")
    assert (done.exit_code, "'val_los'; did you mean val_loss?" in done.stderr) == (0, True)
    done = run("runs", "--cached", "--sort", "sise")
    assert (done.exit_code, "No run has 'sise' to be sorted by; did you mean size?" in done.stderr) == (2, True)

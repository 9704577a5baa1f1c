"""`runs`, `metrics`, `compare` and `latest --best`: what a person types to find the best run and where to go on."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.app import app
from tests.support.trees import save


@pytest.fixture
def root(tmp_path: Path, plain_environment: None) -> Path:
    """Two runs of three epochs each; of b the second is the best of all."""
    for run, losses in {"a": (0.9, 0.8, 0.7), "b": (0.6, 0.1, 0.3)}.items():
        for epoch in (1, 2, 3):
            save(tmp_path / "runs" / run, epoch, name=f"epoch-{epoch:02}")
        rows = [f"{epoch},{loss}\n" for epoch, loss in enumerate(losses)]
        (tmp_path / "runs" / run / "training.csv").write_text("epoch,val_loss\n" + "".join(rows))
        (tmp_path / "runs" / run / "params.json").write_text(json.dumps({"lr": len(run) + losses[0], "name": run}))
    return tmp_path / "runs"


def printed(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    return done.stdout


def test_the_best_of_all_runs_is_found_and_where_to_go_on_from(root: Path) -> None:
    found = json.loads(printed("runs", "--root", root, "--json"))
    best = min(found, key=lambda run: run["metrics"]["val_loss"]["best"])
    assert best["run"] == "b"
    assert best["metrics"] == {
        "val_loss": {"last": 0.3, "best": 0.1, "best_at": {"epoch": 1}, "mode": "min", "count": 3, "source": "csv"}
    }
    assert best["params"] == {"lr": 1.6, "name": "b"}
    (chosen,) = json.loads(printed("latest", "b", "--best", "--root", root, "--json"))
    assert chosen["checkpoint"]["path"] == "b/epoch-02"
    assert chosen["value"] == {"value": 0.1, "way": "same epoch", "at": {"epoch": 1}, "wall_time": None}
    assert chosen["metric"] == {"name": "val_loss", "mode": "min", "told_by": "guess"}
    assert printed("latest", "b", "--best", "--root", root).startswith("b/epoch-02: val_loss 0.1 (logged at the end of")


def test_what_was_said_of_a_run_stands_above_the_guess(root: Path) -> None:
    printed("tag", "b", "--best-metric", "val_loss", "--mode", "max", "--root", root)
    (chosen,) = json.loads(printed("latest", "b", "--best", "--root", root, "--json"))
    assert (chosen["checkpoint"]["path"], chosen["metric"]["told_by"]) == ("b/epoch-01", "run")
    rows = {run["run"]: run["metrics"]["val_loss"] for run in json.loads(printed("runs", "--root", root, "--json"))}
    assert [(rows[run]["mode"], rows[run]["best"]) for run in "ab"] == [("min", 0.7), ("max", 0.6)]
    printed("tag", "b", "--best-metric", "", "--root", root)
    rows = {run["run"]: run["metrics"]["val_loss"] for run in json.loads(printed("runs", "--root", root, "--json"))}
    assert (rows["b"]["mode"], rows["b"]["best"]) == ("min", 0.1)


def test_the_settings_name_the_metric_of_all_runs(root: Path) -> None:
    (root / "a" / "training.csv").write_text("epoch,val_loss,reward_sum\n0,0.9,1\n1,0.8,5\n2,0.7,3\n")
    Path("waypoint.toml").write_text('[metric]\nname = "reward_sum"\nmode = "max"\n')
    (chosen,) = json.loads(printed("latest", "a", "--best", "--root", root, "--json"))
    assert (chosen["checkpoint"]["path"], chosen["metric"]["told_by"]) == ("a/epoch-02", "project")
    Path("waypoint.toml").write_text('[metric]\nname = "reward_sum"\nmode = "most"\n')
    done = CliRunner().invoke(app, ["runs", "--root", str(root)])
    assert (done.exit_code, "metric.mode = 'most': must be min or max" in done.stderr) == (2, True)


def test_runs_are_compared_by_what_differs(root: Path) -> None:
    found = json.loads(printed("compare", "a", "b", "--root", root, "--json"))
    assert [(fact["name"], fact["values"]) for fact in found["params"] if fact["differs"]] == [
        ("lr", ["1.9", "1.6"]),
        ("name", ["a", "b"]),
    ]
    assert [run["best"][0]["checkpoint"]["path"] for run in found["runs"]] == ["a/epoch-03", "b/epoch-02"]
    text = printed("compare", "a", "b", "--root", root)
    assert "b/epoch-02: val_loss 0.1" in text
    assert "lr" in text
    printed("compare", "a", "--root", root, code=2)


def test_the_points_of_a_metric_are_told(root: Path) -> None:
    found = json.loads(printed("metrics", "b", "--points", "val_loss", "--root", root, "--json"))
    (branch,) = found["points"]["val_loss"]["branches"]
    assert (branch["epoch"], branch["value"]) == ([0, 1, 2], [0.6, 0.1, 0.3])
    assert "val_loss" in printed("metrics", "b", "--root", root)


def test_a_run_of_which_no_value_is_known_has_no_best(root: Path) -> None:
    (root / "a" / "training.csv").unlink()
    printed("latest", "a", "--best", "--root", root, code=3)
    printed("latest", "a", "--metric", "throughness", "--root", root, code=2)

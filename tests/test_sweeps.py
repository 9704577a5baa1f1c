"""Sweeps: what tuners wrote is found, read and ranked as KerasTuner itself ranks it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from core.sweeps import keras_tuner, limits
from core.sweeps.reading import SOURCES
from core.sweeps.records import Direction, Objective, Sweep, SweepKind, Trial, TrialStatus
from core.workspace import Workspace
from tests.conftest import Opener
from tests.sweep_trees import keras_tuner_sweep, put, ray_sweep, trial_json
from tests.trees import save


class Tuned(NamedTuple):
    """Real sweeps, and what KerasTuner says of them."""

    root: Path
    told: dict[str, list[tuple[str, float | None]]]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """What tests/tuner_job.py writes before it kills itself."""
    root = tmp_path_factory.mktemp("tuned")
    program = Path(__file__).with_name("tuner_job.py")
    done = subprocess.run([sys.executable, program, root], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == -9, done.stderr[-2000:]
    return Tuned(root, json.loads((root / "told.json").read_text()))


def sweep_of(workspace: Workspace, path: str) -> tuple[Sweep, tuple[Trial, ...]]:
    (root,) = workspace.reader.roots()
    found = workspace.sweeps.sweep(root.id, path)
    assert found is not None, [sweep.path for sweep in workspace.sweeps.sweeps()]
    return found, workspace.sweeps.trials(root.id, path)


def scores(trials: tuple[Trial, ...]) -> list[tuple[str, float | None, int | None]]:
    return [(trial.name, trial.score, trial.rank) for trial in trials]


@pytest.mark.parametrize(
    ("project", "objective"),
    [
        ("min", Objective(name="val_loss", direction=Direction.MIN)),
        ("max", Objective(name="val_accuracy", direction=Direction.MAX)),
        ("hyperband", Objective(name="val_loss", direction=Direction.MIN)),
    ],
)
def test_the_order_is_that_of_keras_tuner(tuned: Tuned, workspace: Opener, project: str, objective: Objective) -> None:
    opened = workspace(tuned.root)
    opened.refresh()
    sweep, trials = sweep_of(opened, project)
    assert (sweep.objective, sweep.kind) == (objective, SweepKind.KERAS_TUNER)
    assert [(trial.name, trial.score) for trial in trials] == [tuple(one) for one in tuned.told[project]]
    assert all(trial.status is TrialStatus.COMPLETED and trial.problem is None for trial in trials)
    assert (sweep.best, sweep.best_score) == (trials[0].path, trials[0].score)
    # Each is a run, with the checkpoint that KerasTuner saved for it.
    runs = {run.path: run.restorable for run in opened.runs()}
    assert {trial.path: runs[trial.path] for trial in trials} == {trial.path: 1 for trial in trials}


def test_equal_scores_share_a_rank(tuned: Tuned, workspace: Opener) -> None:
    opened = workspace(tuned.root)
    opened.refresh()
    _, trials = sweep_of(opened, "max")
    assert [trial.rank for trial in trials] == [1, 2, 2, 4, 5]
    assert dict(trials[0].params).keys() == {"units", "lr"}


def test_what_hyperband_builds_upon_is_needed(tuned: Tuned, workspace: Opener) -> None:
    opened = workspace(tuned.root)
    opened.refresh()
    _, trials = sweep_of(opened, "hyperband")
    earlier = {dict(trial.params)["tuner/trial_id"] for trial in trials if keras_tuner.begins_with(trial)}
    assert earlier
    needed = {trial.name for trial in trials if trial.needed}
    assert earlier <= needed
    # Nothing is said of trials in brackets that are completed, and that no other begins with.
    brackets = json.loads((tuned.root / "hyperband" / "oracle.json").read_text())["brackets"]
    in_brackets = {one["id"] for bracket in brackets for trials_ in bracket["rounds"] for one in trials_}
    assert needed == earlier | in_brackets
    assert len(needed) < len(trials)
    _, others = sweep_of(opened, "max")
    assert [trial.needed for trial in others] == [None] * 5


def test_a_killed_sweep_tells_what_it_did(tuned: Tuned, workspace: Opener) -> None:
    opened = workspace(tuned.root)
    opened.refresh()
    sweep, trials = sweep_of(opened, "killed")
    assert scores(trials) == [("1", 0.9, 1), ("0", 0.5, 2), ("2", None, None)]
    assert trials[2].status is TrialStatus.RUNNING
    assert (sweep.trials, sweep.ranked) == (3, 2)


def test_a_sweep_is_ranked_anew_when_a_trial_changes(tmp_path: Path, workspace: Opener) -> None:
    folder = keras_tuner_sweep(tmp_path / "root" / "sweep", {"0": 0.5, "1": 0.25})
    opened = workspace(tmp_path / "root")
    opened.refresh()
    assert scores(sweep_of(opened, "sweep")[1]) == [("1", 0.25, 1), ("0", 0.5, 2)]
    put(folder / "trial_0" / "trial.json", trial_json("0", 0.125))
    put(folder / "trial_2" / "trial.json", trial_json("2", None, status="RUNNING"))
    opened.refresh()
    assert scores(sweep_of(opened, "sweep")[1]) == [("0", 0.125, 1), ("1", 0.25, 2), ("2", None, None)]
    shutil.rmtree(folder / "trial_0")
    opened.refresh()
    assert scores(sweep_of(opened, "sweep")[1]) == [("1", 0.25, 1), ("2", None, None)]
    shutil.rmtree(folder)
    opened.refresh()
    assert opened.sweeps.sweeps() == ()


def test_a_pass_that_was_killed_before_the_ranking_is_made_up_for(tmp_path: Path, workspace: Opener) -> None:
    keras_tuner_sweep(tmp_path / "root" / "sweep", {"0": 0.5, "1": 0.25})
    opened = workspace(tmp_path / "root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.index.refresh.rank_sweeps", lambda *_: False)
        opened.refresh()
    assert opened.sweeps.sweeps() == ()
    opened.refresh()
    assert scores(sweep_of(opened, "sweep")[1]) == [("1", 0.25, 1), ("0", 0.5, 2)]


def test_what_cannot_be_read_is_said_and_hides_nothing(
    tmp_path: Path, workspace: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = keras_tuner_sweep(tmp_path / "root" / "sweep", dict.fromkeys("012345", 0.5) | {"6": float("nan")})
    put(folder / "trial_1" / "trial.json", trial_json("1", 0.5)[:-30])
    put(folder / "trial_2" / "trial.json", "[" * 100_000)
    (folder / "trial_3" / "trial.json").unlink()
    put(folder / "trial_4" / "trial.json", '{"some": "other tool"}')
    put(folder / "trial_5" / "trial.json", trial_json("5", 0.25) + " " * 5_000)
    monkeypatch.setattr("core.sweeps.keras_tuner.MOST_BYTES", 4_000)
    monkeypatch.setattr("core.sweeps.reading.MOST_BYTES", 4_000)
    opened = workspace(tmp_path / "root")
    opened.refresh()
    sweep, trials = sweep_of(opened, "sweep")
    said = {trial.name: trial.problem for trial in trials}
    assert scores(trials)[0] == ("0", 0.5, 1)
    assert [trial.rank for trial in trials[1:]] == [None] * 6
    assert (said["1"] or "").startswith("cannot be read: trial.json at byte")
    assert said["2"] == "trial.json is larger than 4,000 bytes"
    assert (said["3"], said["4"]) == ("there is no trial.json of KerasTuner's",) * 2
    assert said["5"] == "trial.json is larger than 4,000 bytes"
    assert said["6"] == "its score is nan"
    assert (sweep.trials, sweep.ranked) == (7, 1)


def test_the_direction_is_not_guessed_where_metrics_disagree(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    keras_tuner_sweep(root / "a", {"0": 0.5, "1": 0.125}, objective="val_f1", direction="max")
    put(root / "b" / "trial_0" / "trial.json", trial_json("0", 0.125, objective="val_f1", direction="max"))
    opened = workspace(root)
    opened.refresh()
    # In trial 1 of `a` the training's loss has the same value; in trial 0 it has not.
    assert sweep_of(opened, "a")[0].objective == Objective(name="val_f1", direction=Direction.MAX)
    assert scores(sweep_of(opened, "a")[1]) == [("0", 0.5, 1), ("1", 0.125, 2)]
    assert sweep_of(opened, "b")[0].objective == Objective()
    assert scores(sweep_of(opened, "b")[1]) == [("0", 0.125, None)]


def test_what_is_kept_of_a_trial_is_bounded() -> None:
    params = {"nested": {str(n): "x" * 1_000 for n in range(1_000)}}
    trial = keras_tuner.read_trial(trial_json("0", 0.5, params=params).encode(), "s/trial_0")
    assert trial is not None
    assert len(trial.params) == limits.MOST_PARAMS
    assert trial.params[0] == ("nested/0", "x" * 199 + "…")


def test_a_ray_trial_is_one_run_and_its_direction_is_told_by_no_text(tmp_path: Path, workspace: Opener) -> None:
    folder = ray_sweep(tmp_path / "root" / "exp", {"a1": 0.5, "b2": 0.25})
    opened = workspace(tmp_path / "root")
    opened.refresh()
    sweep, trials = sweep_of(opened, "exp")
    assert (sweep.kind, sweep.objective) == (SweepKind.RAY_TUNE, Objective(name="loss"))
    assert [(one.name, one.status, one.score, one.rank) for one in trials] == [
        ("a1", TrialStatus.COMPLETED, 0.5, None),
        ("b2", TrialStatus.COMPLETED, 0.25, None),
    ]
    assert trials[0].params == (("lr", "0.1"), ("nested/layers", "[1, 2]"))
    assert [(one.name, one.value) for one in trials[0].metrics] == [("loss", 0.5), ("eval/accuracy", 0.75)]
    assert {run.path for run in opened.runs()} == {trial.path for trial in trials}
    # A line that a kill has cut, and a state that went away.
    results = Path(opened.absolute(sweep.root, trials[0].path), "result.json")
    results.write_text(results.read_text() + '{"loss": 0.0')
    next(folder.glob("experiment_state-*")).unlink()
    opened.refresh()
    sweep, trials = sweep_of(opened, "exp")
    assert trials[0].metrics[0].value == 0.5
    assert [trial.status for trial in trials] == [TrialStatus.UNKNOWN] * 2
    assert (sweep.problem or "").startswith("there is no experiment_state")


def test_a_trial_is_one_run_however_its_checkpoints_lie_in_it(tmp_path: Path, workspace: Opener) -> None:
    folder = keras_tuner_sweep(tmp_path / "root" / "sweep", {"0": 0.5})
    for epoch in (0, 1):  # as KerasTuner 1.0 saved them
        save(folder / "trial_0" / "checkpoints" / f"epoch_{epoch}", epoch, name="checkpoint")
    save(folder, 9, name="best_model")  # AutoKeras keeps its best one in the sweep's folder
    opened = workspace(tmp_path / "root")
    opened.refresh()
    assert {run.path: run.checkpoints for run in opened.runs()} == {"sweep": 1, "sweep/trial_0": 3}
    assert [trial.path for trial in sweep_of(opened, "sweep")[1]] == ["sweep/trial_0"]


def test_the_docs_have_a_row_for_each_tuner_and_the_limits() -> None:
    text = (Path(__file__).parents[1] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    for source in SOURCES:
        assert f"\n| {source.label} | " in text
    assert f"| {limits.MOST_BYTES >> 20} MiB |" in text
    assert f"| {limits.MOST_STATE_BYTES >> 20} MiB |" in text
    assert f"| {limits.MOST_PARAMS}, {limits.MOST_METRICS}; " in text

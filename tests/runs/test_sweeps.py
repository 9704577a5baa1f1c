"""Sweeps: what tuners wrote is found, read and ranked as KerasTuner itself ranks it."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import FormatError
from core.retention.best_trials import KeepBestTrials
from core.retention.policies import Policy
from core.services import quarantine, retention
from core.services.sweeps import runs_of
from core.services.workspace import Workspace
from core.sweeps import keras_tuner, limits, ray_tune
from core.sweeps.ranking import ranked
from core.sweeps.reading import SOURCES
from core.sweeps.records import Direction, Objective, Sweep, SweepKind, Trial, TrialStatus
from tests.conftest import Opener
from tests.support.sweep_trees import keras_tuner_sweep, put, ray_sweep, trial_json
from tests.support.trees import START_NS, save


class Tuned(NamedTuple):
    """Real sweeps, and what KerasTuner says of them."""

    root: Path
    told: dict[str, list[tuple[str, float | None]]]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """What tests/support/tuner_job.py writes before it kills itself."""
    root = tmp_path_factory.mktemp("tuned")
    program = Path(__file__).parents[1] / "support" / "tuner_job.py"
    done = subprocess.run([sys.executable, program, root], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == -9, done.stderr[-2000:]
    return Tuned(root, json.loads((root / "told.json").read_text()))


def sweep_of(workspace: Workspace, path: str) -> tuple[Sweep, tuple[Trial, ...]]:
    (root,) = workspace.reader.roots()
    found = workspace.sweeps.sweep(root.id, path)
    assert found is not None, [sweep.path for sweep in workspace.sweeps.sweeps()]
    return found, workspace.sweeps.trials(root.id, path)


def best_kept(opened: Workspace, sweep: str, count: int) -> list[str]:
    """Let go of all but the best trials of a sweep; gives those whose checkpoints went."""
    (root,) = opened.reader.roots()
    policy = Policy(rules=(KeepBestTrials(count),))
    runs = runs_of(opened, root.id, sweep)
    plan = retention.plan(opened, list(runs.values()), policy)
    going = [one for one in plan.runs if one.items]
    for one in going:
        done = quarantine.execute(opened, runs[one.run], one, policy=policy, empties=True)
        assert done.journal is not None
        assert done.left_out == ()
    return sorted(one.run.rpartition("_")[2] for one in going)


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
        patch.setattr("core.indexing.refresh.rank_sweeps", lambda *_: False)
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
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    for source in SOURCES:
        assert f"\n| {source.label} | " in text
    assert f"| {limits.MOST_BYTES >> 20} MiB |" in text
    assert f"| {limits.MOST_STATE_BYTES >> 20} MiB |" in text
    assert f"| {limits.MOST_PARAMS}, {limits.MOST_METRICS}; " in text


def test_the_tuner_goes_on_when_the_others_have_gone(tuned: Tuned, tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "tuned"
    shutil.copytree(tuned.root, root)
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(START_NS, START_NS))  # else the runs are live
    opened = workspace(root)
    opened.refresh()
    assert best_kept(opened, "max", 2) == ["0", "2"]
    assert best_kept(opened, "killed", 1) == ["0"]
    # The rank alone would let three go: what others are loaded with, and the open bracket, stay.
    _, trials = sweep_of(opened, "hyperband")
    assert best_kept(opened, "hyperband", 2) == sorted(one.name for one in trials[2:] if not one.needed)
    program = Path(__file__).parents[1] / "support" / "tuner_job.py"
    done = subprocess.run(
        [sys.executable, program, root, "go-on"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    went_on = json.loads((root / "went_on.json").read_text())
    assert went_on["loaded"] == {"max": 3, "hyperband": 2}
    # Trial 2 was killed; KerasTuner runs it again. All scores are those of an unbroken search.
    assert went_on["killed"] == tuned.told["max"]
    opened.refresh()
    assert [list(one[:2]) for one in scores(sweep_of(opened, "killed")[1])] == went_on["killed"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KEYS = ("trial_id", "hyperparameters", "metrics", "score", "best_step", "status", "values", "val_loss", "observations")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_json_is_a_trial_or_none_and_never_an_error(data: st.DataObject) -> None:
    document = json.loads(trial_json("0", 0.5))
    for _ in range(data.draw(st.integers(1, 4))):
        place: Any = document
        while isinstance(place, dict) and place and data.draw(st.booleans()):
            place = place[data.draw(st.sampled_from(sorted(place)))]
        if isinstance(place, dict):
            place[data.draw(st.sampled_from(sorted({*place, *KEYS})))] = data.draw(json_values)
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    cut = text[: data.draw(st.integers(0, len(text)))]
    for content in (text, cut):
        trial = keras_tuner.read_trial(content, "s/trial_0")
        other = ray_tune.read_trial(content, content, "s/t")
        found = [one for one in (trial, other) if one is not None]
        sweep, trials = ranked("root", "s", found)
        assert (sweep.trials, len(trials)) == (len(found), len(found))
        assert all(one.score is None or math.isfinite(one.score) for one in found)
        assert json.dumps(trials, allow_nan=False)
    try:
        keras_tuner.trials_in_brackets(cut)
        ray_tune.read_state(cut)
    except FormatError:
        pass

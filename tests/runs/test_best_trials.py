"""The policy about whole trials: the best of a sweep stay, the rest goes with its checkpoints, and comes back."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.acts.acting import ConfirmError
from core.base.errors import SettingsError
from core.base.facts import Format
from core.retention.best_trials import KeepBestTrials, rule_of
from core.retention.policies import KeepLatest, NewerThan, Policy
from core.retention.tables import parse_policy
from core.runfolder.pins import Pin, Pins
from core.services import quarantine, retention
from core.sweeps.places import Peers, TrialPlace
from core.sweeps.ranking import ranked
from core.sweeps.records import Direction, SweepKind, Trial, TrialMetric, TrialStatus
from tests.cli.test_cli import answer, run
from tests.conftest import Opener
from tests.retention.test_plan import a_pin, a_state, damaged, goes, members, plan_of, why
from tests.support.quarantine_cases import tree
from tests.support.sweep_trees import keras_tuner_sweep, put, ray_sweep, trial_json
from tests.support.trees import START_NS, save, state

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCORES = {"0": 0.5, "1": 0.25, "2": 0.75, "3": 0.125, "4": 0.625}


def a_trial(
    name: str, score: float | None, status: TrialStatus = TrialStatus.COMPLETED, way: Direction = Direction.MIN
) -> Trial:
    metrics = () if score is None else (TrialMetric("val_loss", score, way),)
    return Trial(f"s/trial_{name}", SweepKind.KERAS_TUNER, name, status, score, metrics=metrics)


def places(*trials: Trial, restorable: frozenset[str] | None = None) -> list[TrialPlace]:
    sweep, found = ranked("r00t", "s", trials)
    peers = Peers(sweep, found, [trial.path for trial in trials] if restorable is None else restorable)
    return [TrialPlace(trial=trial, peers=peers) for trial in trials]


def kept(rule: KeepBestTrials, found: list[TrialPlace]) -> list[str]:
    return [place.trial.name for place in found if rule.why_stays(place) is not None]


@pytest.mark.parametrize(
    ("way", "count", "expected"),
    [
        (Direction.MIN, 1, ["3"]),
        (Direction.MIN, 3, ["0", "1", "3"]),
        (Direction.MAX, 1, ["2"]),
        (Direction.MAX, 2, ["2", "4"]),
        (Direction.MAX, 9, list(SCORES)),
    ],
)
def test_the_best_stay(way: Direction, count: int, expected: list[str]) -> None:
    found = places(*(a_trial(name, score, way=way) for name, score in SCORES.items()))
    assert kept(KeepBestTrials(count), found) == expected


def test_equal_scores_at_the_border_all_stay() -> None:
    found = places(*(a_trial(str(number), score) for number, score in enumerate((0.1, 0.2, 0.2, 0.2, 0.3))))
    assert kept(KeepBestTrials(2), found) == ["0", "1", "2", "3"]
    assert KeepBestTrials(2).why_goes(found[4]) == "trial 4 of s: val_loss 0.3, 5th of 5; the best 2 stay"


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (a_trial("9", None), "the score of trial 9 is not known"),
        (
            a_trial("9", None)._replace(problem="its score is nan"),
            "the score of trial 9 is not known (its score is nan)",
        ),
        (
            a_trial("9", 0.9, TrialStatus.RUNNING),
            "only completed trials are compared: the status of trial 9 is running",
        ),
        (a_trial("9", 0.9, TrialStatus.FAILED), "only completed trials are compared: the status of trial 9 is failed"),
        (
            a_trial("9", None, TrialStatus.UNKNOWN)._replace(problem="cut"),
            "only completed trials are compared: the status of trial 9 is unknown (cut)",
        ),
        (a_trial("9", 0.9)._replace(needed="Hyperband goes on"), "Hyperband goes on"),
    ],
    ids=["no-score", "nan", "running", "failed", "unknown", "needed"],
)
def test_what_is_not_known_or_needed_stays(trial: Trial, reason: str) -> None:
    found = places(a_trial("0", 0.1), trial)
    assert KeepBestTrials(1).why_stays(found[1]) == reason


def test_what_cannot_be_restored_takes_no_place() -> None:
    trials = [a_trial(name, score) for name, score in SCORES.items()]
    found = places(*trials, restorable=frozenset({"s/trial_2", "s/trial_4"}))
    assert kept(KeepBestTrials(1), found) == ["0", "1", "3", "4"]
    assert KeepBestTrials(1).why_stays(found[4]) == "no better trial of s can be restored: val_loss 0.625, 4th of 5"
    assert KeepBestTrials(1).why_stays(found[3]) == "the best trial of s: val_loss 0.125, 1st of 5"


def test_without_a_direction_all_stay_until_it_is_said() -> None:
    trials = [a_trial(name, score)._replace(metrics=(TrialMetric("f1", score),)) for name, score in SCORES.items()]
    found = places(*trials)
    assert found[0].peers.sweep.objective.direction is None
    assert kept(KeepBestTrials(1), found) == list(SCORES)
    assert kept(KeepBestTrials(1, "f1", Direction.MAX), found) == ["2"]
    assert kept(KeepBestTrials(2, "f1", Direction.MIN), found) == ["1", "3"]
    # What the files tell is not overruled.
    told = places(*(a_trial(name, score) for name, score in SCORES.items()))
    assert kept(KeepBestTrials(1, "f1", Direction.MAX), told) == ["3"]


LOSER = places(*(a_trial(name, score) for name, score in SCORES.items()))[2]
BEST_TWO = Policy(rules=(KeepBestTrials(2),))


def test_all_of_a_trial_goes_and_its_reason_is_its_score() -> None:
    plan = plan_of(a_state(*members(1, 2), damaged("ckpt-3", 3), trial=LOSER), BEST_TWO)
    assert goes(plan) == ["ckpts/ckpt-1", "ckpts/ckpt-2", "ckpts/ckpt-3"]
    reason = "trial 2 of s: val_loss 0.75, 5th of 5; the best 2 stay"
    assert {item.reason for item in plan.runs[0].items} == {plan.runs[0].emptied} == {reason}
    assert retention.confirmation_of(plan) == "1 trial"


@pytest.mark.parametrize(
    "changes",
    [
        {"pins": a_pin("ckpts/ckpt-1")},
        {"pins": Pins(pins=(Pin(path="ckpts/ckpt-2", format=Format.TF_BUNDLE, note="", by="ada", at="2026"),))},
        {"accepted": {"run/ckpts/ckpt-1": "on purpose"}},
        {"named_by": {"run/ckpts/ckpt-1": "other/checkpoint"}},
        {"is_live": True},
        {"trial": None},
    ],
    ids=["pinned", "latest-pinned", "accepted", "named-elsewhere", "live", "no-trial"],
)
def test_where_anything_is_protected_the_latest_restorable_stays(changes: dict[str, Any]) -> None:
    plan = plan_of(a_state(*members(1, 2), **({"trial": LOSER} | changes)), BEST_TWO)
    assert plan.runs[0].emptied is None
    assert "ckpts/ckpt-2" not in goes(plan)
    assert "latest restorable" in why(plan, "ckpts/ckpt-2")


def test_another_rule_that_keeps_one_keeps_the_latest_too() -> None:
    for rule in (KeepLatest(1), NewerThan(10_000)):
        plan = plan_of(a_state(*members(1, 2), trial=LOSER), Policy(rules=(*BEST_TWO.rules, rule)))
        assert plan.runs[0].emptied is None
        assert "ckpts/ckpt-2" not in goes(plan)


@PATIENT
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, None]), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.integers(1, 4),
    st.sampled_from(Direction),
)
def test_a_sweep_never_loses_its_best(
    scores: list[float | None], whole: list[bool], count: int, way: Direction
) -> None:
    trials = [a_trial(str(number), score, way=way) for number, score in enumerate(scores)]
    restorable = frozenset(trial.path for trial, is_whole in zip(trials, whole, strict=False) if is_whole)
    found = places(*trials, restorable=restorable)
    rule = KeepBestTrials(count)
    gone = [place.trial for place in found if rule.why_stays(place) is None]
    stays = [trial for trial in trials if trial not in gone]
    for trial in gone:
        # As many as were asked for stay that can be restored and are truly better.
        sign = 1 if way is Direction.MIN else -1
        better = [
            one
            for one in stays
            if one.path in restorable and one.score is not None and sign * one.score < sign * (trial.score or 0)
        ]
        assert len(better) >= count


def test_the_keys_of_a_table() -> None:
    policy = parse_policy({"best_trials": 5, "trials_metric": "loss", "trials_mode": "min"})
    assert rule_of(policy) == KeepBestTrials(5, "loss", Direction.MIN)
    with pytest.raises(SettingsError) as error:
        parse_policy({"best_trials": 0, "trials_mode": "up"})
    assert "best_trials = 0: must be a whole number" in str(error.value)
    assert "trials_mode = 'up': must be min or max" in str(error.value)
    with pytest.raises(SettingsError, match="trials_mode: is missing"):
        parse_policy({"best_trials": 1, "trials_metric": "loss"})
    with pytest.raises(SettingsError, match="best_trials is missing"):
        parse_policy({"trials_mode": "min"})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> Path:
    """An old sweep of five trials and a run beside it."""
    root = tmp_path / "runs"
    keras_tuner_sweep(root / "sweep", SCORES)
    save(root / "other", 1)
    monkeypatch.setenv("WAYPOINT_ROOTS", str(root))
    return root


def test_a_sweep_is_thinned_by_the_shell_and_comes_back(root: Path) -> None:
    before = tree(root)
    listed = answer("sweeps", "sweep")
    assert [(one["trial"], one["score"], one["rank"]) for one in listed["members"]] == [
        ("3", 0.125, 1),
        ("1", 0.25, 2),
        ("0", 0.5, 3),
        ("4", 0.625, 4),
        ("2", 0.75, 5),
    ]
    assert (listed["objective"], listed["direction"]) == ("val_loss", "min")
    assert listed["best"] == {"run": "sweep/trial_3", "score": 0.125}
    assert listed["bytes"] > 0
    (line,) = answer("sweeps")
    assert line == {key: value for key, value in listed.items() if key != "members"}
    assert {one["run"]: one["trial"] and (one["trial"]["rank"], one["trial"]["sweep"]) for one in answer("ls")} == {
        "other": None,
        "sweep/trial_3": (1, "sweep"),
        "sweep/trial_1": (2, "sweep"),
        "sweep/trial_0": (3, "sweep"),
        "sweep/trial_4": (4, "sweep"),
        "sweep/trial_2": (5, "sweep"),
    }
    assert "val_loss 0.25, 2nd of 5" in run("ls").stdout
    plan = answer("plan", "--best-trials", "2")
    gone = {one["run"]: one["emptied"] for one in plan["runs"] if one["goes"]}
    assert gone == {
        "sweep/trial_0": "trial 0 of sweep: val_loss 0.5, 3rd of 5; the best 2 stay",
        "sweep/trial_4": "trial 4 of sweep: val_loss 0.625, 4th of 5; the best 2 stay",
        "sweep/trial_2": "trial 2 of sweep: val_loss 0.75, 5th of 5; the best 2 stay",
    }
    refused = run("quarantine", "--sweep", "sweep", "--best-trials", "2")
    assert (refused.exit_code, tree(root)) == (1, before)
    assert "'3 trials'" in refused.stderr
    done = answer("quarantine", "--sweep", "sweep", "--best-trials", "2", "--confirm", "3 trials")
    assert sorted(one["run"] for one in done) == ["sweep/trial_0", "sweep/trial_2", "sweep/trial_4"]
    after = tree(root)
    # What the tuner goes on from stays.
    assert sorted(before.keys() - after.keys()) == sorted(
        f"sweep/trial_{name}/saved{ending}" for name in "024" for ending in (".index", ".data-00000-of-00001")
    )
    assert [one["trial"] for one in answer("sweeps", "sweep")["members"]] == ["3", "1", "0", "4", "2"]
    for one in done:
        answer("undo", one["run"], one["batch"])
    assert tree(root) == before


def test_a_pinned_trial_stays(root: Path) -> None:
    answer("pin", "sweep/trial_2", "saved", "--note", "paper")
    plan = answer("plan", "--best-trials", "1", "--sweep", "sweep")
    assert sorted(one["run"] for one in plan["runs"] if one["goes"]) == [
        "sweep/trial_0",
        "sweep/trial_1",
        "sweep/trial_4",
    ]
    (stays,) = next(one["stays"] for one in plan["runs"] if one["run"] == "sweep/trial_2")
    assert any(reason.startswith("pinned by") and "paper" in reason for reason in stays["reasons"])


def test_an_interrupted_sweep_loses_nothing_of_what_runs(root: Path) -> None:
    put(root / "sweep" / "trial_2" / "trial.json", trial_json("2", 0.75, status="RUNNING"))
    plan = answer("plan", "--best-trials", "2")
    assert sorted(one["run"] for one in plan["runs"] if one["goes"]) == ["sweep/trial_0", "sweep/trial_4"]


def test_what_changed_since_the_plan_is_left_out(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    folder = keras_tuner_sweep(root / "sweep", SCORES)
    opened = workspace(root)
    opened.refresh()
    runs = {one.path: one for one in opened.runs()}
    policy = Policy(rules=(KeepBestTrials(1),))
    plan = retention.plan(opened, list(runs.values()), policy)
    planned = {one.run: one for one in plan.runs}
    with pytest.raises(ConfirmError):
        quarantine.execute(opened, runs["sweep/trial_0"], planned["sweep/trial_0"], policy=policy)
    # It got better, and nobody has looked at the disk since.
    put(folder / "trial_0" / "trial.json", trial_json("0", 0.0625), START_NS + 5)
    done = quarantine.execute(opened, runs["sweep/trial_0"], planned["sweep/trial_0"], policy=policy, empties=True)
    assert done.journal is None
    assert "what its tuner wrote has changed since the last look" in done.left_out[0].reasons
    opened.refresh()
    again = retention.plan(opened, [runs["sweep/trial_0"], runs["sweep/trial_3"]], policy)
    assert [one.emptied for one in again.runs] == [
        None,
        "trial 3 of sweep: val_loss 0.125, 2nd of 5; the best one stays",
    ]


def test_a_trial_without_a_file_of_the_tuner_stays(root: Path) -> None:
    (root / "sweep" / "trial_0" / "trial.json").unlink()
    put(root / "sweep" / "trial_4" / "trial.json", "{")
    shutil.rmtree(root / "sweep" / "trial_1")
    plan = answer("plan", "--best-trials", "1")
    assert [one["run"] for one in plan["runs"] if one["goes"]] == ["sweep/trial_2"]
    reasons = {one["run"]: " ".join(one["stays"][0]["reasons"]) for one in plan["runs"] if one["stays"]}
    assert "there is no trial.json of KerasTuner's" in reasons["sweep/trial_0"]
    assert "cannot be read: trial.json" in reasons["sweep/trial_4"]
    assert "no trial of a sweep" in reasons["other"]


def test_ray_needs_a_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_environment: None) -> None:
    ray_sweep(tmp_path / "runs" / "exp", {"a1": 0.5, "b2": 0.25, "c3": 0.75})
    monkeypatch.setenv("WAYPOINT_ROOTS", str(tmp_path / "runs"))
    assert [one for one in answer("plan", "--best-trials", "1")["runs"] if one["goes"]] == []
    plan = answer("plan", "--best-trials", "1", "--trials-mode", "min")
    assert [one["emptied"] for one in plan["runs"] if one["goes"]] == [
        "trial a1 of exp: loss 0.5, 2nd of 3; the best one stays",
        "trial c3 of exp: loss 0.75, 3rd of 3; the best one stays",
    ]


def test_a_state_file_that_would_name_nothing_goes_too(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    folder = keras_tuner_sweep(root / "sweep", {"0": 0.5, "1": 0.25})
    for name in "01":  # as KerasTuner with Keras 2 saves: a prefix `checkpoint` beside the state file `checkpoint`
        for saved in (folder / f"trial_{name}").glob("saved.*"):
            saved.unlink()
        save(folder / f"trial_{name}", 1, name="checkpoint")
        state(folder / f"trial_{name}", "checkpoint")
    before = tree(root)
    opened = workspace(root)
    opened.refresh()
    (loser,) = [one for one in opened.runs() if one.path == "sweep/trial_0"]
    policy = Policy(rules=(KeepBestTrials(1),))
    (planned,) = retention.plan(opened, [loser], policy).runs
    done = quarantine.execute(opened, loser, planned, policy=policy, empties=True)
    assert done.left_out == ()
    assert done.journal is not None
    assert sorted(before.keys() - tree(root).keys()) == [
        "sweep/trial_0/checkpoint",
        "sweep/trial_0/checkpoint.data-00000-of-00001",
        "sweep/trial_0/checkpoint.index",
    ]
    opened.refresh()
    assert [one.errors for one in opened.runs() if one.path.startswith("sweep")] == [0]
    back = quarantine.undo_batch(opened, quarantine.quarantined_run(opened, loser.root, loser.path), done.journal.id)
    assert back.problems == ()
    assert tree(root) == before


def test_another_state_file_in_the_place_of_one_that_went_is_left_alone(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    folder = keras_tuner_sweep(root / "sweep", {"0": 0.5, "1": 0.25})
    state(folder / "trial_0", "saved")
    opened = workspace(root)
    opened.refresh()
    (loser,) = [one for one in opened.runs() if one.path == "sweep/trial_0"]
    policy = Policy(rules=(KeepBestTrials(1),))
    (planned,) = retention.plan(opened, [loser], policy).runs
    done = quarantine.execute(opened, loser, planned, policy=policy, empties=True)
    assert done.journal is not None
    state(folder / "trial_0", "new")
    back = quarantine.undo_batch(opened, loser, done.journal.id)
    assert [problem.problem for problem in back.problems] == ["was left as it is: somebody wrote it since"]
    assert b"new" in (folder / "trial_0" / "checkpoint").read_bytes()
    assert (folder / "trial_0" / "saved.index").exists()


def test_a_kill_after_the_state_file_went_is_taken_back(tmp_path: Path, workspace: Opener) -> None:
    root = tmp_path / "root"
    folder = keras_tuner_sweep(root / "sweep", {"0": 0.5, "1": 0.25})
    state(folder / "trial_0", "saved")
    before = tree(root)
    opened = workspace(root)
    opened.refresh()
    (loser,) = [one for one in opened.runs() if one.path == "sweep/trial_0"]
    policy = Policy(rules=(KeepBestTrials(1),))
    (planned,) = retention.plan(opened, [loser], policy).runs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.acts.quarantine.take", lambda *_: sys.exit(9))  # nothing after it is done
        with pytest.raises(SystemExit):
            quarantine.execute(opened, loser, planned, policy=policy, empties=True)
    assert sorted(before.keys() - tree(root).keys()) == ["sweep/trial_0/checkpoint"]
    assert quarantine.recover_run(opened, loser)
    assert tree(root) == before

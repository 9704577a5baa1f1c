"""Retention rules as tables of steps in and steps out, and the policies of waypoint.toml."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.direction import Direction
from core.base.errors import SettingsError
from core.retention.policies import (
    EveryHours,
    EverySteps,
    KeepBest,
    KeepLatest,
    NewerThan,
    Pinned,
    Point,
    Policy,
    Rule,
    is_past,
)
from core.retention.tables import NO_POLICY, Retention, parse_policy, parse_retention, policy_for
from tests.support.any_rule import rules

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
# A busy machine is slow, not wrong.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def series(*steps: int | None, broken: tuple[int, ...] = (), losses: tuple[float | None, ...] = ()) -> list[Point]:
    """Points of these steps, each saved an hour after the one before, the last one now."""
    metrics = (*losses, *[None] * (len(steps) - len(losses)))
    return [
        Point(
            step=step,
            time=NOW - timedelta(hours=len(steps) - 1 - place),
            metric=None if metric is None else ("val_loss", metric),
            restorable=step not in broken,
        )
        for place, (step, metric) in enumerate(zip(steps, metrics, strict=True))
    ]


def steps_kept(rule: Rule, points: list[Point]) -> list[int | None]:
    return [points[place].step for place in sorted(rule.keep(points, NOW))]


@pytest.mark.parametrize(
    ("count", "steps", "broken", "kept"),
    [
        (1, (10, 20, 30), (), [30]),
        (2, (10, 20, 30), (), [20, 30]),
        (5, (10, 20, 30), (), [10, 20, 30]),
        (2, (10, 20, 30, 40), (30, 40), [10, 20]),
        (1, (10, 20, 15), (), [15]),
        (2, (), (), []),
        (2, (10,), (10,), []),
    ],
    ids=["one", "two", "more-than-there-are", "damaged-take-no-place", "after-a-rewind", "none", "only-damaged"],
)
def test_the_latest(count: int, steps: tuple[int, ...], broken: tuple[int, ...], kept: list[int]) -> None:
    assert steps_kept(KeepLatest(count), series(*steps, broken=broken)) == kept


@pytest.mark.parametrize(
    ("count", "mode", "losses", "kept"),
    [
        (1, "min", (0.5, 0.2, 0.9), [20]),
        (1, "max", (0.5, 0.2, 0.9), [30]),
        (2, "min", (0.5, 0.2, 0.9), [10, 20]),
        (1, "min", (0.2, 0.2, 0.9), [20]),
        (1, "max", (0.9, 0.2, 0.9), [30]),
        (1, "min", (0.2, None, 0.9), [10, 20]),
        (2, "min", (), [10, 20, 30]),
    ],
    ids=["lowest", "highest", "two", "tie-newer", "tie-newer-max", "unknown-stays", "all-unknown-stay"],
)
def test_the_best(count: int, mode: str, losses: tuple[float | None, ...], kept: list[int]) -> None:
    points = series(10, 20, 30, losses=losses)
    assert steps_kept(KeepBest(count, "val_loss", Direction(mode)), points) == kept


def test_another_metric_than_the_one_that_was_asked_for_is_unknown() -> None:
    points = series(10, 20, losses=(0.1, 0.2))
    rule = KeepBest(1, "val_accuracy", Direction.MAX)
    assert rule.keep(points, NOW) == dict.fromkeys((0, 1), "neither its job's logs nor its name tell its val_accuracy")


def test_a_damaged_one_is_never_the_best() -> None:
    points = series(10, 20, broken=(20,), losses=(0.5, 0.1))
    assert KeepBest(1, "val_loss", Direction.MIN).keep(points, NOW) == {0: "the lowest val_loss"}


@pytest.mark.parametrize(
    ("every", "steps", "broken", "kept"),
    [
        (100, (100, 150, 200, 250, 300), (), [100, 200, 300]),
        (100, (90, 110, 190, 210), (), [90, 110, 210]),
        (100, (100, 150, 200), (100,), [150, 200]),
        (100, (100, 200, 100), (), [200, 100]),
        (1, (1, 2, 3), (), [1, 2, 3]),
        (10**6, (1, 2, 3), (), [1]),
        (100, (None, 100, 150, None), (), [None, 100, None]),
    ],
    ids=["hit", "first-after", "damaged", "restart-newer", "each", "one", "unknown-stays"],
)
def test_every_so_many_steps(
    every: int, steps: tuple[int | None, ...], broken: tuple[int, ...], kept: list[int | None]
) -> None:
    assert steps_kept(EverySteps(every), series(*steps, broken=broken)) == kept


@pytest.mark.parametrize(
    ("hours", "broken", "kept"),
    [(1, (), [1, 2, 3, 4, 5]), (2, (), [1, 3, 5]), (2.5, (), [1, 4]), (2, (1,), [2, 4]), (99, (), [1])],
    ids=["each", "two", "between", "first-damaged", "only-the-first"],
)
def test_every_so_many_hours(hours: float, broken: tuple[int, ...], kept: list[int]) -> None:
    assert steps_kept(EveryHours(hours), series(1, 2, 3, 4, 5, broken=broken)) == kept


def test_newer_than_some_days_keeps_damaged_ones_too() -> None:
    points = [Point(step=day, time=NOW - timedelta(days=day), restorable=day != 2) for day in (9, 7, 3, 2)]
    assert steps_kept(NewerThan(7), points) == [3, 2]
    assert NewerThan(0.5).keep(points, NOW) == {}


@pytest.mark.parametrize("rule", [EveryHours(1), NewerThan(1)], ids=["hours", "days"])
def test_where_times_mean_nothing_all_stay(rule: Rule) -> None:
    points = [Point(step=step) for step in (1, 2, 3)]
    assert rule.keep(points, NOW) == dict.fromkeys(range(3), "its save time is not known")


def test_only_pinned_ones() -> None:
    points = [Point(step=1), Point(step=2, pinned=True)]
    assert Pinned().keep(points, NOW) == {1: "pinned"}


def test_a_policy_keeps_what_any_rule_keeps_with_every_reason() -> None:
    policy = Policy(rules=(KeepLatest(1), EverySteps(100)))
    assert policy.kept(series(90, 100, 150, 200), NOW) == {
        0: ("one every 100 steps",),
        1: ("one every 100 steps",),
        3: ("the latest", "one every 100 steps"),
    }
    assert Policy().kept(series(1, 2), NOW) == dict.fromkeys((0, 1), ("no retention policy for it",))


points = st.builds(
    Point,
    step=st.none() | st.integers(0, 500),
    time=st.none() | st.integers(-(10**7), 0).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    metric=st.none() | st.tuples(st.sampled_from(["val_loss", "metric"]), st.floats(-5, 5)),
    restorable=st.booleans(),
    pinned=st.booleans(),
)


@PATIENT
@given(st.lists(points, max_size=12), st.lists(rules, min_size=1, max_size=4), rules)
def test_another_rule_never_lets_more_go(members: list[Point], some: list[Rule], more: Rule) -> None:
    fewer = Policy(rules=tuple(some)).kept(members, NOW)
    assert fewer.keys() <= Policy(rules=(*some, more)).kept(members, NOW).keys()
    assert fewer.keys() == {place for rule in some for place in rule.keep(members, NOW)}


@PATIENT
@given(st.lists(points, max_size=12), st.lists(rules, min_size=1, max_size=4))
def test_what_stays_stays_when_the_rest_is_gone(members: list[Point], some: list[Rule]) -> None:
    policy = Policy(rules=tuple(some))
    left = [members[place] for place in sorted(policy.kept(members, NOW))]
    assert policy.kept(left, NOW).keys() == set(range(len(left)))


@pytest.mark.parametrize(
    ("age", "grace", "after", "goes"),
    [(61, 60, 0, True), (60, 60, 0, False), (61, 60, 3600, False), (3601, 60, 3600, True), (-5, 0, 0, False)],
    ids=["past", "not-yet", "policy-longer", "past-both", "from-the-future"],
)
def test_leftovers_past_the_grace(age: int, grace: float, after: float, goes: bool) -> None:
    now_ns = int(NOW.timestamp()) * 10**9
    assert is_past(now_ns - age * 10**9, now_ns, grace=grace, after=after) is goes


def test_the_tables_of_waypoint_toml() -> None:
    found = parse_retention(
        [
            {"root": "/data/a", "runs": "team/*", "latest": 3, "best": 2, "metric": "Val_Loss", "mode": "min"},
            {"every_steps": 1000, "every_hours": 6, "newer_days": 1.5, "pinned": True, "leftovers_hours": 24},
        ]
    )
    best = KeepBest(2, "val_loss", Direction.MIN)
    other = (EverySteps(1000), EveryHours(6.0), NewerThan(1.5), Pinned())
    assert found == (
        Retention(root="/data/a", runs="team/*", policy=Policy(rules=(KeepLatest(3), best))),
        Retention(policy=Policy(rules=other, leftovers_after=86_400)),
    )
    assert parse_policy({"latest": 3}) == Policy(rules=(KeepLatest(3),))
    assert parse_retention([]) == parse_retention(()) == ()


@pytest.mark.parametrize(
    ("root", "run", "number"),
    [
        ("/data/a", "team/x", 0),
        ("/data/a/", "team/x", 0),
        ("/data/a", "team/x/y", 1),
        ("/data/b", "team/x", 2),
        ("/data/a", ".", 2),
        ("/data/b", "other", 2),
    ],
)
def test_the_first_table_that_is_for_a_run_governs_it(root: str, run: str, number: int) -> None:
    tables = [{"root": "/data/a", "runs": "team/*"}, {"root": "/data/a", "runs": "team/**"}, {}]
    found = parse_retention([{**table, "latest": place + 1} for place, table in enumerate(tables)])
    assert policy_for(found, root, run).rules == (KeepLatest(number + 1),)
    assert policy_for(found[:2], "/data/c", run) is NO_POLICY


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"latest": 3}, "retention = {'latest': 3}: must be tables, each headed [[retention]]"),
        (["latest"], "retention[0] = 'latest': must be a table, headed [[retention]]"),
        ([{}], "retention[0]: names no rule; allowed: latest, "),
        ([{"runs": "a"}], "retention[0]: names no rule"),
        ([{"latest": 0}], "retention[0].latest = 0: must be a whole number, 1 or more"),
        ([{"latest": True}], "retention[0].latest = True: must be a whole number"),
        ([{"latest": 1.0}], "retention[0].latest = 1.0: must be a whole number"),
        ([{"latest": 1}, {"every_steps": "2"}], "retention[1].every_steps = '2': must be a whole number"),
        ([{"latets": 1}], "retention[0].latets = 1: unknown key; did you mean latest?"),
        ([{"xyz": 1}], "retention[0].xyz = 1: unknown key; known: root, runs, latest"),
        ([{"best": 1}], "retention[0].metric: is missing: best, metric, mode belong together"),
        ([{"metric": "loss", "mode": "min"}], "retention[0].best: is missing"),
        ([{"best": 1, "metric": "a", "mode": "less"}], "retention[0].mode = 'less': must be min or max"),
        ([{"best": 1, "metric": "", "mode": "min"}], "retention[0].metric = '': must be a text"),
        ([{"every_hours": 0}], "retention[0].every_hours = 0: must be a number greater than 0"),
        ([{"every_hours": float("nan")}], "retention[0].every_hours = nan: must be a number"),
        ([{"newer_days": 10**400}], "retention[0].newer_days = 1"),
        ([{"newer_days": True}], "retention[0].newer_days = True: must be a number"),
        ([{"pinned": False}], "retention[0].pinned = False: must be true, or left out"),
        ([{"root": "runs", "latest": 1}], "retention[0].root = 'runs': must be the absolute path"),
        ([{"root": 7, "latest": 1}], "retention[0].root = 7: must be a text"),
        ([{"runs": "../x", "latest": 1}], "retention[0].runs = '../x': must be a glob"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(value: object, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_retention(value)
    assert problem in str(raised.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="3 problems in the retention policies:") as raised:
        parse_retention([{"latest": 0, "lates": 1}, {"newer_days": -1}])
    assert len(str(raised.value).splitlines()) == 4
    with pytest.raises(SettingsError, match=r"1 problem in the policy:\n  policy\.latest = 'x'"):
        parse_policy({"latest": "x"})

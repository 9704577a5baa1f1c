"""Any run, with any names, times and findings: no plan takes what nothing replaces, and nothing newer is passed over
without a reason. What is true of a run is known here (`tests.support.true_runs`); the plan sees its traces alone.

PLAN_EXAMPLES=20000 tries so many.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.internal.constants_ast import Constants

from core.base.files import FileStat
from core.base.records import Checkpoint, Leftover, SavedAtSource
from core.resume.history import Manifests
from core.retention.plan import plan_run
from core.retention.planned import RunState
from core.retention.policies import KeepLatest, Policy
from core.runfolder.pins import Pins
from core.runs.choice import choose
from core.runs.remains import remains
from core.runs.series import arrange
from tests.support.any_rule import rules
from tests.support.trees import a_member
from tests.support.true_runs import COMPLETE, NOW_NS, Save, TrueRun, true_runs

EXAMPLES = int(os.environ.get("PLAN_EXAMPLES", "300"))
# The same examples on each machine; a busy machine is slow, not wrong.
THOROUGH = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
GRACE = 60.0
UNJUDGED = COMPLETE - {"non-finite"}


@pytest.fixture(scope="module", autouse=True)
def draws_are_the_same_beside_other_tests() -> Iterator[None]:
    """Hypothesis also draws constants that it reads in the modules of the project that are loaded, which other tests of
    the process change; there is no setting for it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hypothesis.internal.conjecture.providers._get_local_constants", Constants)
        yield


policies = st.builds(Policy, rules=st.lists(rules, max_size=2).map(tuple))


def carried_out(state: RunState, policy: Policy) -> set[str]:
    """What is gone, as paths relative to the run, once nothing more goes."""
    gone: set[str] = set()
    while True:
        plan = plan_run(state, policy, GRACE)
        told = sorted([*(item.path for item in plan.items), *(stay.path for stay in plan.stays)])
        paths = [*(item.path for item in state.checkpoints), *(item.path for item in state.leftovers)]
        assert told == sorted(path.removeprefix("run/") for path in paths)
        going = {item.path for item in plan.items}
        if not going:
            return gone
        gone |= going
        # As the catalog keeps them: with what the last look told of their series.
        known = arrange(state.checkpoints, remains(state.checkpoints, state.leftovers).values())
        kept = [item for series in known for item in series if item.path[4:] not in going]
        left = tuple(one for one in state.leftovers if one.path[4:] not in going)
        state = replace(state, checkpoints=tuple(kept), leftovers=left)


def in_words(run: TrueRun) -> str:
    """A run in few words, for whoever reads a counterexample."""
    lines = [f"{run.identity}, {run.habit.tells}, times {run.times}"]
    for save in run.saves:
        step = save.thing.facts.step if isinstance(save.thing, Checkpoint) else None
        lines.append(f"{save.training} {save.path!r} {save.state} {step and step.value} {save.moment.at:%d %H:%M:%S}")
    return "\n".join(lines)


def trainings(run: TrueRun) -> Iterator[list[Save]]:
    """The saves of each training that can be told apart: by a word or a folder, or because its counts start again."""
    groups: dict[int, list[Save]] = {}
    for save in run.saves:
        groups.setdefault(save.training, []).append(save)
    if run.identity == "restart" and not _starts_again(run, list(groups.values())):
        yield list(run.saves)
    else:
        yield from groups.values()


def _starts_again(run: TrueRun, groups: list[list[Save]]) -> bool:
    """Whether the counts in the names of each training go back behind those of another one, and so for all of them."""
    spans = [(min(save.moment.epoch for save in one), max(save.moment.epoch for save in one)) for one in groups]
    return run.habit.tells == "count" and all(low <= high for low, _ in spans for _, high in spans)


def is_known_newer(run: TrueRun, one: Save, other: Save) -> bool:
    """Whether a save of the same training is newer than another by the best evidence that there is of both."""
    if one.training != other.training:
        return False
    both = [item.thing for item in (one, other)]
    are_told = all(isinstance(item, Checkpoint) and item.saved_at_source is not SavedAtSource.MTIME for item in both)
    if run.times not in {"copied", "listed"} or run.habit.tells == "date" or are_told:
        return one.moment.at > other.moment.at
    if run.times == "listed" and run.has_restarted:
        return False  # what steps tell may be against what the times of others do
    steps = [item.thing.facts.step for item in (one, other) if isinstance(item.thing, Checkpoint)]
    if len(steps) == 2 and None not in steps:
        return one.moment.step > other.moment.step
    return run.habit.tells == "count" and one.moment.epoch > other.moment.epoch


@THOROUGH
@given(run=true_runs(), policy=policies)
def test_a_plan_takes_nothing_that_nothing_replaces(run: TrueRun, policy: Policy) -> None:
    gone = carried_out(run.state, policy)
    note(f"{in_words(run)}\ngone: {sorted(gone)}")
    assert not any(save.state in UNJUDGED | {"writing"} for save in run.saves if save.path in gone)
    for saves in trainings(run):
        stay = [save for save in saves if save.path not in gone]
        went = [save for save in saves if save.path in gone]
        if not any(save.is_restorable for save in saves):
            assert not any(save.holds_values for save in went)
        for lost in (save for save in went if save.is_restorable):
            assert any(save.is_restorable and not is_known_newer(run, lost, save) for save in stay)
        for lost in (save for save in went if not save.is_restorable and isinstance(save.thing, Checkpoint)):
            whole = [save for save in saves if save.is_restorable]
            assert (
                not whole
                or lost.thing.path.endswith("-tmp-17033341219")
                or not all(is_known_newer(run, lost, save) for save in whole)
            )


@THOROUGH
@given(run=true_runs())
def test_latest_restorable_is_never_older_than_what_was_passed_over_without_a_reason(run: TrueRun) -> None:
    note(in_words(run))
    truth = {save.thing.path: save for save in run.saves}
    told = 0
    for choice in choose(run.state.checkpoints, (), "/data", frozenset()):
        told += len(choice.members)
        whole = [truth[item.path] for item in choice.members if truth[item.path].is_restorable]
        assert (choice.chosen is not None) == bool(whole)
        assert all(one.reasons and not one.checkpoint.restorable for one in choice.passed_over)
        if choice.chosen is None:
            continue
        passed = {one.checkpoint.path for one in choice.passed_over}
        chosen = truth[choice.chosen.path]
        for save in whole:
            assert save.thing.path not in passed
            assert not is_known_newer(run, save, chosen)
    assert told == len(run.state.checkpoints)


# What was found by them, and mended.


def a_state(*items: Checkpoint, left: tuple[str, ...] = ()) -> RunState:
    """An idle run; `left` are prefixes of which only shards are there."""
    leftovers = tuple(
        Leftover(path=f"run/ckpts/{name}", rule="orphan-shard", files=(FileStat(f"{name}.data-0", 9, 1),), reason="x")
        for name in left
    )
    known = {"root": "r00t", "root_path": "/data", "run": "run", "is_live": False, "now_ns": NOW_NS}
    return RunState(checkpoints=items, leftovers=leftovers, pins=Pins(), manifests=Manifests(), **known)  # type: ignore[arg-type]


LATEST = Policy(rules=(KeepLatest(1),))


@pytest.mark.parametrize(
    ("whole", "left"),
    [("resnet_18-3", "resnet_50-1"), ("cv-1-04", "cv-2-01"), ("seed1-ckpt-2", "seed2-ckpt-1")],
)
def test_data_of_another_training_stays_and_of_the_same_one_goes(whole: str, left: str) -> None:
    item = a_member(whole)
    assert carried_out(a_state(item, left=(left,)), Policy()) == set()
    assert carried_out(a_state(item, left=(f"{whole[:-1]}9",)), Policy()) == {f"ckpts/{whole[:-1]}9"}


def test_the_remains_of_a_state_file_hold_no_values() -> None:
    assert carried_out(a_state(a_member("ckpt-1"), left=("checkpoint.tmp1f0a",)), Policy()) == {
        "ckpts/checkpoint.tmp1f0a"
    }
    assert carried_out(a_state(left=("checkpoint.tmp1f0a",)), Policy()) == set()


@pytest.mark.parametrize("knows_steps", [True, False], ids=["steps", "no-steps"])
def test_folds_stay_apart_when_nothing_starts_again_any_more(knows_steps: bool) -> None:
    """The first fold ended earlier: once only the last one of each is left, numbers and steps rise."""
    saved = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    items = [
        a_member(f"m-{fold}-{epoch:02d}", step=10 * epoch if knows_steps else None, minute=10 * fold + epoch)
        for fold, epoch in saved
    ]
    assert carried_out(a_state(*items), LATEST) == {"ckpts/m-1-01", "ckpts/m-2-01", "ckpts/m-2-02"}


def test_remains_of_saves_tell_folds_apart_too() -> None:
    first, *second = (a_member(f"m-{fold}-{epoch}", minute=fold + epoch) for fold, epoch in ((1, 0), (2, 1), (2, 2)))
    assert carried_out(a_state(first, *second, left=("m-2-0",)), LATEST) == {"ckpts/m-2-0", "ckpts/m-2-1"}


def test_data_that_is_all_that_is_left_of_a_fold_stays_when_nothing_starts_again_any_more() -> None:
    """Once the second fold lost its first save too, its numbers seem to go on from those of the first one."""
    second = [a_member(f"m-2-{epoch}", minute=epoch) for epoch in range(2)]
    assert carried_out(a_state(*second, left=("m-1-0",)), LATEST) == {"ckpts/m-2-0"}


def test_models_of_several_sizes_stay_apart_when_steps_that_are_known_seem_to_go_on_from_one_to_the_next() -> None:
    """Of a copied tree, where no times tell: what is counted behind the size starts again, and only some steps are
    known.
    """
    known = {("18", 0): 1, ("18", 1): 2, ("50", 1): 3, ("50", 2): 4, ("101", 2): 5}
    places = [("18", 0), ("18", 1), *((size, place) for size in ("50", "101") for place in range(3))]
    items = [a_member(f"resnet_{size}_{place}", step=known.get((size, place)), minute=0) for size, place in places]
    assert carried_out(a_state(*items), LATEST) == {
        "ckpts/resnet_18_0",
        "ckpts/resnet_50_0",
        "ckpts/resnet_50_1",
        "ckpts/resnet_101_0",
        "ckpts/resnet_101_1",
    }


@pytest.mark.parametrize("start", [None, 7.5], ids=["unknown", "known-but-in-parallel"])
def test_steps_make_no_training_of_two_whose_starts_they_do_not_tell(start: float | None) -> None:
    items = [a_member("m-1-1", step=1, minute=1), a_member("m-1-2", step=2, minute=9)]
    items += [a_member("m-2-1", step=None if start is None else 3, minute=start or 10)]
    items += [a_member("m-2-2", step=4, minute=11)]
    assert carried_out(a_state(*items), LATEST) == {"ckpts/m-1-1", "ckpts/m-2-1"}


def test_one_damaged_member_of_a_copied_tree_does_not_hide_the_steps_of_the_others() -> None:
    names = {"best-0.10": 300, "best-0.30": 200, "best-0.20": None}
    items = [a_member(name, step=step, minute=0, restorable=step is not None) for name, step in names.items()]
    (choice,) = choose(items, (), "/data", frozenset())
    assert choice.chosen is not None
    assert choice.chosen.path == "run/ckpts/best-0.10"


def test_in_a_copied_tree_the_times_that_the_state_file_tells_stand() -> None:
    told = [a_member(f"ckpt-{n}", minute=minute, source=SavedAtSource.STATE_FILE) for n, minute in ((3, 10), (1, 20))]
    copied = [item._replace(files=(item.files[0]._replace(mtime_ns=NOW_NS),)) for item in told]
    other = a_member("ckpt-2", minute=5)._replace(files=copied[0].files)
    (choice,) = choose([*copied, other], (), "/data", frozenset())
    assert choice.chosen is not None
    assert choice.chosen.path == "run/ckpts/ckpt-1"


def test_in_a_copied_tree_the_times_that_are_told_leave_the_steps_of_the_others_in_order() -> None:
    told = [
        a_member(name, step=step, minute=minute, source=SavedAtSource.STATE_FILE)
        for name, step, minute in (("best-0.0030", None, 1), ("best-0.0010", 1, 7))
    ]
    items = [item._replace(files=(item.files[0]._replace(mtime_ns=NOW_NS),)) for item in told]
    other = a_member("best-0.0020", step=2, minute=13)._replace(files=items[0].files)
    (choice,) = choose([*items, other], (), "/data", frozenset())
    assert choice.chosen is not None
    assert choice.chosen.path == "run/ckpts/best-0.0020"


@pytest.mark.parametrize(
    "newest_last",
    [
        ("model_20231231-235901", "model_20240101-000501", "model_20240102-235901"),
        ("m_28.01.2024_10-00-00", "m_31.01.2024_09-00-00", "m_03.02.2024_08-00-00"),
        ("run-2024-01-31T10:00:00Z", "run-2024-02-01T09:00:00Z", "run-2024-02-10T08:00:00Z"),
    ],
    ids=["stamp", "day-first", "iso"],
)
@pytest.mark.parametrize("minutes", [(30, 20, 10), (0, 0, 0)], ids=["times-turned-round", "a-copy"])
def test_dates_in_names_tell_the_plan_which_one_is_the_newest(
    newest_last: tuple[str, ...], minutes: tuple[int, ...]
) -> None:
    """Files were touched or copied since, so that the order of their times, or that of the names, is another one."""
    items = [a_member(name, minute=minute) for name, minute in zip(newest_last, minutes, strict=True)]
    assert carried_out(a_state(*items), LATEST) == {f"ckpts/{name}" for name in newest_last[:2]}

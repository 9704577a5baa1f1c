"""Series, attempts and order: what belongs together, and which is the newest."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint, SavedAtSource
from core.runs.series import arrange
from core.runs.series_order import median_interval, ordered, times_are_useless
from tests.support.trees import START, START_NS, a_member


def paths(series: tuple[Checkpoint, ...]) -> list[str]:
    return [item.path.rpartition("/")[2] for item in series]


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (a_member("ckpt-1"), a_member("ckpt-2"), 1),
        (a_member("cp-0001-0.488.keras", form=Format.KERAS), a_member("cp-0002-0.4.keras", form=Format.KERAS), 1),
        (a_member("ckpt-1"), a_member("ckpt-2", folder="run/other"), 2),
        (a_member("m", form=Format.TF_BUNDLE), a_member("m", form=Format.SAVED_MODEL), 2),
        (a_member("generator-1"), a_member("discriminator-1"), 2),
        (a_member("m-1"), a_member("m-2", fingerprint="other"), 2),
        (a_member("m-1"), a_member("m-2", fingerprint=None), 1),
        (a_member("m-1", fingerprint=None), a_member("m-2", fingerprint=None), 1),
        (a_member("1", form=Format.SAVED_MODEL), a_member("2", form=Format.SAVED_MODEL), 1),
    ],
    ids=[
        *("numbers", "numbers-and-loss", "folder", "format", "stem", "fingerprint", "one-unreadable"),
        *("both-unreadable", "exports"),
    ],
)
def test_what_is_one_series(one: Checkpoint, other: Checkpoint, count: int) -> None:
    found = arrange([one, other])
    assert len(found) == count
    assert len({item.series for series in found for item in series}) == count


def test_two_models_of_one_stem_in_one_folder_are_two_series() -> None:
    members = [a_member(f"ckpt-{n}", step=n, fingerprint="odd" if n % 2 else "even") for n in range(1, 7)]
    assert [paths(series) for series in arrange(members)] == [
        ["ckpt-1", "ckpt-3", "ckpt-5"],
        ["ckpt-2", "ckpt-4", "ckpt-6"],
    ]


def test_one_that_cannot_be_read_belongs_to_the_larger_series() -> None:
    members = [a_member("ckpt-1", step=1, fingerprint="a")]
    members += [a_member(f"ckpt-{n}", step=n, fingerprint="b") for n in (2, 3)]
    members += [a_member("ckpt-4", minute=4, fingerprint=None, restorable=False)]
    assert [paths(series) for series in arrange(members)] == [["ckpt-1"], ["ckpt-2", "ckpt-3", "ckpt-4"]]


def test_the_id_of_a_series_is_stable_and_of_the_place_not_of_the_members() -> None:
    one, two = a_member("ckpt-1", step=1), a_member("ckpt-2", step=2)
    assert arrange([one])[0][0].series == arrange([two, one])[0][1].series


@pytest.mark.parametrize(
    ("steps", "attempts"),
    [
        ([10, 20, 30], [1, 1, 1]),
        ([10, 20, 5, 15, 12], [1, 1, 2, 2, 3]),
        ([10, 10, 20], [1, 1, 1]),
        ([10, None, 5, None], [1, 1, 2, 2]),
        ([None, None], [1, 1]),
        ([30, 20, 10], [1, 2, 3]),
    ],
    ids=["rising", "two-restarts", "equal", "unknown-between", "unknown", "falling"],
)
def test_a_falling_step_begins_an_attempt(steps: list[int | None], attempts: list[int]) -> None:
    members = [a_member(f"ckpt-{n}", step=step, minute=n) for n, step in enumerate(steps)]
    (series,) = arrange(reversed(members))
    assert [item.attempt for item in series] == attempts
    assert [item.is_latest for item in series] == [*[False] * (len(steps) - 1), True]


def test_the_order_is_by_save_time_not_by_step_or_name() -> None:
    members = [a_member("ckpt-9", step=90, minute=1), a_member("ckpt-1", step=10, minute=5)]
    assert paths(tuple(ordered(members))) == ["ckpt-9", "ckpt-1"]


def test_equal_times_are_ordered_by_the_numbers_in_the_names() -> None:
    members = [a_member(name, minute=minute) for name, minute in (("c-10", 5), ("c-9", 5), ("c-2", 5), ("c-1", 1))]
    assert paths(tuple(ordered(members))) == ["c-1", "c-2", "c-9", "c-10"]


@pytest.mark.parametrize(
    ("seconds", "source", "useless"),
    [
        ((0, 1, 2), SavedAtSource.MTIME, True),
        ((0, 1, 2.001), SavedAtSource.MTIME, False),
        ((0, 0, 0), SavedAtSource.MTIME, True),
        ((0, 0, 0), SavedAtSource.STATE_FILE, False),
        ((0, 0, 0), SavedAtSource.FORMAT, False),
        ((0,), SavedAtSource.MTIME, False),
    ],
    ids=["two-seconds", "more", "equal", "state-file", "format", "one"],
)
def test_times_of_a_copied_tree_are_useless(seconds: tuple[float, ...], source: SavedAtSource, useless: bool) -> None:
    members = [a_member(f"ckpt-{n}", minute=second / 60, source=source) for n, second in enumerate(seconds)]
    assert times_are_useless(members) is useless


def test_a_copied_tree_is_ordered_by_step_or_else_by_name() -> None:
    known = [a_member(f"c-{n}", step=step, minute=-n / 1000) for n, step in ((1, 300), (2, 100), (10, 200))]
    assert paths(tuple(ordered(known))) == ["c-2", "c-10", "c-1"]
    assert {item.attempt for item in arrange(known)[0]} == {1}
    # One that tells no step, as a damaged one, stays where its name puts it; the others still go by step.
    unknown = [*known, a_member("c-3", minute=0)]
    assert paths(tuple(ordered(unknown))) == ["c-2", "c-10", "c-3", "c-1"]
    named = [item._replace(facts=item.facts._replace(step=None)) for item in known]
    assert paths(tuple(ordered(named))) == ["c-1", "c-2", "c-10"]


def test_the_latest_restorable_is_the_newest_whole_one() -> None:
    members = [a_member(f"ckpt-{n}", step=n, restorable=n in (1, 2)) for n in (1, 2, 3)]
    (series,) = arrange(members)
    assert [item.is_latest_restorable for item in series] == [False, True, False]


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [((), None), ((1,), None), ((0, 1), 60), ((0, 1, 11), 600), ((0, 1, 2, 60), 60), ((0, 0.01), None)],
    ids=["none", "one", "two", "three", "a-pause", "copied"],
)
def test_the_median_interval(minutes: tuple[float, ...], seconds: float | None) -> None:
    assert median_interval([a_member(f"c-{n}", minute=minute) for n, minute in enumerate(minutes)]) == seconds


members_of_a_run = st.lists(
    st.builds(
        a_member,
        st.sampled_from(["c-1", "c-2", "c-10", "d-1"]),
        step=st.none() | st.integers(0, 5),
        minute=st.integers(0, 4).map(float) | st.just(0.01),
        restorable=st.booleans(),
        fingerprint=st.sampled_from([None, "a", "b"]),
    ),
    max_size=10,
    unique_by=lambda item: (item.path, item.facts.fingerprint),
)


@given(members_of_a_run)
def test_every_member_is_in_one_series_with_one_latest(members: list[Checkpoint]) -> None:
    found = arrange(members)
    assert sum(map(len, found)) == len(members)
    for series in found:
        assert [item.is_latest for item in series].count(True) == 1
        assert [item.is_latest_restorable for item in series].count(True) == any(item.restorable for item in series)
        assert [item.attempt for item in series] == sorted(item.attempt for item in series)


@given(st.permutations([a_member(f"c-{n}", step=n % 4, minute=float(n // 3)) for n in range(9)]))
def test_the_order_does_not_depend_on_the_order_of_the_listing(members: list[Checkpoint]) -> None:
    assert [paths(series) for series in arrange(members)] == [
        ["c-0", "c-1", "c-2", "c-3", "c-4", "c-5", "c-6", "c-7", "c-8"]
    ]


def test_in_a_copied_tree_steps_tell_the_order_of_what_bears_one_date() -> None:
    """The date is that of each training's beginning; the files' times are those of the copy, the wrong way round."""
    names = {
        "20240101-120000_best-0.0030.h5": 5,
        "20240101-120000_best-0.0010.h5": 4,
        "20240102-120000_best-0.0020.h5": 1,
    }
    members = [
        a_member(name, step=step, form=Format.HDF5)._replace(
            files=(FileStat(name, 9, START_NS - step),), saved_at=START - timedelta(microseconds=step)
        )
        for name, step in names.items()
    ]
    assert [item.path.rpartition("_")[2] for item in ordered(members)] == [
        "best-0.0010.h5",
        "best-0.0030.h5",
        "best-0.0020.h5",
    ]


@pytest.mark.parametrize("ends", [("0", "1", "2"), ("20260201-0930", "20260202-0930", "20260203-0930")])
def test_steps_that_begin_again_with_each_size_of_a_model_tell_trainings_apart(ends: tuple[str, ...]) -> None:
    """Although the last steps rise with the size: one training of each got a little further."""
    steps = {
        f"resnet_{size}_{end}": step
        for saves, size in enumerate((18, 50, 101), 1)
        for step, end in enumerate(ends[:saves], 1)
    }
    files = {name: (FileStat(f"{name}.index", 9, START_NS),) for name in steps}
    members = [a_member(name, step=step)._replace(files=files[name]) for name, step in steps.items()]
    assert sorted(len(series) for series in arrange(members)) == [1, 2, 3]

"""Summaries: what came in pieces equals what came at once, no spike is lost, and a database keeps it in few bytes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import CorruptError
from core.metrics.kept_bytes import from_bytes, to_bytes
from core.metrics.records import Series, XKind
from core.metrics.summary import MOST_KEPT, Summary, joined, summarised


def series(values: list[float], first: int = 0) -> Series:
    """Points a second apart."""
    x = np.arange(first, first + len(values), dtype=np.int64)
    return Series(
        tag="loss", x_kind=XKind.STEP, x=x, wall_time=x.astype(np.float64) + 1.7e9, values=np.array(values, np.float64)
    )


def summary_of(*parts: list[float]) -> Summary:
    found, first = None, 0
    for part in parts:
        found = summarised(found, series(part, first))
        first += len(part)
    assert found is not None
    return found


def plain(summary: Summary) -> str:
    """All of it, as text that compares NaN too."""
    facts = (summary.count, summary.first, summary.last, summary.lowest, summary.highest, summary.not_finite)
    return repr((facts, summary.first_not_finite, summary.kept.index.tolist(), summary.kept.points()))


VALUES = st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=1500)


@given(VALUES, st.lists(st.integers(0, 1500), max_size=6))
def test_points_added_in_pieces_give_what_they_give_at_once(values: list[float], cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(values)]
    parts = [values[start:end] for start, end in itertools.pairwise(places)]
    assert plain(summary_of(*parts)) == plain(summary_of(values))


@given(VALUES)
def test_the_kept_points_hold_the_extremes_and_are_few(values: list[float]) -> None:
    found = summary_of(values)
    finite = [value for value in values if math.isfinite(value)]
    kept = [point.value for point in found.kept.points()]
    assert len(kept) <= MOST_KEPT
    assert found.count == len(values)
    assert found.not_finite == len(values) - len(finite)
    if finite:
        assert found.lowest is not None
        assert found.highest is not None
        assert (found.lowest.value, found.highest.value) == (min(finite), max(finite))
        assert found.lowest.x == values.index(min(finite))
        assert {min(finite), max(finite)} <= set(kept)
    if len(values) <= MOST_KEPT and len(finite) == len(values):
        assert kept == values


@given(VALUES)
def test_bytes_lead_back_to_the_points(values: list[float]) -> None:
    kept = summary_of(values).kept
    again = from_bytes(to_bytes(kept))
    assert again.index.tolist() == kept.index.tolist()
    assert again.x.tolist() == kept.x.tolist()
    assert again.wall_time.tolist() == kept.wall_time.tolist()
    np.testing.assert_allclose(again.values, kept.values, rtol=1e-6)
    assert to_bytes(again) == to_bytes(kept)


def test_values_that_32_bits_do_not_hold_are_kept_in_64() -> None:
    kept = summary_of([1e300, 1e-300, -5.0]).kept
    assert from_bytes(to_bytes(kept)).values.tolist() == [1e300, 1e-300, -5.0]


def test_a_noisy_tag_of_a_million_points_takes_less_than_six_kilobytes() -> None:
    rng = np.random.default_rng(7)
    x = np.arange(1_000_000, dtype=np.int64)
    noisy = Series(
        tag="loss",
        x_kind=XKind.STEP,
        x=x,
        wall_time=1.7e9 + np.cumsum(rng.uniform(0.01, 0.1, len(x))),
        values=np.exp(-x / 3e5) + rng.normal(0, 0.1, len(x)),
    )
    found = summarised(None, noisy)
    assert found is not None
    assert len(found.kept) > 200
    assert len(to_bytes(found.kept)) < 6_000


def test_two_files_of_one_tag_are_joined_in_their_order() -> None:
    both = joined(summary_of([3.0, 1.0]), summary_of([2.0, 5.0]))
    assert (both.count, both.first.value, both.last.value) == (4, 3.0, 5.0)
    assert [point.value for point in both.kept.points()] == [3.0, 1.0, 2.0, 5.0]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_bytes_that_are_cut_are_refused(cut: int) -> None:
    content = to_bytes(summary_of([float(number) for number in range(40)]).kept)
    with pytest.raises(CorruptError):
        from_bytes(content[:-cut])


def test_points_without_times_and_with_broken_steps_survive() -> None:
    odd = Series(
        tag="loss",
        x_kind=XKind.EPOCH,
        x=np.array([0.5, 1.25]),
        wall_time=np.array([math.nan, math.inf]),
        values=np.array([1.0, 2.0]),
    )
    found = summarised(None, odd)
    assert found is not None
    again = from_bytes(to_bytes(found.kept))
    assert again.x.tolist() == [0.5, 1.25]
    assert all(math.isnan(time) for time in again.wall_time)

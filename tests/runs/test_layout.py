"""How the parts of runs' paths are called: as the settings say, or where it is plain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import SettingsError
from core.base.layout import RESERVED, RUN, Layout, parse_layout
from core.config.settings import load
from core.runs.layout_guess import guess_layout
from core.search.fields import RUN_FIELDS
from core.search.values import day_in

FOUR = "{project}/{user}/{date}/{run}"


@pytest.mark.parametrize(
    ("layout", "path", "levels"),
    [
        (FOUR, "ads/ada/2026-11-01/a/b", {"project": "ads", "user": "ada", "date": "2026-11-01", "run": "a/b"}),
        (FOUR, "ads/ada/x", {"run": "ads/ada/x"}),
        (FOUR, ".", {"run": "."}),
        ("*/{user}/{run}", "x/ada/1", {"user": "ada", "run": "1"}),
        ("{run}", "a/b", {"run": "a/b"}),
    ],
)
def test_parts_of_a_path_have_names(layout: str, path: str, levels: dict[str, str]) -> None:
    assert parse_layout(layout).levels(path) == levels
    assert str(parse_layout(layout)) == layout


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("{project}/{user/{run}", "part 2 is '{user'; allowed: {name}"),
        ("{project}/Ads/{run}", "part 2 is 'Ads'; allowed"),
        ("{Project}/{run}", "part 1 is '{Project}'"),
        ("{user}/{user}/{run}", "part 2 is '{user}', which is there before"),
        ("{run}/{user}", "part 1 is '{run}'; the last part, and no other, is {run}"),
        ("{project}/{user}", "part 2 is '{user}'; the last part"),
        ("{status}/{run}", "part 1 is '{status}', which a search takes for something else"),
        ("", "part 1 is ''; allowed"),
    ],
)
def test_a_wrong_layout_names_the_place(
    layout: str, why: str, monkeypatch: pytest.MonkeyPatch, plain_environment: None
) -> None:
    with pytest.raises(ValueError, match="part") as caught:
        parse_layout(layout)
    assert str(caught.value).startswith(why)
    if layout:  # an empty variable counts as not set
        monkeypatch.setenv("WAYPOINT_LAYOUT", layout)
        with pytest.raises(SettingsError) as told:
            load()
        assert "WAYPOINT_LAYOUT" in str(told.value)
        assert why in str(told.value)


def test_names_of_searches_are_no_levels() -> None:
    assert RESERVED | {RUN} == RUN_FIELDS.keys()


DATED = [f"{project}/{user}/2026-11-0{day}/r" for project in ("ads", "nlp") for user in "ab" for day in (1, 2)]


@pytest.mark.parametrize(
    ("paths", "layout"),
    [
        (DATED, "{project}/*/{date}/{run}"),
        ([f"ads/run{n}" for n in range(9)], "{project}/{run}"),
        ([f"run{n}" for n in range(9)], "{run}"),
        ([f"run{n}/a" for n in range(9)], "{run}"),
        ([f"2026110{n}-1200/seed" for n in range(1, 9)], "{date}/{run}"),
        ([*DATED, "README/x", "."], "{project}/*/{date}/{run}"),
        ([f"a/{n}/b/c" for n in range(5)], "{project}/{run}"),
        ([], "{run}"),
    ],
)
def test_a_guess_names_what_is_plain(paths: list[str], layout: str) -> None:
    assert str(guess_layout(paths)) == layout
    assert parse_layout(layout) == guess_layout(paths)


@given(st.lists(st.text("ab/19-", min_size=1)), st.text("a/{}*b", max_size=12))
def test_any_path_has_a_run_and_any_text_is_a_layout_or_a_mistake(paths: list[str], text: str) -> None:
    guessed: Layout = guess_layout(paths)
    assert all(RUN in guessed.levels(path) for path in paths)
    try:
        layout = parse_layout(text)
    except ValueError:
        return
    assert parse_layout(str(layout)) == layout


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-11-01", "2026-11-01"),
        ("20261101-120000", "2026-11-01"),
        ("2026_11_01_b", "2026-11-01"),
        ("20260230", None),
        ("202611012", None),
        ("run-2026-11-01", None),
        ("2026", None),
        ("10000000", None),
    ],
)
def test_the_day_that_a_name_begins_with(name: str, day: str | None) -> None:
    assert day_in(name) == day

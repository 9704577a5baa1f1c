"""The pages about sweeps: which trial was best, what a run is of a sweep, and keeping the best trials."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.frame import service
from tests.support.chromium import IDLE, fresh_tab, launched, needs_chromium
from tests.support.pages_server import ROOT, serve
from tests.support.quarantine_cases import tree
from tests.support.sweep_trees import keras_tuner_sweep, put, ray_sweep, trial_json
from waypoint_resume.names import short_id

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROUTER = str(ROOT / "pages" / "router.py")
SCORES = {"0": 0.5, "1": 0.25, "2": 0.75, "3": 0.125, "4": 0.625}
pytestmark = pytest.mark.usefixtures("no_unexpected_error")


@pytest.fixture
def app(runs: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The dashboard over a sweep of KerasTuner, one of whose trials has no checkpoint, and one of Ray."""
    keras_tuner_sweep(runs / "sweep", SCORES)
    put(runs / "sweep" / "trial_5" / "trial.json", trial_json("5", None, status="FAILED"))
    ray_sweep(runs / "**ray** :material", {"a1": 0.5, "b2": 0.25})
    monkeypatch.setenv("WAYPOINT_ROOTS", str(runs))
    service.current().look_now()
    return AppTest.from_file(ROUTER, default_timeout=30)


def opened(app: AppTest, runs: Path, page: str, **query: str) -> AppTest:
    app.query_params["root"] = short_id(str(runs))
    for name, value in query.items():
        app.query_params[name] = value
    return app.run().switch_page(page).run()


def column(app: AppTest, head: str, place: int = 0) -> list[Any]:
    return list(app.dataframe[place].value[head])


def told(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption, *app.text))


def test_the_trials_stand_in_the_tuners_order(app: AppTest, runs: Path) -> None:
    page = opened(app, runs, "sweep.py", sweep="sweep")
    assert column(page, "trial") == [f"trial_{name}" for name in "31042"]
    assert column(page, "rank") == ["1", "2", "3", "4", "5"]
    assert column(page, "score") == ["0.125", "0.25", "0.5", "0.625", "0.75"]
    assert column(page, "status", 0) == [["completed"]] * 5
    assert (column(page, "trial", 1), column(page, "status", 1)) == (["trial_5"], [["failed"]])
    assert "lower is better" in told(page).replace("&#59;", ";")
    assert "**0&#46;125**" in told(page)


def test_a_sweep_whose_direction_nobody_tells_says_so(app: AppTest, runs: Path) -> None:
    page = opened(app, runs, "sweep.py", sweep="**ray** :material")
    assert column(page, "rank") == ["–", "–"]
    assert "no file of the tuner tells which scores are better" in told(page)


def test_an_unknown_sweep_is_not_found(app: AppTest, runs: Path) -> None:
    page = opened(app, runs, "sweep.py", sweep="sweep/../..")
    assert page.warning[0].value.startswith("No sweep")


def test_runs_lead_to_sweeps_and_tell_each_trials_score(app: AppTest, runs: Path) -> None:
    page = opened(app, runs, "runs.py")
    assert column(page, "sweep") == ["**ray** :material", "sweep"]
    assert column(page, "best score") == ["–", "val_loss 0.125"]
    said = dict(zip(column(page, "run", 1), column(page, "trial", 1), strict=True))
    assert said["sweep/trial_1"] == "val_loss 0.25, 2nd of 5"
    page = opened(app, runs, "run.py", run="sweep/trial_1")
    assert "**Trial 1**: 2nd of 5 by val&#95;loss 0&#46;25 (lower is better)" in told(page)
    assert "units = 32, lr = 0.001" in told(page)


def test_what_could_go_of_a_sweep_is_planned_for_its_trials(app: AppTest, runs: Path) -> None:
    page = opened(app, runs, "storage.py", sweep="sweep")
    assert page.number_input(key="best_trials_of_sweep").value == 5
    page.number_input(key="best_trials_of_sweep").set_value(2)
    page.button[[one.label for one in page.button].index("Show what would go")].click().run()
    rows = next(one.value for one in page.dataframe if "why" in one.value)
    assert list(rows["run"]) == ["sweep/trial_0", "sweep/trial_2", "sweep/trial_4"]
    assert list(rows["why"])[1] == "trial 2 of sweep: val_loss 0.75, 5th of 5; the best 2 stay"
    assert "3 trials would be left without a checkpoint." in told(page)


def test_a_hyperparameter_may_be_called_anything(app: AppTest, runs: Path) -> None:
    odd = {"open": 1, "rank": "![x](http://x)", "**b** :material": 2, "": 3} | {f"p{n}": n for n in range(100)}
    put(runs / "sweep" / "trial_0" / "trial.json", trial_json("0", 0.5, params=odd))
    service.current().look_now()
    page = opened(app, runs, "sweep.py", sweep="sweep")
    assert column(page, "trial") == [f"trial_{name}" for name in "31042"]
    assert {"open", "rank (parameter)", "**b** :material"} <= set(page.dataframe[0].value.columns)
    page = opened(app, runs, "run.py", run="sweep/trial_0")
    assert "open = 1, rank = ![x](http://x)" in told(page)
    assert "and 73 more" in told(page)


@needs_chromium
def test_the_number_of_trials_is_typed_before_they_go_and_undo_brings_them_back(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    keras_tuner_sweep(runs / "sweep", SCORES)
    before = tree(runs)
    with serve(runs, tmp_path / "home") as server, launched() as browser, fresh_tab(browser, server) as tab:
        tab.goto(f"/storage?root={short_id(str(runs))}&sweep=sweep")
        idle(tab)
        tab.locator(".st-key-best_trials_of_sweep input").fill("1")
        tab.get_by_role("button", name="Show what would go").click()
        tab.locator(".st-key-quarantine button").click()
        move = tab.locator(".st-key-quarantine_confirm button")
        move.click()
        tab.get_by_text("Nothing was moved").wait_for()
        assert tree(runs) == before
        tab.locator(".st-key-quarantine_typed input").fill("4 trials")
        tab.locator(".st-key-quarantine_typed input").press("Enter")
        idle(tab)
        move.click()
        tab.get_by_text("Moved to quarantine: 4 things of 4 runs").first.wait_for()
        assert [name for name in tree(runs) if name.endswith(".index")] == ["sweep/trial_3/saved.index"]
        tab.locator(".st-key-answer_undo button").click()
        tab.locator(".st-key-answer_undo").wait_for(state="detached")
        idle(tab)
    assert tree(runs) == before
    assert not [name for name in os.listdir(runs) if name != "sweep"]


def idle(tab: "Page") -> None:
    """The page is drawn."""
    tab.wait_for_selector(IDLE)
    tab.wait_for_timeout(300)

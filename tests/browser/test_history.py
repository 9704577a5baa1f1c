"""The browser's Back, Forward and reload, pasted links, and Tab: a page is shown as it was left, and nothing opens."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.chromium import IDLE, needs_chromium, playwright
from tests.support.pages_server import Server, serve
from tests.support.trees import save
from waypoint_resume.names import short_id

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_chromium

ROW, HEAD, NAME = 35, 38, 55  # pixels of a table: a row, the head, from the left to a name
RUNS = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("history")
    for number in range(RUNS):
        for step in (1, 2):
            save(folder / "runs" / f"night-{number}", step)
    save(folder / "runs" / "other", 1)
    with serve(folder / "runs", folder / "home") as running:
        yield running


def idle(page: "Page") -> None:
    page.wait_for_selector(IDLE)


def click(page: "Page", right: int, down: int) -> None:
    """Click a point of the first table."""
    grid = page.locator("[data-testid=stDataFrame]").first
    grid.locator("canvas").first.wait_for()
    idle(page)
    grid.click(position={"x": right, "y": down})


def open_row(page: "Page", number: int) -> None:
    click(page, NAME, HEAD + ROW * number + ROW // 2)


def query(page: "Page") -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def expect_runs(page: "Page", first: str) -> None:
    """The filtered and sorted list, with its URL."""
    page.get_by_text(re.compile(rf"^{RUNS} runs, ")).wait_for()
    idle(page)
    playwright.expect(page.get_by_role("textbox", name="Search")).to_have_value("night")
    playwright.expect(page.locator("#glide-cell-1-0")).to_have_text(first)
    assert urlsplit(page.url).path == "/runs"
    found = query(page)
    assert found == {"q": ["night"], "sort": ["-path"], "status": ["stale", "idle"]}


def test_back_forward_and_reload_keep_filters_and_sort(page: "Page") -> None:
    page.goto("/runs?q=night&sort=-path&status=stale&status=idle")
    expect_runs(page, "night-5")
    open_row(page, 1)
    page.wait_for_url("**/run?**run=night-4**")
    page.get_by_role("heading", name="night-4").wait_for()
    page.go_back()
    page.wait_for_url("**/runs?**")
    expect_runs(page, "night-5")
    page.reload()
    expect_runs(page, "night-5")
    page.go_forward()
    page.wait_for_url("**/run?**")
    page.get_by_role("heading", name="night-4").wait_for()
    page.get_by_role("link", name="All runs").click()
    page.wait_for_url("**/runs?**")
    expect_runs(page, "night-5")


def test_a_page_two_levels_down_that_was_loaded_anew_leads_back_to_each_level(page: "Page") -> None:
    page.goto("/runs?q=night&sort=-path&status=stale&status=idle")
    expect_runs(page, "night-5")
    open_row(page, 0)
    page.wait_for_url("**/run?**")
    page.get_by_role("heading", name="night-5").wait_for()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()  # which moves the table when it comes
    open_row(page, 0)
    page.wait_for_url("**/checkpoint?**")
    page.get_by_role("tab", name="Files").click()
    page.wait_for_url("**tab=Files**")
    page.reload()  # another session: it knows nothing of the pages before
    playwright.expect(page.get_by_role("tab", name="Files")).to_have_attribute("aria-selected", "true")
    page.go_back()
    page.wait_for_url("**/run?**")
    page.get_by_role("heading", name="night-5").wait_for()
    idle(page)
    assert "path" not in query(page)
    page.get_by_role("link", name="All runs").click()
    page.wait_for_url("**/runs?**")
    expect_runs(page, "night-5")


def test_a_sort_is_taken_back_and_a_filter_begins_at_the_first_page(page: "Page") -> None:
    page.goto("/runs?q=night")
    page.get_by_text(re.compile(rf"^{RUNS} runs, ")).wait_for()
    click(page, NAME, HEAD // 2)
    page.wait_for_url("**/runs?q=night&sort=path")
    page.go_back()
    page.wait_for_url("**/runs?q=night")
    page.get_by_text("last saved ↓").wait_for(state="attached")


def test_a_link_of_somebody_else_shows_what_it_says(page: "Page", server: Server) -> None:
    root = short_id(str(server.runs))
    page.goto(f"/run?root={root}&run=night-2&back=runs%3Fq%3Dnight-2%26embed%3Dtrue")
    page.get_by_role("heading", name="night-2").wait_for()
    page.get_by_role("link", name="All runs").click()
    page.wait_for_url("**/runs?q=night-2")
    page.get_by_text("1 run, ").wait_for()
    page.goto(f"/run?root={root}&run=night-2&back=https%3A%2F%2Fexample.org")
    page.get_by_role("link", name="All runs").click()
    page.wait_for_url("**/runs")


def test_tab_passes_over_tables_without_opening_a_row_and_finds_a_link_behind(page: "Page") -> None:
    page.goto("/runs?sort=path")
    page.get_by_text(re.compile(r"^\d+ runs, ")).wait_for()
    idle(page)
    for _ in range(25):  # all stops of the page, around again
        page.keyboard.press("Tab")
    idle(page)
    assert urlsplit(page.url).path == "/runs"
    page.goto("/runs?sort=path")
    page.get_by_text(re.compile(r"^\d+ runs, ")).wait_for()
    idle(page)
    page.locator("[data-testid=stElementToolbar] button").last.focus()
    page.keyboard.press("Tab")  # the last of the buttons above the table: the next stop is its first cell
    page.locator("#glide-cell-1-0:focus").wait_for(state="attached")
    page.get_by_role("link", name="Open night-0").wait_for()
    page.keyboard.press("ArrowDown")
    link = page.get_by_role("link", name="Open night-1")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/run?**run=night-1")
    page.go_back()
    page.wait_for_url("**/runs?sort=path")

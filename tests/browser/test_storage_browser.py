"""Disk space in a real browser: find what is large, try a policy, move, undo, purge, pin, download."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import HOSTILE, IDLE, needs_chromium
from tests.support.pages_server import Server, serve
from tests.support.trees import index_of, save, shard_of, state, write
from waypoint_resume.names import short_id

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = needs_chromium

FORMULA = '=HYPERLINK("x")'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("storage")
    runs = folder / "runs"
    for name in ("five", "gone", "other", "pinned", FORMULA, f"{HOSTILE}/home: [x](http:/e)"):
        for step in range(1, 6):
            save(runs / name, step)
        state(runs / name, "ckpt-5", *(f"ckpt-{step}" for step in range(1, 6)))
    index_of(save(runs / "lost", 1)).unlink()
    save(runs / "lost", 2)  # a leftover goes where something of its run can be restored
    write(runs / "large", {"model.weights.h5": bytes(3 << 20)})
    with serve(runs, folder / "home") as running:
        yield running


@pytest.fixture
def height() -> int:
    return 1600


def added_up(page: "Page", query: str = "") -> None:
    """Open the page and wait until the disk was added up."""
    page.goto(f"/storage{query}")
    page.get_by_text("Area: bytes on disk.").wait_for()
    page.wait_for_selector(IDLE)


def tile(page: "Page", name: str) -> "Locator":
    """The rectangle of the treemap that bears a name."""
    return page.locator("g.slice", has_text=name).last


def plan(page: "Page", server: Server, run: str) -> None:
    """Try a policy that keeps the latest two of a run."""
    added_up(page, f"?root={short_id(str(server.runs))}&run={run}")
    page.get_by_text("to try", exact=True).click()
    page.get_by_label("Keep the latest").fill("2")
    page.get_by_role("button", name="Show what would go").click()
    page.get_by_text("3 checkpoints of 1 run would go").wait_for()


def move(page: "Page", note: str) -> None:
    """Move the plan into quarantine."""
    page.get_by_role("button", name="Move to quarantine…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("3 checkpoints of 1 run go into quarantine: 6 files").wait_for()
    dialog.get_by_label("Note").fill(note)
    dialog.get_by_role("button", name="Move").click()
    page.locator(".st-key-answer").get_by_text("Moved to quarantine: 3 things of 1 run.").wait_for()


def indexes(run: Path) -> list[str]:
    """The steps of the checkpoints in a run's folder."""
    return sorted(path.stem for path in run.glob("*.index"))


def test_the_largest_place_is_found_and_opened_by_a_click(page: "Page") -> None:
    added_up(page)
    tile(page, "model.weights.h5").click()
    page.wait_for_url("**/checkpoint?**path=large%2Fmodel.weights.h5**")
    page.get_by_role("heading", name="model.weights.h5").wait_for()


def test_a_click_on_the_head_of_a_run_opens_the_run(page: "Page") -> None:
    added_up(page)
    tile(page, "large, 3.0 MiB").click(position={"x": 15, "y": 6})
    page.wait_for_url("**/run?**run=large**")
    page.get_by_role("link", name="What could go").wait_for()


def test_a_policy_is_tried_carried_out_and_undone(page: "Page", server: Server) -> None:
    run = server.runs / "five"
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    plan(page, server, "five")
    page.get_by_text("stay (2)").click()
    page.wait_for_selector(IDLE)
    assert set(before) == set(run.iterdir())
    move(page, "not <b>needed</b>")
    assert indexes(run) == ["ckpt-4", "ckpt-5"]
    assert b"ckpt-1" not in (run / "checkpoint").read_bytes()
    page.get_by_text("not <b>needed</b>").wait_for()
    card = page.locator("[data-testid=stMain]")
    card.get_by_text(re.compile(r"^Quarantine [0-9a-f]{8}, .*by tester: 3 items")).wait_for()
    page.locator(".st-key-answer").get_by_role("button", name="Undo").click()
    page.locator(".st-key-answer").get_by_text("Undone: 6 files brought back.").wait_for()
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir() if path.name != ".waypoint"}
    assert after == before
    page.get_by_text("1 former batch").wait_for()


def choose_run(page: "Page", name: str) -> None:
    """Choose a run of the list, which a page that is drawn again meanwhile closes."""
    option = page.get_by_role("option", name=name)
    for _ in range(20):
        page.get_by_label("Runs", exact=True).click()
        page.wait_for_timeout(500)
        if option.is_visible():
            break
    option.click()


def test_runs_that_were_chosen_stay_chosen_when_another_policy_is_taken(page: "Page") -> None:
    added_up(page)
    choose_run(page, "other")
    page.keyboard.press("Escape")
    page.get_by_text("to try", exact=True).click()
    page.get_by_label("Keep the latest").fill("2")
    page.get_by_role("button", name="Show what would go").click()
    page.get_by_text("3 checkpoints of 1 run would go").wait_for()


def test_a_purge_wants_the_right_name_and_tells_what_it_freed(page: "Page", server: Server) -> None:
    run = server.runs / "gone"
    going = [file for step in (1, 2, 3) for file in (index_of(run / f"ckpt-{step}"), shard_of(run / f"ckpt-{step}"))]
    freed = sum(file.stat().st_blocks for file in going) * 512 / 1024
    plan(page, server, "gone")
    move(page, "")
    held = list((run / ".waypoint").rglob("*.index"))
    assert len(held) == 3
    page.get_by_role("button", name="Purge…").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"The disk gains {freed:.1f} KiB.").wait_for()
    dialog.get_by_label("Type").fill("five")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Purge").click()
    dialog.get_by_text("Nothing was purged.").wait_for()
    assert all(path.exists() for path in held)
    dialog.get_by_label("Type").fill("gone")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Purge").click()
    page.locator(".st-key-answer").get_by_text(f"Purged: {freed:.1f} KiB freed.").wait_for()
    assert not any(path.exists() for path in held)
    assert indexes(run) == ["ckpt-4", "ckpt-5"]


def test_a_checkpoint_is_pinned_with_a_note_and_stays(page: "Page", server: Server) -> None:
    query = f"?root={short_id(str(server.runs))}&run=pinned&path=pinned/ckpt-1"
    page.goto(f"/checkpoint{query}")
    page.get_by_role("button", name="Pin…").click()
    page.get_by_role("dialog").get_by_label("Note").fill("the <b>first</b>")
    page.get_by_role("dialog").get_by_role("button", name="Pin").click()
    page.locator(".st-key-answer").get_by_text("Pinned: ckpt-1.").wait_for()
    page.get_by_text("the <b>first</b>").wait_for()
    added_up(page, f"?root={short_id(str(server.runs))}&run=pinned")
    page.get_by_text("to try", exact=True).click()
    page.get_by_label("Keep the latest").fill("2")
    page.get_by_role("button", name="Show what would go").click()
    page.get_by_text("2 checkpoints of 1 run would go").wait_for()
    page.goto(f"/checkpoint{query}")
    page.get_by_role("button", name="Unpin").click()
    page.locator(".st-key-answer").get_by_text("No longer pinned: ckpt-1.").wait_for()


def test_a_table_is_downloaded_without_formulas(page: "Page", tmp_path: Path) -> None:
    added_up(page, "?by=run")
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    begun.value.save_as(tmp_path / "run.csv")
    with (tmp_path / "run.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {row["name"] for row in rows}
    assert f"'{FORMULA}" in names
    assert FORMULA not in names
    assert {"five", "large"} <= names
    assert max(rows, key=lambda row: int(row["allocated_bytes"]))["name"] == "large"


def test_hostile_names_are_text_in_the_map_and_the_tables(page: "Page") -> None:
    added_up(page, "?by=run")
    page.get_by_role("button", name="Show what would go").click()
    page.get_by_text("1 leftover of 1 run would go").wait_for()
    assert page.locator("[data-testid=stMain] img").count() == 0
    assert page.locator("[data-testid=stMain] a[href*='http:/e']").count() == 0


def test_the_overview_leads_to_storage(page: "Page") -> None:
    page.goto("/")
    page.locator("[data-testid=stMetric]", has_text="On disk").get_by_text("could go").wait_for()
    page.get_by_role("link", name="Where the disk went, and what could go").click()
    page.wait_for_url("**/storage")
    page.get_by_role("heading", name="Storage").wait_for()

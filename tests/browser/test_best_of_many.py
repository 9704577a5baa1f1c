"""The best of 400 runs in a browser: found by its loss, compared with the second, resumed, in under ten clicks."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.resume.manifest import parse
from tests.support.chromium import IDLE, needs_chromium
from tests.support.pages_server import ROOT, Server, serve

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MESS = ROOT.parent / "shared" / "mess.py"
pytestmark = [needs_chromium, pytest.mark.skipif(not MESS.exists(), reason=f"{MESS.name} is not here")]

# What the samples' jobs logged: the copies have logs of their own, and only those are true of them.
OWN_LOGS = shutil.ignore_patterns(
    "*.csv",
    "*.jsonl",
    "*tfevents*",
    "history.json",
    "*params.*",
    "args.json",
    "config.yaml",
    "config.json",
    "flags.txt",
)
ROW, HEAD, TICK = 35, 38, 20  # pixels of a table: a row, the head, from the left to the box that selects a row


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("many")
    shutil.copytree(ROOT / "sample_runs", folder / "source", ignore=OWN_LOGS)
    command = [sys.executable, str(MESS), str(folder / "runs"), "--source", str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True)
    with serve(folder / "runs", folder / "home") as running:
        yield running


@pytest.fixture
def height() -> int:
    return 1_400


def idle(page: "Page") -> None:
    page.wait_for_selector(IDLE)


class Hand:
    """Clicks, and how many there were."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.clicks = 0

    def click(self, what: "Locator", *, right: float | None = None, down: float = 0) -> None:
        """Click something, or a point of it."""
        idle(self.page)
        if right is None:
            what.click()
        else:
            what.click(position={"x": right, "y": down})
        self.clicks += 1
        idle(self.page)


def head_of(page: "Page", sort: str) -> float:
    """How far right in the list of runs the head of a column is, found by trying."""
    page.goto("/runs")
    grid = page.locator("[data-testid=stDataFrame]").last
    grid.locator("canvas").first.wait_for()
    box = grid.bounding_box()
    assert box is not None
    for right in range(300, int(box["width"]), 45):
        idle(page)
        page.locator("[data-testid=stDataFrame]").last.click(position={"x": right, "y": HEAD // 2})
        page.wait_for_timeout(300)
        idle(page)
        if f"sort={sort}" in page.url.replace("%3A", ":"):
            return right
    raise AssertionError(f"no head sorts by {sort}")


def test_the_best_of_400_runs_is_found_compared_and_resumed_in_under_ten_clicks(page: "Page", server: Server) -> None:
    truth = json.loads(Path(f"{server.runs}.truth.json").read_text(encoding="utf-8"))
    by_loss = sorted((one["best"]["val_loss"], run) for run, one in truth.items() if one.get("best"))
    right = head_of(page, "best:val_loss")
    page.goto("/runs")
    hand = Hand(page)
    grid = page.locator("[data-testid=stDataFrame]").last
    grid.locator("canvas").first.wait_for()
    hand.click(grid, right=right, down=HEAD // 2)
    page.wait_for_url("**sort=best**")
    for number in (0, 1):
        hand.click(page.locator("[data-testid=stDataFrame]").last, right=TICK, down=HEAD + ROW * number + ROW // 2)
    page.get_by_text("2 runs selected").wait_for()
    hand.click(page.get_by_role("link", name="Compare").last)
    page.get_by_role("heading", name="Compare 2 runs").wait_for()
    page.get_by_role("heading", name="Best first").wait_for()
    best = page.get_by_text(f"{by_loss[0][0]:.6g}", exact=True).first
    best.wait_for()
    hand.click(page.get_by_role("button", name="Resume…").first)
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    idle(page)
    for box in dialog.get_by_role("checkbox").all():
        if not box.is_checked():
            hand.click(box.locator("xpath=ancestor::label"))
    hand.click(dialog.get_by_role("button", name="Write the manifest"))
    place = server.runs / by_loss[0][1] / "resume_manifest.json"
    dialog.get_by_text("resume_manifest.json").first.wait_for()
    manifest = parse(place.read_bytes())
    assert manifest.run == by_loss[0][1]
    assert hand.clicks < 10

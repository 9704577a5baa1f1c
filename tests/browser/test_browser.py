"""The dashboard in a real browser: from the Overview to a manifest on disk, a cold deep link, hostile names."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from core.resume.manifest import parse
from tests.support.chromium import HOSTILE, IDLE, needs_chromium, playwright
from tests.support.pages_server import ROOT, Server, copy_samples, serve
from tests.support.trees import flip, save, state
from waypoint_resume.names import short_id

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = needs_chromium

ROW, HEAD, NAME = 35, 38, 55  # pixels of a table: a row, the head, from the left to a name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    runs = copy_samples(folder / "runs")
    copied = runs / HOSTILE / "home: [x](http:" / "e)"
    copied.mkdir(parents=True)
    for run in ("mnist-cnn", "churn-mlp"):  # of which brackets in a path leave .keras files alone restorable
        for file in (runs / run / "checkpoints").iterdir():
            os.link(file, copied / file.name)
    for run in ("dangling", "live"):
        now = time.time_ns() if run == "live" else None
        for step in (1, 2):
            save(runs / run, step, at_ns=now)
        state(runs / run, "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")
    flip(save(runs / "flipped", 1))
    for step in (1, 2):
        save(runs / "claimed", step)
    with serve(runs, folder / "home") as running:
        yield running


def foot_of(what: "Locator") -> float:
    """How far down a page something ends."""
    box = what.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def accept_all(page: "Page") -> None:
    """Tick every warning of the dialog."""
    boxes = page.get_by_role("dialog").get_by_role("checkbox")
    for number in range(boxes.count()):
        boxes.nth(number).locator("xpath=ancestor::label").click()
        playwright.expect(boxes.nth(number)).to_be_checked()
    page.wait_for_selector(IDLE)


def test_from_the_overview_over_a_run_and_a_checkpoint_to_a_manifest(page: "Page", server: Server) -> None:
    page.goto("/")
    page.locator("[data-testid=stMetric]", has_text="Checkpoints").get_by_text(re.compile(r"^\d\d$")).wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.wait_for_url("**/runs")
    page.get_by_role("textbox", name="Search").fill("mnist")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?q=mnist")
    page.get_by_text("1 run,").wait_for()
    click_row(page, 0)
    page.wait_for_url("**/run?**run=mnist-cnn**")
    page.get_by_text("Resume from checkpoints/ckpt-10").wait_for()
    page.get_by_role("link", name="Open").click()
    page.wait_for_url("**/checkpoint?**path=mnist-cnn%2Fcheckpoints%2Fckpt-10")
    page.get_by_text("optimizer/_iterations").first.wait_for()
    page.get_by_role("button", name="Resume…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("checkpoints/ckpt-10").first.wait_for()
    confirm = dialog.get_by_role("button", name="Write the manifest")
    dialog.get_by_text("As of most checkpoints: random state").wait_for()
    playwright.expect(dialog.get_by_role("checkbox")).to_have_count(0)  # nothing special: nothing to tick
    playwright.expect(confirm).to_be_enabled()
    assert foot_of(confirm) <= 900
    dialog.get_by_label("Note").fill("the best so far")
    dialog.get_by_label("Note").press("Control+Enter")
    playwright.expect(confirm).to_be_enabled()
    confirm.click()
    dialog.get_by_text("The manifest was written.").wait_for()

    written = server.runs / "mnist-cnn" / "resume_manifest.json"
    dialog.get_by_text(str(written)).wait_for()
    manifest = parse(written.read_bytes())
    assert manifest.checkpoint.path == "checkpoints/ckpt-10"
    assert manifest.checkpoint.step == 300
    assert manifest.created_by == "tester"
    assert manifest.note == "the best so far"
    assert "not-in-the-file" in manifest.warnings_accepted

    dialog.get_by_role("button", name="Close").first.click()
    dialog.wait_for(state="detached")
    page.get_by_role("link", name="Resume", exact=True).click()
    page.wait_for_url("**/resume")
    page.get_by_text("Code for the job", exact=True).click()
    page.get_by_text(str(written)).wait_for()
    page.get_by_role("button", name="Withdraw").click()
    page.locator(".st-key-answer").get_by_role("button", name="Undo").wait_for()
    page.locator("[data-testid=stToast]", has_text="Withdrawn: jobs leave it alone.").wait_for()
    withdrawn = server.runs / "mnist-cnn" / ".waypoint" / "withdrawn" / f"{manifest.id}.json"
    assert json.loads(withdrawn.read_text())["actor"] == "tester"
    page.locator(".st-key-answer").get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Withdraw").wait_for()
    assert not withdrawn.exists()


def test_a_claim_is_seen_without_a_reload(page: "Page", server: Server) -> None:
    page.goto(f"/checkpoint?root={short_id(str(server.runs))}&run=claimed&path=claimed/ckpt-2")
    page.get_by_role("button", name="Resume…").click()
    page.get_by_role("dialog").get_by_text("Goes on from the latest; nothing is moved.").wait_for()
    accept_all(page)
    page.get_by_role("button", name="Write the manifest").click()
    page.get_by_role("link", name="All manifests").click()
    page.wait_for_url("**/resume")
    playwright.expect(page.get_by_role("heading", name="Claimed")).to_have_count(0)
    race = [sys.executable, "-m", "tests.support.client_race"]
    command = [*race, "decide", str(server.runs / "claimed"), "-", str(server.runs)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAYPOINT_", "SLURM_", "TF_"))}
    job = subprocess.Popen(command, stdin=subprocess.PIPE, env=clean | {"WAYPOINT_JOB": "night"}, cwd=ROOT)
    page.get_by_role("heading", name="Claimed").wait_for()
    page.get_by_text("waypoint-night").wait_for()
    page.get_by_text(f"process {job.pid}").wait_for()
    page.get_by_text("The job lives: heartbeat ").wait_for()
    job.communicate(b"")
    page.get_by_text("No heartbeat: the job has ended").wait_for()


def test_a_fork_is_made_under_a_name_that_is_free(page: "Page", server: Server) -> None:
    page.goto(f"/checkpoint?root={short_id(str(server.runs))}&run=live&path=live/ckpt-1")
    page.get_by_role("button", name="Resume…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Continue is not possible.").wait_for()
    playwright.expect(dialog.get_by_role("radio", name="Fork")).to_be_checked()
    name = dialog.get_by_role("textbox", name="Name of the new run")
    playwright.expect(name).to_have_value("live-from-1")
    name.fill("flipped")
    name.press("Enter")
    accept_all(page)
    dialog.get_by_text("flipped is there already: choose another name.").wait_for()
    playwright.expect(dialog.get_by_role("button", name="Make the fork")).to_be_disabled()
    name.fill("branch")
    name.press("Enter")
    page.wait_for_selector(IDLE)
    dialog.get_by_role("button", name="Make the fork").click()
    dialog.get_by_text("The new run was made, with its manifest.").wait_for()
    dialog.get_by_text("The job must save and log into the new run's folder.").wait_for()
    dialog.get_by_text(f"RUN = '{server.runs / 'branch'}'").wait_for()
    manifest = parse((server.runs / "branch" / "resume_manifest.json").read_bytes())
    assert (manifest.mode.value, manifest.run, manifest.checkpoint.path) == ("fork", "branch", "ckpt-1")
    assert not (server.runs / "live" / "resume_manifest.json").exists()
    dialog.get_by_role("link", name="branch").click()
    page.wait_for_url("**/run?**run=branch")
    page.get_by_role("heading", name="branch").wait_for()


def test_a_live_run_is_rewound_only_after_its_name_was_typed(page: "Page", server: Server) -> None:
    written = server.runs / "live" / "resume_manifest.json"
    page.goto(f"/checkpoint?root={short_id(str(server.runs))}&run=live&path=live/ckpt-1")
    page.get_by_role("button", name="Resume…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Rewind", exact=True).click()
    dialog.get_by_text("Set aside: 1 checkpoint").click()
    dialog.get_by_text("newer than ckpt-1").wait_for()
    dialog.get_by_text("Change settings of the optimizer").click()
    typed = dialog.get_by_role("textbox", name="Overrides, one a line")
    typed.fill("learning_rate = 0.25")
    typed.press("Control+Enter")
    accept_all(page)
    playwright.expect(dialog.get_by_role("button", name="Write the manifest")).to_be_disabled()
    dialog.get_by_label("Type the run's name to go on: live").fill("live")
    page.keyboard.press("Enter")
    page.wait_for_selector(IDLE)
    dialog.get_by_role("button", name="Write the manifest").click()
    dialog.get_by_text("The manifest was written.").wait_for()
    manifest = parse(written.read_bytes())
    assert (manifest.mode.value, manifest.overrides) == ("rewind", {"learning_rate": 0.25})


def tensorflow_latest(folder: Path) -> str | None:
    """What TensorFlow itself answers."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    found: str | None = tensorflow.train.latest_checkpoint(str(folder))
    return found


def test_a_dangling_latest_is_mended_after_its_diff_and_undone(page: "Page", server: Server) -> None:
    written = server.runs / "dangling" / "checkpoint"
    before = written.read_bytes()
    page.goto("/")
    page.get_by_role("link", name="Health", exact=True).click()
    page.wait_for_url("**/health")
    page.get_by_role("textbox", name="Search").fill("dangling/")
    page.keyboard.press("Enter")
    page.wait_for_url("**/health?q=dangling%2F")
    page.wait_for_selector(IDLE)
    reason = page.get_by_text("The state file's latest, ckpt-3, has no index.")
    playwright.expect(reason).to_have_count(1)
    page.get_by_role("button", name="Mend…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text('-model_checkpoint_path: "ckpt-3"').wait_for()
    dialog.get_by_text('+model_checkpoint_path: "ckpt-2"').wait_for()
    dialog.get_by_text("with max_to_keep=5 deletes nothing.").wait_for()
    assert written.read_bytes() == before
    assert tensorflow_latest(written.parent) is None
    dialog.get_by_role("button", name="Write it").click()
    page.locator(".st-key-answer").get_by_text("Mended: dangling/checkpoint.").wait_for()
    assert tensorflow_latest(written.parent) == str(written.parent / "ckpt-2")
    reason.wait_for(state="detached")
    page.locator(".st-key-answer").get_by_role("button", name="Undo").click()
    page.locator(".st-key-answer").get_by_text("Undone: the state file of dangling is what it was before.").wait_for()
    reason.wait_for()
    assert written.read_bytes() == before


def test_a_live_run_is_mended_only_after_its_name_was_typed(page: "Page", server: Server) -> None:
    written = server.runs / "live" / "checkpoint"
    before = written.read_bytes()
    page.goto("/health?in_run=live")
    page.get_by_role("button", name="Mend…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("This run is live.").wait_for()
    dialog.get_by_role("button", name="Write it").click()
    dialog.get_by_text("Nothing was written. live is live.").wait_for()
    assert written.read_bytes() == before
    dialog.get_by_label("Type the run's name to go on: live").fill("live")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Write it").click()
    page.locator(".st-key-answer").get_by_text("Mended: live/checkpoint.").wait_for()
    assert tensorflow_latest(written.parent) == str(written.parent / "ckpt-2")


def test_a_finding_is_accepted_with_a_note_and_comes_back_after_undo(page: "Page", server: Server) -> None:
    reason = page.get_by_text("ckpt-6.data-00001-of-00003").first
    page.goto("/health?in_run=two-tower&rule=missing-shard")
    reason.wait_for()
    page.get_by_role("button", name="Accept…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Accept").click()
    dialog.get_by_text("Write a note first").wait_for()
    dialog.get_by_label("Note").fill("lost with <b>node 7</b>, kept for its graph")
    dialog.get_by_role("button", name="Accept").click()
    page.locator(".st-key-answer").get_by_text("Accepted: missing-shard of two-tower/checkpoints/ckpt-6.").wait_for()
    page.get_by_text("No finding fits these filters.").wait_for()
    kept = json.loads((server.runs / "two-tower" / ".waypoint" / "accepted.json").read_text())
    assert [(item["rule"], item["by"]) for item in kept["accepted"]] == [("missing-shard", "tester")]
    page.get_by_text("1 accepted").wait_for()
    page.get_by_text("Show", exact=True).click()
    note = page.get_by_text("kept for its graph")
    note.wait_for()
    assert note.inner_text().replace("\u2060", "") == "Accepted: lost with <b>node 7</b>, kept for its graph"
    page.wait_for_url("**/health?accepted=true&**")
    page.get_by_text("Show", exact=True).click()
    page.get_by_text("No finding fits these filters.").wait_for()
    page.get_by_role("button", name="Undo").last.click()
    reason.wait_for()
    page.locator(".st-key-answer").get_by_text("is a finding again.").wait_for()


def test_an_answer_stands_where_the_click_was_although_the_row_is_gone(page: "Page") -> None:
    page.goto("/health")
    page.get_by_role("button", name="Accept…").nth(1).wait_for()
    page.wait_for_selector(IDLE)
    second = page.get_by_role("button", name="Accept…").nth(1)
    second.scroll_into_view_if_needed()
    at = second.bounding_box()
    second.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("known")
    dialog.get_by_role("button", name="Accept").click()
    answer = page.locator(".st-key-answer")
    answer.get_by_text("Accepted: ").wait_for()
    page.locator("[data-testid=stToast]", has_text="Accepted: ").wait_for()
    dialog.wait_for(state="detached")
    stands = answer.bounding_box()
    assert at is not None
    assert stands is not None
    assert abs(stands["y"] - at["y"]) < 200
    answer.get_by_role("button", name="Undo").click()
    answer.get_by_text("No longer accepted: ").wait_for()
    assert abs((answer.bounding_box() or at)["y"] - at["y"]) < 200


def test_verifying_a_checkpoint_names_the_tensor_with_a_flipped_byte(page: "Page", server: Server) -> None:
    page.goto(f"/checkpoint?root={short_id(str(server.runs))}&run=flipped&path=flipped/ckpt-1")
    page.get_by_text("Not verified yet.").wait_for()
    page.get_by_role("button", name="Verify every byte (").click()
    page.get_by_text("Damaged, found ").wait_for(timeout=60_000)
    page.get_by_text("The checksum of bytes 0 to 24 of ckpt-1.data-00000-of-00001 does not hold.").wait_for()
    page.get_by_role("strong").get_by_text("model/kernel", exact=True).wait_for()
    page.get_by_text("not restorable").wait_for()


def test_a_cold_deep_link_meets_the_router(tmp_path: Path, browser: "Browser") -> None:
    runs = copy_samples(tmp_path / "runs")
    with serve(runs, tmp_path / "home") as cold:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        tab = context.new_page()
        tab.goto(f"{cold.url}/run?root={short_id(str(runs))}&run=two-tower")
        tab.get_by_text("Resume from checkpoints/ckpt-5").wait_for()
        assert tab.get_by_role("link", name="Overview").count() == 1
        assert tab.title() == "two-tower · Waypoint"
        context.close()


def test_a_click_on_a_head_sorts_and_the_url_says_so(page: "Page") -> None:
    page.goto("/runs")
    page.wait_for_selector(IDLE)
    click(page, NAME, 15)
    page.wait_for_url("**/runs?sort=path")
    page.wait_for_selector(IDLE)
    click_row(page, 0)
    page.wait_for_url("**/run?**")
    page.get_by_role("heading", name="<img src=x").wait_for()


def test_a_hostile_name_is_text_on_its_run_and_checkpoint_pages(page: "Page") -> None:
    page.goto("/runs?q=onerror")
    page.get_by_text("1 run,").wait_for()
    page.wait_for_selector(IDLE)
    click_row(page, 0)
    page.wait_for_url("**/run?**")
    page.get_by_role("heading", name="<img src=x onerror").wait_for()
    assert "**b**" in page.get_by_role("heading", level=1).inner_text()
    assert page.locator("[data-testid=stMain] img").count() == 0
    page.get_by_role("link", name="Open").click()
    page.wait_for_url("**/checkpoint?**")
    page.get_by_role("tab", name="Restore code").click()
    page.get_by_text("keras.saving.load_model(").wait_for()
    assert page.locator("[data-testid=stMain] a[href*='e)']").count() == 0


def test_a_hostile_name_is_text_where_it_is_the_reason(page: "Page", server: Server) -> None:
    run = f"{HOSTILE}/home: [x](http:/e)"
    bundle = next((server.runs / run).glob("*.index")).stem
    page.goto("/checkpoint?" + urlencode({"root": short_id(str(server.runs)), "run": run, "path": f"{run}/{bundle}"}))
    page.get_by_text("for a pattern").first.wait_for()
    page.wait_for_selector(IDLE)
    assert "[x](http:" in page.locator("[data-testid=stMain]").inner_text()
    assert page.locator("[data-testid=stMain] img").count() == 0
    assert page.locator("[data-testid=stMain] a[href*='http:/e']:not([href*='?'])").count() == 0


def test_an_unknown_run_says_so_and_leads_back(page: "Page") -> None:
    page.goto("/run?root=%3Cb%3E&run=..%2F..%2Fetc")
    page.get_by_text("No root").wait_for()
    page.get_by_role("link", name="All runs").click()
    page.wait_for_url("**/runs")


def test_a_new_run_appears_without_a_reload(page: "Page", server: Server) -> None:
    page.goto("/runs?q=arrived")
    page.get_by_text("No run fits these filters").wait_for()
    shutil.copytree(server.runs / "mnist-cnn" / "checkpoints", server.runs / "arrived")
    page.get_by_role("button", name="Look now").click()
    page.get_by_text("1 run, ").wait_for()


def click_row(page: "Page", number: int) -> None:
    """Click the name in a row of the first table."""
    click(page, NAME, HEAD + ROW * number + ROW // 2)


def click(page: "Page", right: int, down: int) -> None:
    """Click a point of the first table."""
    grid = page.locator("[data-testid=stDataFrame]").first
    grid.locator("canvas").first.wait_for()
    page.wait_for_selector(IDLE)
    grid.click(position={"x": right, "y": down})

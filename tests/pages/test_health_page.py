"""The Health page, and what is verified, accepted and mended from the pages, without a browser."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.background.verifier import State
from core.catalog.answers import PlacedFinding
from core.catalog.filters import FindingFilter
from core.health.rules import RULES
from core.indexing.passes import root_id
from core.mend.propose import MendProposal
from core.services import health, mending, verifying
from pages.parts.frame import service
from pages.parts.health import health_rules
from pages.parts.tables import tables
from tests.support.pages import open_on, plain, show, texts, values
from tests.support.trees import flip, index_of, save, shard_of, state
from waypoint_resume.names import short_id

HOSTILE = "<img src=x onerror=alert(1)> **b** :material"
pytestmark = pytest.mark.usefixtures("no_unexpected_error")
PATIENCE = 60.0  # seconds for a verification of 1 KiB on a busy machine


def dangling(run: Path) -> Path:
    """A run whose state file names a latest that is gone; returns the state file."""
    for step in (1, 2):
        save(run / "ckpts", step)
    return state(run / "ckpts", "ckpt-3", "ckpt-1", "ckpt-2", "ckpt-3")


def orphans(run: Path, count: int) -> None:
    """A run with so many data shards that have lost their index."""
    for step in range(1, count + 1):
        index_of(save(run / "ckpts", step)).unlink()
    save(run / "ckpts", 999)
    state(run / "ckpts", "ckpt-999")


def empty(prefix: Path) -> None:
    """Take all bytes of a bundle's shard, long ago."""
    stat = shard_of(prefix).stat()
    shard_of(prefix).write_bytes(b"")
    os.utime(shard_of(prefix), ns=(stat.st_atime_ns, stat.st_mtime_ns))


def groups(app: AppTest) -> list[str]:
    """The rules on the page: how many findings each has, and its meaning."""
    labels = [plain(box.label) for box in app.expander]
    return [label.partition("[")[2].partition(": ")[2].replace("] ", ": ") for label in labels if "badge[" in label]


def group(rule: str, count: str) -> str:
    """A rule as `groups` gives it."""
    return f"{count}: {RULES[rule].meaning}"


def links(app: AppTest) -> list[str]:
    """What the links of the page are called."""
    return [plain(link.proto.label) for link in app.get("page_link")]


def the_finding(rule: str, *, accepted: bool | None = False) -> PlacedFinding:
    """The only finding of a rule."""
    (found,) = service.workspace().reader.findings(FindingFilter(rule=rule, accepted=accepted))
    return found


def accept(rule: str, note: str) -> None:
    """Accept the only finding of a rule, and judge anew."""
    health.accept(service.workspace(), [the_finding(rule)], note)
    service.current().look_now()


def numbers(app: AppTest) -> dict[str, str]:
    """The cards."""
    return {item.label: item.value for item in app.metric}


def verified(app: AppTest) -> AppTest:
    """The page once every verification that was asked for is done."""
    until = time.monotonic() + PATIENCE
    wait = threading.Event()
    while any(job.state is not State.DONE for job in service.current().verifier.jobs()):
        assert time.monotonic() < until
        wait.wait(0.05)
    return app.run()


def test_findings_are_grouped_by_rule_the_worst_first_and_each_rule_is_explained(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dangling(runs / "a")
    orphans(runs / "b", 2)
    app = show(open_on(monkeypatch, runs), "health.py")
    assert groups(app)[:2] == [group("dangling-latest", "1 error"), group("orphan-shard", "2 warnings")]
    assert all(": " in title and "info" in title for title in groups(app)[2:])
    assert numbers(app)["Errors"] == "1"
    assert numbers(app)["Warnings"] == "2"
    said = plain(texts(app))
    rule = RULES["dangling-latest"]
    assert f"**Why it happens:** {rule.why}" in said
    assert f"**What to do:** {rule.action}" in said
    assert links(app).count("a/ckpts/checkpoint") == 1
    assert "The state file's latest, ckpt-3, has no index." in values(app, "text")
    assert "All clear" not in said


def test_a_finding_leads_to_its_checkpoint_and_without_one_to_its_run(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(save(runs / "a", 1))
    dangling(runs / "b")
    app = show(open_on(monkeypatch, runs), "health.py", severity="error")
    pages = {plain(link.proto.label): (link.proto.page, link.proto.query_string) for link in app.get("page_link")}
    page, query = pages["a/ckpt-1"]
    assert page.endswith("checkpoint")
    assert "path=a%2Fckpt-1" in query
    page, query = pages["b/ckpts/checkpoint"]
    assert page.endswith("run")
    assert "run=b" in query


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "B/CKPTS"}, [group("orphan-shard", "2 warnings")]),
        ({"in_run": "a"}, [group("dangling-latest", "1 error")]),
        ({"severity": "warning"}, [group("orphan-shard", "2 warnings")]),
        ({"rule": "orphan-shard"}, [group("orphan-shard", "2 warnings")]),
    ],
    ids=["text", "run", "severity", "rule"],
)
def test_findings_are_filtered_by_the_url(
    runs: Path, monkeypatch: pytest.MonkeyPatch, query: dict[str, str], found: list[str]
) -> None:
    dangling(runs / "a")
    orphans(runs / "b", 2)
    app = show(open_on(monkeypatch, runs), "health.py", **query)
    assert [title for title in groups(app) if "info" not in title.partition(":")[0]] == found


@pytest.mark.parametrize("value", ["nonsense", "", "'; drop table findings", "\x00", "../..", HOSTILE, "\\xff\\x00"])
def test_unknown_values_in_the_url_are_harmless(runs: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    dangling(runs / "a")
    app = open_on(monkeypatch, runs)
    app.query_params["page"] = value
    show(app, "health.py", in_run=value, severity=value, rule=value, accepted=value)
    assert groups(app)[0] == group("dangling-latest", "1 error")


def test_with_several_roots_a_run_is_chosen_together_with_its_root(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dangling(runs / "one" / "same")
    orphans(runs / "two" / "same", 2)
    app = open_on(monkeypatch, runs / "one", runs / "two")
    show(app, "health.py", in_run=f"same in {runs / 'two'}", severity="warning")
    assert groups(app) == [group("orphan-shard", "2 warnings")]
    assert app.selectbox(key="in_run").value == f"same in {runs / 'two'}"


def test_all_clear_says_what_was_looked_at(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        save(runs / "a", step, at_ns=time.time_ns() - (3 - step) * 10**9)
    state(runs / "a", "ckpt-2", "ckpt-1", "ckpt-2", at_ns=time.time_ns())
    app = show(open_on(monkeypatch, runs), "health.py")
    assert len(app.success) == 1
    assert plain(app.success[0].value).startswith(
        "All clear: no errors and no warnings. Looked at 1 run with 2 checkpoints, "
    )
    assert groups(app) == []
    assert numbers(app) == {"Errors": "0", "Warnings": "0", "Infos": "0"}


def test_infos_are_folded_and_leave_all_clear(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(runs / "a", 1)
    state(runs / "a", "ckpt-1")
    app = show(open_on(monkeypatch, runs), "health.py")
    assert groups(app) == [group("stale-run", "1 info")]
    assert app.success[0].value.endswith("The infos below need nothing done.")
    assert RULES["stale-run"].why not in plain(texts(app))
    app.selectbox(key="rule").select("stale-run").run()
    assert RULES["stale-run"].why in plain(texts(app))


def test_without_runs_the_page_says_what_to_do_and_never_all_clear(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, runs, runs / "missing"), "health.py")
    assert "No runs were found yet, so there is nothing to judge." in texts(app)
    assert "All clear" not in texts(app)
    assert "A root could not be looked at." in app.error[0].value


def test_filters_that_hide_everything_say_so_and_can_be_cleared(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dangling(runs / "a")
    app = show(open_on(monkeypatch, runs), "health.py", q="nowhere", severity="warning", rule="lfs-pointer")
    assert groups(app) == []
    assert "No finding fits these filters." in texts(app)
    next(button for button in app.button if button.label == "Clear the filters").click().run()
    assert groups(app)[0] == group("dangling-latest", "1 error")
    assert app.text_input(key="q").value == ""
    assert app.pills(key="severity").value == []


def test_a_rule_with_many_findings_shows_some_and_then_pages(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tables.PAGE_ROWS + 5
    for number in range(count):
        orphans(runs / f"a{number}", 1 + number % 2)  # of two in one folder a row is one too
    app = show(open_on(monkeypatch, runs), "health.py", severity="warning")
    shown = [link for link in links(app) if "/ckpts" in link]
    assert len(shown) == health_rules.SHOWN
    app.button(key="all-orphan-shard").click().run()
    assert app.selectbox(key="rule").value == "orphan-shard"
    assert sum("/ckpts" in link for link in links(app)) == tables.PAGE_ROWS
    app.session_state["page"] = 2
    app.run()
    rest = [link for link in links(app) if "/ckpts" in link]
    assert len(rest) == 5
    assert not set(rest) & set(shown)


@pytest.mark.parametrize("page", ["health.py", "run.py"])
def test_findings_that_repeat_in_a_folder_are_one_row_and_each_is_within(
    runs: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    orphans(runs / "a", 13)
    app = open_on(monkeypatch, runs)
    query = {"root": root_id(str(runs)), "run": "a"} if page == "run.py" else {"severity": "warning"}
    show(app, page, **query)
    said = plain(texts(app))
    assert ("13 × orphan shard: ckpt-1 … ckpt-13" if page == "health.py" else "13 × ckpts/ckpt-1 … ckpt-13") in said
    assert "ckpt-7.data-00000-of-00001 without an index" not in said
    assert "Each of the 13" in [box.label for box in app.expander]
    place = ("a", "a/ckpts") if page == "health.py" else ("a/ckpts/ckpt-1",)
    app.session_state[f"each-{short_id(root_id(str(runs)), *place, 'orphan-shard')}"] = True
    app.run()
    found = [text for text in values(app, "text") if "-of-00001 without an index" in text]
    assert len(found) == 13
    assert found[6].startswith("ckpt-7.data")
    assert sum(button.label == "Accept…" for button in app.button) >= 13


@pytest.mark.parametrize("page", ["health.py", "run.py"])
def test_findings_that_repeat_are_accepted_with_one_note_and_taken_back(
    runs: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    orphans(runs / "a", 13)
    orphans(runs / "b", 2)
    app = open_on(monkeypatch, runs)
    show(app, page, **({"root": root_id(str(runs)), "run": "a"} if page == "run.py" else {"severity": "warning"}))
    first = next(button for button in app.button if button.label == "Accept all…")
    first.click().run()
    app.text_area[-1].set_value("kept for the shards").run()  # the dialog's is drawn last
    app.button(key="accept_confirm").click().run()
    assert "Accepted: orphan-shard of 13 things, a/ckpts/ckpt-1 … a/ckpts/ckpt-13." in plain(texts(app))
    kept = json.loads((runs / "a/.waypoint/accepted.json").read_text())["accepted"]
    assert {(one["rule"], one["path"], one["note"]) for one in kept} == {
        ("orphan-shard", f"ckpts/ckpt-{number}", "kept for the shards") for number in range(1, 14)
    }
    counts = service.workspace().reader.finding_counts
    assert counts(FindingFilter(rule="orphan-shard")) == {"orphan-shard": 2}
    app.button(key="answer_undo").click().run()
    assert "No longer accepted: orphan-shard of 13 things" in plain(texts(app))
    assert counts(FindingFilter(rule="orphan-shard")) == {"orphan-shard": 15}


def test_all_that_were_accepted_are_findings_again_in_one_click(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orphans(runs / "a", 3)
    app = open_on(monkeypatch, runs)
    placed = service.workspace().reader.findings(FindingFilter(rule="orphan-shard"), limit=None)
    health.accept(service.workspace(), placed, "so")
    service.current().look_now()
    show(app, "health.py", accepted="true")
    next(button for button in app.button if button.label == "Undo all").click().run()
    assert "No finding was accepted." in texts(app)
    assert json.loads((runs / "a/.waypoint/accepted.json").read_text())["accepted"] == []


def test_the_overview_has_one_row_for_a_run_and_kind(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orphans(runs / "a", 13)
    (runs / "elsewhere").symlink_to(runs.parent)
    app = show(open_on(monkeypatch, runs), "overview.py")
    said = plain(texts(app))
    assert "13 warnings in 1 run, one row for each run and kind." in said
    assert "13 × orphan shard: ckpt-1 … ckpt-13." in said
    assert f"1 link leads out of the root {runs} (add its target as a root): elsewhere → {runs.parent}." in said


def test_an_accepted_finding_is_listed_apart_with_its_note_and_can_be_taken_back(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dangling(runs / "a")
    app = open_on(monkeypatch, runs)
    accept("dangling-latest", HOSTILE)
    show(app, "health.py")
    assert group("dangling-latest", "1 error") not in groups(app)
    assert numbers(app)["Errors"] == "0"
    assert "1 accepted" in values(app, "text")
    app.toggle(key="accepted").set_value(True).run()
    assert groups(app) == [group("dangling-latest", "1 error")]
    assert f"Accepted: {HOSTILE}" in [plain(text) for text in values(app, "caption")]
    assert HOSTILE not in texts(app)
    assert not [button for button in app.button if button.label in ("Accept…", "Mend…")]
    next(button for button in app.button if button.label == "Undo").click().run()
    assert "No finding was accepted." in texts(app)
    assert "dangling-latest of a/ckpts/checkpoint is a finding again." in plain(texts(app))
    assert json.loads((runs / "a" / ".waypoint" / "accepted.json").read_text())["accepted"] == []
    assert the_finding("dangling-latest").finding.accepted is None


def test_what_could_not_be_taken_back_is_said(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dangling(runs / "a")
    app = open_on(monkeypatch, runs)
    accept("dangling-latest", "on purpose")
    show(app, "health.py", accepted="true")
    (runs / "a" / ".waypoint" / "accepted.json").write_text("{")
    next(button for button in app.button if button.label == "Undo").click().run()
    said = plain(texts(app))
    assert "Nothing was changed. " in said
    assert "accepted.json cannot be understood" in said


def test_names_from_the_disk_are_text(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dangling(runs / HOSTILE)
    app = show(open_on(monkeypatch, runs), "health.py", in_run=HOSTILE, severity="error")
    assert any(link.endswith("onerror=alert(1)> **b** :material/ckpts/checkpoint") for link in links(app))
    assert "<img" not in "".join(link.proto.label for link in app.get("page_link"))
    assert "<img" not in "".join(values(app, "markdown") + values(app, "caption"))
    assert groups(app) == [group("dangling-latest", "1 error")]


def test_overview_and_run_lead_to_health(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dangling(runs / "a")
    app = show(open_on(monkeypatch, runs), "overview.py")
    queries = {plain(link.proto.label): link.proto.query_string for link in app.get("page_link")}
    assert queries["See all on Health, by what is wrong"] == "severity=error&severity=warning"
    show(app, "run.py", root=short_id(str(runs)), run="a")
    queries = {plain(link.proto.label): link.proto.query_string for link in app.get("page_link")}
    assert queries["This run on Health"] == "in_run=a"


def test_a_flipped_byte_is_found_by_verifying_and_its_tensor_is_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = save(runs / "a", 1)
    flip(prefix)
    state(runs / "a", "ckpt-1")
    app = open_on(monkeypatch, runs)
    show(app, "checkpoint.py", root=short_id(str(runs)), run="a", path="a/ckpt-1")
    assert "Not verified yet. Its structure is whole" in plain(texts(app))
    verified(app.button(key="verify").click().run())
    assert "Damaged, found " in app.error[-1].value
    assert "**model/kernel**" in [plain(text) for text in values(app, "markdown")]
    show(app, "health.py", severity="error", q="ckpt-1")
    assert group("checksum-mismatch", "1 error") in groups(app)

    show(app, "checkpoint.py", root=short_id(str(runs)), run="a", path="a/ckpt-1")
    flip(prefix)
    os.utime(shard_of(prefix))
    service.current().look_now()
    app.run()
    assert any("Its files changed since: verify it again." in text for text in values(app, "error"))
    verified(app.button(key="verify").click().run())
    assert app.success[-1].value.startswith("Verified ")


def test_all_restorable_checkpoints_of_a_run_are_verified_together(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2, 3):
        save(runs / "a", step)
    empty(runs / "a" / "ckpt-3")
    app = open_on(monkeypatch, runs)
    show(app, "run.py", root=short_id(str(runs)), run="a")
    button = app.button(key="verify_all")
    assert button.label.startswith("Verify all 2 that can be restored (")
    verified(button.click().run())
    assert "Lately: 2 verified." in texts(app)
    jobs = service.current().verifier.jobs()
    assert [job.checkpoint.path for job in jobs] == ["a/ckpt-2", "a/ckpt-1"]
    kept = [verifying.verification(service.workspace(), job.checkpoint) for job in jobs]
    assert [found is not None and found.holds for found in kept] == [True, True]


def test_former_mends_are_listed_and_undone(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = dangling(runs / "a")
    before = written.read_bytes()
    app = open_on(monkeypatch, runs)
    workspace, root = service.workspace(), short_id(str(runs))
    mender = mending.mender_of(workspace, workspace.reader.run(root, "a", workspace.now()))
    (proposal,) = mender.proposals()
    assert isinstance(proposal, MendProposal)
    mend = mender.apply(proposal, actor=HOSTILE, now=workspace.now())
    service.current().look_now()
    show(app, "run.py", root=root, run="a")
    assert "**ckpts/checkpoint**: dangling-latest" in plain(texts(app))
    assert f"by {HOSTILE}" in plain(texts(app))
    assert "<img" not in "".join(values(app, "caption"))
    app.button(key=f"unmend-{mend.record.id}").click().run()
    assert written.read_bytes() == before
    assert "Undone: the state file of a is what it was before." in plain(texts(app))
    assert not [button for button in app.button if button.key == f"unmend-{mend.record.id}"]


def test_latest_checkpoint_can_be_pointed_at_whole_bundles_only(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(save(runs / "a", 1))
    save(runs / "a", 2)
    app = open_on(monkeypatch, runs)
    root = short_id(str(runs))
    show(app, "checkpoint.py", root=root, run="a", path="a/ckpt-1")
    assert app.button(key="point").disabled
    show(app, "checkpoint.py", root=root, run="a", path="a/ckpt-2")
    assert not app.button(key="point").disabled

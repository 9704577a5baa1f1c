"""The Storage page, pins, and what other pages say of disk space, without a browser."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.acts.batches import Batch
from core.catalog.audits import RootSnapshot, store_audit
from core.retention.policies import KeepLatest, Policy
from core.services import pins, quarantine, retention
from pages.parts.checkpoint import pinning
from pages.parts.frame import format as fmt
from pages.parts.frame import service
from pages.parts.frame.text import shorten
from pages.parts.storage import batch_list, quarantining
from tests.support.pages import ROUTER, open_on, plain, show, texts, values
from tests.support.pages_server import SAMPLES
from tests.support.rewound_cases import bundle, rewind
from tests.support.trees import index_of, save, shard_of, state, write
from waypoint_resume.names import short_id

HOSTILE = "<img src=x onerror=alert(1)> **b** :material"
pytestmark = pytest.mark.usefixtures("no_unexpected_error")
LONG_AGO = 1_700_000_000
KEEP_TWO = Policy(rules=(KeepLatest(2),))


@pytest.fixture
def five(runs: Path) -> Path:
    """A run of five checkpoints and a shard without its index; its state file names all five."""
    for step in range(1, 6):
        save(runs / "five", step)
    state(runs / "five", "ckpt-5", *(f"ckpt-{step}" for step in range(1, 6)))
    index_of(save(runs / "five", 9)).unlink()
    return runs / "five"


def numbers(app: AppTest) -> dict[str, str]:
    """The cards."""
    return {item.label: item.value for item in app.metric}


def press(app: AppTest, label: str) -> AppTest:
    """Press the only button of this label."""
    (button,) = [one for one in app.button if one.label == label]
    return button.click().run()


def tried(app: AppTest, **rules: object) -> AppTest:
    """The plan of a policy that is tried."""
    app.session_state["policy"] = "to try"
    app.run()
    for key, value in rules.items():
        kinds = {"metric": app.text_input, "mode": app.selectbox}
        kinds.get(key, app.number_input)(key=key).set_value(value)
    return press(app, "Show what would go")


def rows(app: AppTest, head: str) -> list[dict[str, object]]:
    """The rows of the table that has this column."""
    (found,) = [table.value for table in app.dataframe if head in table.value.columns]
    return [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]


def moved(path: str, policy: Policy = KEEP_TWO, note: str = "") -> Batch:
    """Move what a policy lets go of a run, as the page does."""
    workspace = service.workspace()
    run = workspace.find_run(path)
    (planned,) = retention.plan(workspace, [run], policy).runs
    quarantine.execute(workspace, run, planned, policy=policy, note=note)
    service.current().look_now()
    return quarantine.run_batches(workspace, run).batches[0]


def test_the_cards_tell_what_du_and_the_plan_tell(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, runs), "storage.py")
    survey = service.current().survey
    assert survey.audited is not None
    left = shard_of(five / "ckpt-9").stat().st_blocks * 512
    assert numbers(app) == {
        "On disk": f"{survey.audited.usage.allocated_bytes / 1024:.1f} KiB",
        "Could go": f"{left / 1024:.1f} KiB",
        "In quarantine": "0 B",
        "Growth": "–",
    }
    assert "No `[[retention]]` is set" in texts(app)
    assert "Nothing lies in quarantine." in texts(app)


def test_before_the_first_audit_the_page_says_so(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_ROOTS", str(runs))
    service.workspace().refresh()
    app = show(AppTest.from_file(ROUTER, default_timeout=30), "storage.py")
    assert "the numbers come by themselves" in texts(app)
    assert numbers(app) == {"On disk": "–", "Could go": "–", "In quarantine": "0 B", "Growth": "–"}


def test_an_empty_root_says_what_to_do(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, runs), "storage.py")
    assert "No runs were found yet" in texts(app)
    assert not app.metric


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("kind", {"weights", "optimizer", "rest of checkpoints", "leftovers", "event files", "other files", "folders"}),
        ("format", {"TensorFlow", "no checkpoint"}),
        ("contents", {"weights and optimizer", "no checkpoint"}),
        ("root", {"ROOT"}),
        ("run", {"five"}),
    ],
)
def test_each_table_has_its_lines(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, by: str, expected: set[str]
) -> None:
    write(five, {"events.out.tfevents.1": b"1" * 10})
    app = show(open_on(monkeypatch, runs), "storage.py", by=by)
    found = {str(row[by]) for row in rows(app, "file size")}
    assert found == {name.replace("ROOT", shorten(str(runs))) for name in expected}
    assert [item.key for item in app.get("download_button")] == [f"waypoint-{by}.csv"]


def test_a_table_is_sorted_by_the_url(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, steps in (("b", 3), ("a", 1), ("c", 2)):
        for step in range(steps):
            save(runs / name, step)
    app = open_on(monkeypatch, runs)
    assert [row["run"] for row in rows(show(app, "storage.py", by="run"), "file size")] == ["b", "c", "a"]
    assert [row["run"] for row in rows(show(app, "storage.py", by="run", sort="name"), "file size")] == ["a", "b", "c"]
    assert [row["run"] for row in rows(show(app, "storage.py", by="run", sort="files"), "file size")] == ["a", "c", "b"]


def test_growth_is_told_by_run(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    workspace, now = service.workspace(), service.workspace().now()
    row = RootSnapshot(short_id(str(runs)), now - timedelta(days=9), (("five", 1, 1), ("gone", 2048, 4096)))
    store_audit(workspace.engine, "elsewhere", now, {}, [row])
    service.current().look_now()
    show(app, "storage.py", by="growth by run")
    found = {row["run"]: row["on disk"] for row in rows(app, "since")}
    assert found["gone"] == "-4.0 KiB"
    assert str(found["five"]).startswith("+")
    assert numbers(app)["Growth"].startswith("+")


def test_a_tried_policy_shows_what_goes_and_why_the_rest_stays_and_moves_nothing(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(five.rglob("*"))
    app = tried(show(open_on(monkeypatch, runs), "storage.py"), latest=2)
    assert "3 checkpoints and 1 leftover of 1 run would go" in plain(texts(app))
    assert {row["path"] for row in rows(app, "why")} == {"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-9"}
    app.session_state["plan_part"] = 1
    app.run()
    assert {row["path"]: row["why"] for row in rows(app, "why")} == {
        "ckpt-4": "one of the latest 2",
        "ckpt-5": "latest restorable; one of the latest 2",
    }
    assert sorted(five.rglob("*")) == before


def test_a_plan_is_filtered_by_text(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tried(show(open_on(monkeypatch, runs), "storage.py"), latest=2)
    app.text_input(key="plan_filter").set_value("CKPT-3").run()
    assert [row["path"] for row in rows(app, "why")] == ["ckpt-3"]
    app.text_input(key="plan_filter").set_value("without an index").run()
    assert [row["path"] for row in rows(app, "why")] == ["ckpt-9"]
    app.text_input(key="plan_filter").set_value("nowhere").run()
    assert "Nothing fits this filter." in texts(app)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [({}, "names no rule"), ({"best": 2}, "is missing: best, metric, mode belong together")],
)
def test_a_policy_that_means_nothing_is_refused_with_the_reason(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, rules: dict[str, object], problem: str
) -> None:
    app = tried(show(open_on(monkeypatch, runs), "storage.py"), **rules)
    assert problem in plain(" ".join(values(app, "error")))
    assert not [button for button in app.button if button.key == "quarantine"]


def test_a_policy_is_tried_on_the_chosen_runs_only(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(1, 5):
        save(runs / "other", step)
    app = tried(show(open_on(monkeypatch, runs), "storage.py"), latest=1)
    app.multiselect(key="plan_runs").set_value(["other"])
    press(app, "Show what would go")
    assert {row["run"] for row in rows(app, "why")} == {"other"}
    app.multiselect(key="plan_runs").set_value([])
    app.text_input(key="plan_text").set_value("fiv")
    press(app, "Show what would go")
    assert {row["run"] for row in rows(app, "why")} == {"five"}


def test_a_link_from_a_run_leads_to_its_plan_by_the_settings(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_of(save(runs / "other", 1)).unlink()
    app = open_on(monkeypatch, runs)
    show(app, "run.py", root=short_id(str(runs)), run="five")
    assert any(plain(link.proto.label).startswith("What could go: ") for link in app.get("page_link"))
    show(app, "storage.py", root=short_id(str(runs)), run="five")
    assert [row["path"] for row in rows(app, "why")] == ["ckpt-9"]
    assert app.multiselect(key="plan_runs").value == ["five"]


def test_moving_a_plan_tells_what_was_left_out(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tried(show(open_on(monkeypatch, runs), "storage.py"), latest=2)
    plan = app.session_state["storage_plan"].plan
    write(five, {"ckpt-1.index": b"other"})
    outcome = quarantining.moved(plan.runs, KEEP_TWO, "a note")
    assert outcome.items == 3
    assert [one.path for one in outcome.left] == ["ckpt-1"]
    assert "ckpt-1.index" in outcome.left[0].why or "other files" in outcome.left[0].why
    assert sorted(path.name for path in five.glob("*.index")) == ["ckpt-1.index", "ckpt-4.index", "ckpt-5.index"]


def test_a_batch_is_listed_with_who_when_and_why_and_undone(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    before = {path: path.read_bytes() for path in five.glob("ckpt*")}
    state_before = (five / "checkpoint").read_bytes()
    batch = moved("five", note=HOSTILE)
    show(app, "storage.py")
    assert f"Quarantine {batch.short}, " in plain(texts(app))
    assert "by tester: 4 items" in plain(texts(app))
    assert HOSTILE in values(app, "text")
    assert numbers(app)["In quarantine"] != "0 B"
    app.button(key=f"undo-{batch.id}").click().run()
    assert "Undone: 7 files brought back." in plain(texts(app))
    assert {path: path.read_bytes() for path in five.glob("ckpt*")} == before
    assert (five / "checkpoint").read_bytes() == state_before
    assert [box.label for box in app.expander] == ["1 former batch"]


def test_undo_that_would_write_over_something_offers_other_names(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    batch = moved("five")
    new = index_of(five / "ckpt-2")
    new.write_bytes(b"new")
    show(app, "storage.py").button(key=f"undo-{batch.id}").click().run()
    assert "Nothing was changed." in plain(texts(app))
    assert f"could go into restored-{batch.short}/" in plain(texts(app))
    assert new.read_bytes() == b"new"
    batch_list.undo((short_id(str(runs)), "five", batch.id), rename=True)
    assert new.read_bytes() == b"new"
    assert index_of(five / f"restored-{batch.short}" / "ckpt-2").exists()
    assert index_of(five / "ckpt-1").exists()


def test_a_rewind_comes_back_or_comes_as_a_new_run(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    before = {path: path.read_bytes() for path in five.glob("ckpt*")}
    batch = rewind(five, {"ckpt-4": bundle("ckpt-4"), "ckpt-5": bundle("ckpt-5")})
    service.current().look_now()
    show(app, "storage.py")
    assert f"Rewind {batch[-8:]}, " in plain(texts(app))
    assert "by ada: 2 items" in plain(texts(app))
    assert numbers(app)["In quarantine"] != "0 B"
    app.button(key=f"undo-{batch}").click().run()
    assert "Undone: 4 files brought back." in plain(texts(app))
    assert {path: path.read_bytes() for path in five.glob("ckpt*")} == before
    second = rewind(five, {"ckpt-5": bundle("ckpt-5")})
    save(five, 5)
    service.current().look_now()
    show(app, "storage.py").button(key=f"undo-{second}").click().run()
    new = f"five-rewound-{second[-8:]}"
    assert f"2 files can come back as the new run {new}; what was set aside stays" in plain(texts(app))
    press(app, "Bring them back as a new run")
    assert f"2 files came back as the new run {new}; what was set aside stays" in plain(texts(app))
    assert {run.path for run in service.workspace().runs()} == {"five", new}
    assert not app.button(key=f"purge-{second}").disabled


def test_what_a_job_sets_aside_is_there_without_another_audit(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = show(open_on(monkeypatch, runs), "storage.py")
    number = service.current().survey.number
    size = sum(path.stat().st_size for path in five.glob("ckpt-5.*"))
    batch = rewind(five, {"ckpt-5": bundle("ckpt-5")})
    app.run()
    assert f"Rewind {batch[-8:]}, " in plain(texts(app))
    assert numbers(app)["In quarantine"] == fmt.size(size)
    batch_list.undo((short_id(str(runs)), "five", batch))
    app.run()
    assert "Nothing lies in quarantine." in texts(app)
    assert numbers(app)["In quarantine"] == "0 B"
    assert service.current().survey.audited is not None
    assert service.current().survey.number == number + 1  # what the undo read again


def test_a_link_from_a_manifest_leads_to_its_batch(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    older = rewind(five, {"ckpt-5": bundle("ckpt-5")})
    newer = rewind(five, {"ckpt-4": bundle("ckpt-4")})
    show(app, "storage.py", root=short_id(str(runs)), run="five")
    assert [item.value for item in app.subheader] == ["What could go", "Where it went", "Quarantine"]
    assert [button.key for button in app.button if button.label == "Undo"] == [f"undo-{newer}", f"undo-{older}"]
    show(app, "storage.py", root=short_id(str(runs)), run="five", batch=older)
    assert [item.value for item in app.subheader] == ["Quarantine", "Where it went", "What could go"]
    assert [button.key for button in app.button if button.label == "Undo"] == [f"undo-{older}", f"undo-{newer}"]


def test_a_half_done_rewind_can_be_undone_and_not_purged(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in five.glob("ckpt*")}
    batch = rewind(five, {"ckpt-5": bundle("ckpt-5")}, stop_after=1)
    app = show(open_on(monkeypatch, runs), "storage.py")
    assert "the job completes it at its next start, or Undo takes it back" in plain(texts(app))
    assert app.button(key=f"purge-{batch}").disabled
    app.button(key=f"undo-{batch}").click().run()
    assert "Undone: 2 files brought back." in plain(texts(app))
    assert {path: path.read_bytes() for path in five.glob("ckpt*")} == before


def test_a_run_that_went_as_a_whole_is_undone_from_the_page(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index_of(save(runs / "lost", 1)).unlink()
    save(runs / "lost", 2)
    app = open_on(monkeypatch, runs)
    batch = moved("lost", Policy())
    for path in (runs / "lost").glob("ckpt-2.*"):
        path.unlink()
    service.workspace().refresh()
    assert service.workspace().runs() == ()
    show(app, "storage.py").button(key=f"undo-{batch.id}").click().run()
    assert shard_of(runs / "lost" / "ckpt-1").exists()


def test_hostile_names_stay_text(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs / HOSTILE / "home: [x](http:" / "e)"
    save(run, 1)  # which no plan takes: brackets make a pattern of its path
    for file in (SAMPLES / "churn-mlp" / "checkpoints").glob("*.keras"):
        os.utime(shutil.copy(file, run), (LONG_AGO, LONG_AGO))  # a fresh clone's files are those of a live run
    app = open_on(monkeypatch, runs)
    assert moved(f"{HOSTILE}/home: [x](http:/e)", Policy(rules=(KeepLatest(1),))).items
    show(app, "storage.py")
    said = "\n".join(
        value for kind in ("markdown", "caption", "error", "warning", "info") for value in values(app, kind)
    )
    assert "<img" not in said
    assert "[x](http:" not in said
    labels = [link.proto.label for link in app.get("page_link")]
    assert not any("<img" in label or ":material" in label for label in labels)
    (figure,) = app.get("plotly_chart")
    labels = json.loads(figure.proto.spec)["data"][0]["labels"]
    assert not any("<img" in label for label in labels)


def test_a_pin_is_shown_with_who_and_why_and_keeps_the_checkpoint(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    workspace = service.workspace()
    item = workspace.reader.checkpoint(short_id(str(runs)), "five/ckpt-1")
    pins.pin(workspace, item, note=HOSTILE)
    show(app, "checkpoint.py", root=item.root, run="five", path="five/ckpt-1")
    assert "by tester." in plain(texts(app))
    assert HOSTILE in values(app, "text")
    planned = retention.plan(workspace, [workspace.find_run("five")], KEEP_TWO).runs[0]
    assert "ckpt-1" not in {one.path for one in planned.items}
    press(app, "Unpin")
    assert "No longer pinned: ckpt-1." in plain(texts(app))
    assert pins.pin_of(workspace, item) is None
    assert [button.label for button in app.button if button.key == "pin"] == ["Pin…"]
    assert "never goes into quarantine" in pinning.MEANING


def test_pins_that_cannot_be_read_are_said(five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(five, {".waypoint/pins.json": b"{"})
    app = open_on(monkeypatch, runs)
    show(app, "checkpoint.py", root=short_id(str(runs)), run="five", path="five/ckpt-1")
    assert "all of it counts as pinned" in " ".join(values(app, "warning"))


def test_the_overview_says_what_could_go_and_leads_there(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs).run()
    (disk,) = [item for item in app.metric if item.label == "On disk"]
    assert disk.delta == f"{shard_of(five / 'ckpt-9').stat().st_blocks / 2:.1f} KiB could go"
    assert [link.proto.page for link in app.get("page_link") if "Where the disk went" in plain(link.proto.label)]


def test_pinned_checkpoints_are_marked_in_the_list_of_their_run(
    five: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    workspace = service.workspace()
    show(app, "run.py", root=short_id(str(runs)), run="five")
    assert not any("pinned" in table.value.columns for table in app.dataframe)
    pins.pin(workspace, workspace.reader.checkpoint(short_id(str(runs)), "five/ckpt-2"))
    show(app, "run.py", root=short_id(str(runs)), run="five")
    assert {row["checkpoint"] for row in rows(app, "pinned") if row["pinned"] == "yes"} == {"ckpt-2"}

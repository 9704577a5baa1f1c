"""The pages without a browser: what they say about the sample runs, odd URLs, hostile names and empty roots."""

import shutil
import string
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.base.facts import Role, Variable
from core.formats.spec import RestoreApi
from core.resume.cautions import TEXTS
from core.resume.manifest import Mode
from core.services.health import FindingFilter
from core.services.manifests import run_manifests
from core.services.resume import propose, resume_from
from pages.parts.checkpoint.snippets import restore_code
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, service
from pages.parts.frame.pages import PAGES, PageRow
from pages.parts.frame.text import lines, md, md_lines, shown
from pages.parts.health import findings
from pages.parts.resume import manifests
from pages.parts.tables.tables import PAGE_ROWS
from tests.support.pages import (
    BRACKETED,
    HOSTILE,
    HOSTILE_INNER,
    columns,
    open_on,
    plain,
    select,
    show,
    texts,
    values,
)
from tests.support.pages_server import ROOT, copy_samples
from tests.support.trees import save
from waypoint_resume.names import short_id

pytestmark = pytest.mark.usefixtures("no_unexpected_error")


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.file)
def test_each_page_of_the_table_opens_by_its_bare_url(app: AppTest, row: PageRow) -> None:
    lines = (ROOT / "pages" / row.file).read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith('?"""'), f"pages/{row.file} does not begin with the question that it answers"
    assert len(lines) <= 100, f"pages/{row.file} is longer than 100 lines: what it is made of lies in pages/parts"
    assert texts(show(app, row.file))


def test_the_overview_counts_and_lists_what_needs_attention(app: AppTest) -> None:
    show(app, "overview.py")
    numbers = {item.label: (item.value, item.delta) for item in app.metric}
    assert numbers["Live runs"][1].startswith("of 17 runs")
    assert numbers["Checkpoints"] == ("90", "84 restorable")  # all but 2 that are damaged, and those of BRACKETED
    assert numbers["On disk"][0] == "–"  # nobody added the disk up yet
    infos = service.workspace().reader.findings(FindingFilter(severities=("info",)), limit=None)
    assert len(infos) >= 5
    assert numbers["Findings"] == ("8 errors", f"4 warnings and {len(infos)} infos")
    assert "8 errors and 4 warnings in 6 runs, one row for each run and kind." in texts(app)
    assert not [link for link in app.get("page_link") if "wait" in link.proto.label]
    assert "ckpt-6.data-00001-of-00003" in texts(app)
    assert len(app.dataframe[0].value) == 6


def test_a_damaged_newest_is_one_row_with_what_is_left_and_the_way_on(app: AppTest, samples: Path) -> None:
    show(app, "overview.py")
    (told,) = [item.value for item in app.text if "ckpt-6.data-00001-of-00003" in item.value]
    assert told.startswith("1 of 3 shards is missing: ckpt-6.data-00001-of-00003. The newest that can be restored is ")
    assert "is checkpoints/ckpt-5: " in told
    assert len([label for label in (link.proto.label for link in app.get("page_link")) if "two" in label]) == 1
    app.button(key=f"attend-{short_id(short_id(str(samples)), 'two-tower', 'missing-shard')}").click().run()
    assert "checkpoints/ckpt-5 of run two-tower" in plain(texts(app)).replace("**", "")
    assert app.button(key="resume_confirm").label == "Write the manifest"


def test_one_thing_has_one_number_of_bytes_on_every_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = home / "runs"
    for name in ("a", "b"):
        for step in (1, 2):
            save(runs / name, step)
    with (runs / "a" / "weights.h5").open("wb") as file:
        file.truncate(3 << 20)  # sparse: its size is not what it takes
    app = show(open_on(monkeypatch, runs), "overview.py")
    on_disk = {item.label: item.value for item in app.metric}["On disk"]
    show(app, "storage.py", by="run")
    assert on_disk == {item.label: item.value for item in app.metric}["On disk"]
    by_run = next(table.value for table in app.dataframe if "file size" in table.value.columns)
    of_a = dict(zip(by_run["run"], by_run["on disk"], strict=True))["a"]
    listed = columns(show(app, "runs.py", sort="path"))
    assert listed["on disk"][listed["run"].index("a")] == of_a
    said = texts(show(app, "run.py", root=short_id(str(runs)), run="a"))
    assert f"file size {listed['file size'][listed['run'].index('a')]}, on disk {of_a}" in said


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Asia/Tokyo", "2026-01-31 18:30:00 JST"),
        (None, "2026-01-31 09:30:00 UTC"),
        ("../../etc/passwd", "2026-01-31 09:30:00 UTC"),
        ("America", "2026-01-31 09:30:00 UTC"),
    ],
)
def test_times_are_those_of_the_viewers_zone(zone: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(timezone=zone))
    assert fmt.exact(datetime(2026, 1, 31, 9, 30, tzinfo=UTC)) == told


def test_an_overview_without_runs_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, missing = home / "empty", home / "missing"
    empty.mkdir()
    app = show(open_on(monkeypatch, empty, missing), "overview.py")
    said = plain(texts(app))
    assert f"No runs were found yet below {empty}, {missing}." in said
    assert "make run ROOTS=/data/runs" in said
    assert len(app.error) == 1
    assert f"A root could not be looked at. {missing}: No such file or directory." in plain(app.error[0].value)
    assert len(app.metric) == 0


@pytest.mark.parametrize("page", ["runs.py", "checkpoints.py", "resume.py"])
def test_an_empty_list_says_what_to_do(page: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, home), page)
    assert len(app.info) == 1
    assert len(app.dataframe) == 0


def test_runs_are_a_table_with_units(app: AppTest) -> None:
    show(app, "runs.py", sort="path")
    cells = columns(app)
    row = cells["run"].index("unet-segmentation")
    assert cells["newest step"][row] == "150"
    assert cells["checkpoints"][row] == "6"
    assert cells["file size"][row].endswith(" KiB")
    assert cells["health"][row] == ["2 errors"]
    assert cells["last saved"][row].endswith(" ago")
    whole = [name for name in cells["run"] if not name.startswith("…")]
    assert whole == sorted(whole)
    assert len(whole) == 16


def test_runs_are_searched_and_filtered_by_the_url(app: AppTest) -> None:
    show(app, "runs.py", q="unet")
    assert columns(app)["run"] == ["unet-segmentation"]
    assert app.text_input[0].value == "unet"


def test_no_run_that_fits_says_so(app: AppTest) -> None:
    show(app, "runs.py", q="no such run")
    assert len(app.dataframe) == 0
    assert "No run fits these filters" in texts(app)


def test_another_order_begins_at_the_first_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(PAGE_ROWS + 20):
        save(home / "runs" / f"run-{number:03}", 1)
    app = show(open_on(monkeypatch, home / "runs"), "runs.py")
    app.session_state["page"] = 2
    assert len(app.run().dataframe[0].value) == 20
    key = app.dataframe[0].key
    assert key is not None
    app.session_state[key] = {"selection": {"rows": [], "columns": ["run"], "cells": []}}
    cells = columns(app.run())
    assert values(app, "error") == []
    assert cells["run"][:2] == ["run-000", "run-001"]
    assert len(cells["run"]) == PAGE_ROWS


@pytest.mark.parametrize("value", ["nonsense", "-nonsense", "-", "bytes;drop table runs", "\x00", "😀"])
def test_a_senseless_sort_in_the_url_is_ignored(app: AppTest, value: str) -> None:
    show(app, "runs.py", sort=value)
    assert len(app.dataframe[0].value) == 17


def test_choosing_a_cell_opens_nothing_and_offers_a_link(app: AppTest) -> None:
    show(app, "runs.py", q="two-tower")
    select(app, 0, "status")
    assert [item.value for item in app.title] == ["Runs"]
    (link,) = [link.proto for link in app.get("page_link") if link.proto.label.startswith("Open ")]
    assert plain(link.label) == "Open two-tower"
    assert "run=two-tower" in link.query_string


def test_a_run_recommends_the_latest_restorable_and_says_why(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="two-tower")
    said = plain(texts(app))
    assert "Resume from checkpoints/ckpt-5" in said
    assert "Why this one: The newest that can be restored; 1 newer one cannot." in said.replace("**", "")
    assert "ckpt-6.data-00001-of-00003." in said
    assert "`tf.train.latest_checkpoint` answers checkpoints/ckpt-6, which cannot be restored." in said
    assert "\n1 of 3 shards is missing: ckpt-6.data-00001-of-00003.\n" in said
    assert "Epoch" in values(app, "caption")
    assert "not stored" in values(app, "caption")
    assert "from the variable optimizer/_iterations" in said
    cells = columns(app)
    assert cells["checkpoint"] == [f"checkpoints/ckpt-{number}" for number in (6, 5, 4, 3, 2)]
    assert cells["restorable"] == ["no", "yes", "yes", "yes", "yes"]
    assert cells["health"][0] == ["error"]


def test_a_run_with_two_models_has_a_card_for_each_series(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="digits-gan")
    headings = [plain(item.value) for item in app.subheader]
    assert len([text for text in headings if text.startswith("Resume from")]) == 2
    assert "tf.train.latest_checkpoint" not in texts(app)
    assert sum(button.label == "Resume…" for button in app.button) == 2


def test_leftovers_are_listed_with_their_bytes(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="char-lm")
    assert "Leftovers" in [item.value for item in app.subheader]
    assert any("file" in table.value.columns for table in app.dataframe)


def test_checkpoints_of_all_runs_are_filtered_and_summed(app: AppTest) -> None:
    show(app, "checkpoints.py", q="churn-mlp", format=".keras", sort="epoch")
    cells = columns(app)
    assert set(cells["run"]) == {"churn-mlp"}
    assert "9 checkpoints, " in texts(app)


def test_a_filter_of_the_url_chooses_by_health(app: AppTest) -> None:
    show(app, "checkpoints.py")
    app.multiselect(key="health").set_value(["error"]).run()
    assert sorted(columns(app)["run"]) == [*[BRACKETED] * 4, "two-tower", "unet-segmentation"]
    assert "6 checkpoints, " in texts(app)


def test_a_checkpoint_shows_each_fact_with_its_source(app: AppTest, samples: Path) -> None:
    path = "mnist-cnn/checkpoints/ckpt-10"
    show(app, "checkpoint.py", root=short_id(str(samples)), run="mnist-cnn", path=path)
    said = plain(texts(app))
    assert "**300**" in said
    assert "from the variable optimizer/_iterations" in said
    assert "from the variable save_counter" in said
    assert "\n**–**\n" in said
    assert "Weights only would save 16.0 KiB (67%)." in said
    variables = columns(app)
    assert "optimizer/_iterations" in variables["name"]
    assert variables["shape"][variables["name"].index("optimizer/_trainable_variables/2")] == "3 × 3 × 8 × 12"
    assert f"checkpoint.restore('{samples}/{path}')" in app.code[-1].value
    assert "tf.train.Checkpoint(model=model, optimizer=optimizer)" in app.code[-1].value


def test_the_metric_of_a_name_is_a_fact(app: AppTest, samples: Path) -> None:
    path = "churn-mlp/checkpoints/cp-0006-0.243.keras"
    show(app, "checkpoint.py", root=short_id(str(samples)), run="churn-mlp", path=path)
    said = [plain(item.value) for item in (*app.markdown, *app.caption)]
    assert {"Metric", "**0.243**", "from the name"} <= set(said)


def test_an_older_backup_is_copied_before_it_is_restored(app: AppTest, samples: Path) -> None:
    """Keras loads weights by their name's ending."""
    path = "speech-commands/backup/latest.weights.h5.bkp"
    show(app, "checkpoint.py", root=short_id(str(samples)), run="speech-commands", path=path)
    assert f"shutil.copyfile('{samples}/{path}', 'restored.weights.h5')" in app.code[-1].value
    assert "model.load_weights('restored.weights.h5')" in app.code[-1].value


def test_variables_are_searched(app: AppTest, samples: Path) -> None:
    show(
        app,
        "checkpoint.py",
        root=short_id(str(samples)),
        run="mnist-cnn",
        path="mnist-cnn/checkpoints/ckpt-10",
        v="_ITERA",
    )
    assert columns(app)["name"] == ["optimizer/_iterations"]


@pytest.mark.parametrize(
    ("run", "path", "code"),
    [
        ("churn-mlp", "churn-mlp/checkpoints/cp-0006-0.243.keras", "keras.saving.load_model("),
        ("churn-mlp", "churn-mlp/weights/cp-0003-0.352.weights.h5", "model.load_weights("),
        ("wide-deep-tf1", None, "saver.restore(session, "),
        ("tiny-transformer", None, "/checkpoints/4/pytree')"),
        ("defect-detector", None, "/variables/variables').expect_partial()"),
    ],
    ids=["keras", "weights-h5", "tf1", "orbax", "saved-model"],
)
def test_every_format_has_its_restore_code(app: AppTest, samples: Path, run: str, path: str | None, code: str) -> None:
    root = short_id(str(samples))
    found = path or service.workspace().members(root, run)[0].path
    show(app, "checkpoint.py", root=root, run=run, path=found)
    assert code in app.code[-1].value
    assert str(samples / found) in app.code[-1].value
    compile(app.code[-1].value, "code", "exec")


def test_a_broken_checkpoint_cannot_be_resumed_and_says_why(app: AppTest, samples: Path) -> None:
    show(app, "checkpoint.py", root=short_id(str(samples)), run="two-tower", path="two-tower/checkpoints/ckpt-6")
    button = app.button(key="resume")
    assert button.disabled
    assert "It cannot be restored. 1 of 3 shards" in plain(button.help)
    assert "What to do: " in texts(app)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"root": "x", "run": "y"},
        {"root": "", "run": ""},
        {"root": "<b>", "run": "../../etc/passwd"},
        {"root": "ROOT", "run": "no-such-run"},
        {"root": "ROOT", "run": "/"},
        {"root": "ROOT", "run": "two-tower/../mnist-cnn"},
        {"root": "ROOT", "run": "\\xff\\x00\x00"},
        {"root": "ROOT", "run": "two-tower", "path": "mnist-cnn/checkpoints/ckpt-10"},
        {"root": "ROOT", "run": "two-tower", "path": ""},
        {"root": "ROOT", "run": "two-tower", "path": "two-tower/checkpoints/ckpt-99"},
    ],
    ids=str,
)
def test_what_does_not_exist_is_not_found_and_has_a_way_back(
    app: AppTest, samples: Path, query: dict[str, str]
) -> None:
    query = {name: value.replace("ROOT", short_id(str(samples))) for name, value in query.items()}
    show(app, "checkpoint.py", **query)
    assert len(app.warning) == 1
    assert "It may have been deleted" in texts(app)
    assert len(app.dataframe) == 0
    assert len(app.get("page_link")) == 1


@pytest.mark.parametrize(
    ("run", "seen"),
    [
        (f"{HOSTILE}/{HOSTILE_INNER}/e)", f"{HOSTILE}/{HOSTILE_INNER}/e)"),
        ("new\nline", "new\\x0aline"),
        ("rtl\u202egnp.exe", "rtl\\xe2\\x80\\xaegnp.exe"),
        ("bad\\xff\\xfe", "bad\\xff\\xfe"),
    ],
    ids=["markup", "newline", "rtl", "bytes"],
)
def test_hostile_names_are_text_everywhere(app: AppTest, samples: Path, run: str, seen: str) -> None:
    root = short_id(str(samples))
    show(app, "run.py", root=root, run=run)
    assert plain(app.title[0].value) == seen
    for kind in ("title", "markdown", "caption"):
        assert not [text for text in values(app, kind) if any(sign in text for sign in ("<img", "[x]", "**b**"))]
    path = f"{run}/ckpt-10"
    show(app, "checkpoint.py", root=root, run=run, path=path)
    assert plain(app.title[0].value) == "ckpt-10"
    assert len(columns(app)["name"]) == 21


def test_handed_over_manifests_are_shown_withdrawn_and_put_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = copy_samples(home / "runs")
    app = open_on(monkeypatch, runs)
    workspace = service.workspace()
    root = short_id(str(runs))
    for number, mode in ((9, Mode.REWIND), (10, Mode.CONTINUE)):
        path = f"mnist-cnn/checkpoints/ckpt-{number}"
        checkpoint = workspace.reader.checkpoint(root, path)
        proposal = propose(workspace, checkpoint, mode)
        accepted = [caution.id for caution in proposal.warnings]
        manifest, file = resume_from(
            workspace, checkpoint, proposal, note=f"<b>{path}</b>", accepted=accepted, confirm="mnist-cnn"
        )
    show(app, "resume.py")
    app.session_state[f"code-{manifest.id}"] = True
    app.run()
    assert str(file) in texts(app)
    assert "<b>mnist-cnn/checkpoints/ckpt-10</b>" in [item.value for item in app.text]
    assert columns(app)["checkpoint"] == ["checkpoints/ckpt-9"]
    assert [item.value for item in app.subheader] == ["Pending", "Superseded"]
    assert f".waypoint/withdrawn/{manifest.id}.json" in texts(app)
    accepted_text = plain(texts(app)).partition("Warnings accepted: ")[2]
    assert "random state, data position and callbacks are in no checkpoint." in accepted_text
    show(app, "overview.py")
    assert "1 manifest waits for a job" in [link.proto.label for link in app.get("page_link")]

    show(app, "resume.py")
    app.button(key=f"withdraw-{manifest.id}").click().run()
    assert run_manifests(workspace, root, "mnist-cnn")[0].state.value == "withdrawn"
    assert [item.value for item in app.subheader] == ["Pending", "Withdrawn", "Superseded"]
    assert [plain(item.value) for item in app.toast] == ["Withdrawn: jobs leave it alone."]
    assert app.button(key="answer_undo").label == "Undo"
    assert "UTC, by tester" in plain(texts(app).partition("Withdrawn")[2])
    show(app, "overview.py")
    assert not [link for link in app.get("page_link") if "wait" in link.proto.label]
    show(app, "resume.py")
    app.button(key=f"undo-{manifest.id}").click().run()
    assert run_manifests(workspace, root, "mnist-cnn")[0].state.value == "pending"
    assert len(app.toast) == 1

    show(app, "run.py", root=root, run="mnist-cnn")
    assert "A manifest is pending: checkpoints/ckpt-10, step 300, handed over by tester" in plain(texts(app))


@pytest.mark.parametrize("record", ["{}", "[]", '{"actor": 7, "at": "2026-01-01T00:00:00"}', '{"at": [1]}', "{"])
def test_a_strange_record_of_a_withdrawal_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch, record: str) -> None:
    runs = copy_samples(home / "runs")
    app = open_on(monkeypatch, runs)
    workspace, root = service.workspace(), short_id(str(runs))
    checkpoint = workspace.reader.checkpoint(root, "mnist-cnn/checkpoints/ckpt-10")
    proposal = propose(workspace, checkpoint)
    accepted = [caution.id for caution in proposal.warnings]
    manifest, _ = resume_from(workspace, checkpoint, proposal, note="", accepted=accepted)
    withdrawn = runs / "mnist-cnn" / ".waypoint" / "withdrawn" / f"{manifest.id}.json"
    withdrawn.parent.mkdir()
    withdrawn.write_text(record)
    show(app, "resume.py")
    assert "at an unknown time" in plain(texts(app))


def test_every_warning_has_a_short_phrase() -> None:
    assert set(manifests.ACCEPTED) == set(TEXTS)


def test_ids_of_rules_are_said_in_words() -> None:
    assert findings.without_rule("missing-shard: 1 of 3: gone.") == "1 of 3: gone."
    assert findings.without_rule("no-rule: 1 of 3") == "no-rule: 1 of 3"
    assert findings.meanings("empty-file") == "A file of the checkpoint has no bytes."
    assert findings.meanings("none") == "none"


def test_an_unexpected_error_is_said_without_a_traceback_and_logged(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a secret place")

    monkeypatch.setattr(service.workspace().reader, "overview", fail)
    app.run()
    assert values(app, "error") == [frame.UNEXPECTED]
    assert len(app.exception) == 0
    assert "a secret place" in caplog.text
    caplog.clear()


def test_a_variable_over_several_shards_says_so(app: AppTest, samples: Path) -> None:
    path = "two-tower/checkpoints/ckpt-5"
    show(app, "checkpoint.py", root=short_id(str(samples)), run="two-tower", path=path)
    assert set(columns(app)["shard"]) == {"0", "1", "2", "several"}
    show(
        app,
        "checkpoint.py",
        root=short_id(str(samples)),
        run="churn-mlp",
        path="churn-mlp/checkpoints/cp-0006-0.243.keras",
    )
    assert "shard" not in columns(app)


ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ((), "Checkpoint(model=model, optimizer=optimizer)"),
        (("model/a", "optimizer/x", "save_counter"), "Checkpoint(model=model, optimizer=optimizer)"),
        (("epoch", "model/a"), "Checkpoint(model=model, epoch=epoch)"),
        (("epoch", "model/a"), "# epoch: a tf.Variable, int64, scalar\n"),
        (("optimizer/_trainable_variables/0", "optimizer/x"), "Checkpoint(model=model, optimizer=optimizer)"),
        (("d/a", "g/a", "opt_d/x"), "Checkpoint(d=d, g=g, opt_d=opt_d)"),
        (("layer_with_weights-0/a", "optimizer/x"), "Checkpoint(model)"),
        (("_layers/0", "optimizer/x"), "Checkpoint(model)"),
        (("lambda/a",), "Checkpoint(model)"),
        (("a);print(1/x",), "Checkpoint(model)"),
    ],
    ids=["unknown", "usual", "epoch", "kind", "by optimizer alone", "gan", "root", "keras root", "keyword", "hostile"],
)
def test_the_restore_code_names_what_was_saved(names: tuple[str, ...], seen: str) -> None:
    variables = [
        Variable(
            name=name + ENDING,
            dtype="int64",
            shape=(),
            bytes=8,
            role=Role.WEIGHT if name.endswith(("/a", "/0")) else Role.OPTIMIZER,
        )
        for name in names
    ]
    code = restore_code(RestoreApi.TF_CHECKPOINT_RESTORE, "/r/ckpt-1", has_optimizer=True, variables=variables)
    compile(code, "restore", "exec")
    assert f"{seen}" in code


def test_a_checkpoint_whose_files_went_away_is_said_kindly(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = copy_samples(home / "runs")
    app = open_on(monkeypatch, runs)
    shutil.rmtree(runs / "mnist-cnn" / "checkpoints")
    show(app, "checkpoint.py", root=short_id(str(runs)), run="mnist-cnn", path="mnist-cnn/checkpoints/ckpt-10")
    assert len(app.error) == 1
    assert "The files could not be read to the end" in app.error[0].value
    assert "from the variable optimizer/_iterations" in plain(texts(app))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("bad\udcff", "bad\\xff"),
        ("bad\\xff", "bad\\xff"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("x\u202ey", "x\\xe2\\x80\\xaey"),
        ("\ud800", "\\xed\\xa0\\x80"),
        ("grün 東京 😀", "grün 東京 😀"),
    ],
    ids=ascii,
)
def test_every_character_can_be_seen_and_text_stays_as_it_is(text: str, seen: str) -> None:
    assert shown(text) == seen
    assert shown(seen) == seen


def test_markdown_sinks_get_no_sign_that_means_something() -> None:
    escaped = md("<img src=x> **b** :material/home: [x](http://e) `c` $a$ -> www.e.com a@b.co\n# h")
    assert set(escaped.replace("&#", "").replace(";", "").replace("\u2060", "")) <= set(
        string.ascii_letters + string.digits + " "
    )
    assert "http&#58;\u2060".replace("\u2060", "&#8288;") in escaped


def test_several_lines_stay_lines() -> None:
    assert lines("a\nb\u202e") == "a\nb\\xe2\\x80\\xae"
    assert md_lines("a*\nb") == "a&#42;  \nb"

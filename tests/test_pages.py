"""The pages without a browser: what they say about the sample runs, odd URLs, hostile names and empty roots."""

import html
import os
import shutil
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.fs.names import short_id
from pages._shared import service
from pages._shared.text import lines, md, md_lines, shown
from tests.pages_server import ROOT, copy_samples

ROUTER = str(ROOT / "pages" / "router.py")
HOSTILE = "<img src=x onerror=alert(1)> **b** :material"
HOSTILE_INNER = "home: [x](http:"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample runs and some with odd names; its folder may be changed by no test."""
    runs = copy_samples(tmp_path_factory.mktemp("pages") / "runs")
    odd = (f"{HOSTILE}/{HOSTILE_INNER}/e)", "new\nline", "rtl\u202egnp.exe", os.fsdecode(b"bad\xff\xfe"))
    for name in odd:
        shutil.copytree(runs / "mnist-cnn" / "checkpoints", runs / name)
    return runs


@pytest.fixture(scope="module")
def catalog(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose catalog knows `samples`."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYPOINT_HOME", str(home))
        patch.setenv("WAYPOINT_ROOTS", str(samples))
        service.stop()
        service.current().look_now()
        service.stop()
    return home


@pytest.fixture
def app(samples: Path, catalog: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The dashboard over the sample runs; what it shows is only read."""
    monkeypatch.setenv("WAYPOINT_HOME", str(catalog))
    monkeypatch.setenv("WAYPOINT_ROOTS", str(samples))
    service.stop()
    yield AppTest.from_file(ROUTER, default_timeout=30)
    service.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a home and roots of the test's own; `open_on` looks at them."""
    monkeypatch.setenv("WAYPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WAYPOINT_ACTOR", "tester")
    service.stop()
    yield tmp_path
    service.stop()


def open_on(monkeypatch: pytest.MonkeyPatch, *roots: Path) -> AppTest:
    """The dashboard over some roots, looked at once."""
    monkeypatch.setenv("WAYPOINT_ROOTS", os.pathsep.join(map(str, roots)))
    service.current().look_now()
    return AppTest.from_file(ROUTER, default_timeout=30)


def show(app: AppTest, page: str, **query: str) -> AppTest:
    """Open a page by its URL."""
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert [item.value for item in app.exception] == []
    return app


def texts(app: AppTest) -> str:
    """Everything the page says outside of tables, one element a line."""
    kinds = ("title", "subheader", "markdown", "text", "caption", "error", "warning", "info", "success", "code")
    return "\n".join(value for kind in kinds for value in values(app, kind))


def values(app: AppTest, kind: str) -> list[str]:
    """What the elements of one kind say."""
    return [str(getattr(item, "value", "")) for item in app.get(kind)]


def plain(text: str) -> str:
    """Markdown as `md` wrote it, read back as a person sees it."""
    return html.unescape(text).replace("\u2060", "")


def select(app: AppTest, number: int, column: str) -> AppTest:
    """Click into a row of the page's first table."""
    key = app.dataframe[0].key
    assert key is not None
    app.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": [(number, column)]}}
    return app.run()


def columns(app: AppTest, index: int = 0) -> dict[str, list[Any]]:
    """A table's cells by column."""
    return {str(head): list(cells) for head, cells in app.dataframe[index].value.items()}


def test_the_overview_counts_and_lists_what_needs_attention(app: AppTest) -> None:
    show(app, "overview.py")
    numbers = {item.label: (item.value, item.delta) for item in app.metric}
    assert numbers["Live runs"][1].startswith("of 17 runs")
    assert numbers["Checkpoints"] == ("89", "87 restorable")
    assert numbers["On disk"][0].endswith("MiB")
    assert numbers["Findings"][0].endswith("errors")
    assert "ckpt-6.data-00001-of-00003" in texts(app)
    assert len(app.dataframe[0].value) == 6


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
    assert cells["size"][row].endswith(" KiB")
    assert cells["health"][row] == ["2 errors"]
    assert cells["last saved"][row].endswith(" ago")
    assert cells["run"] == sorted(cells["run"])


def test_runs_are_searched_and_filtered_by_the_url(app: AppTest) -> None:
    show(app, "runs.py", q="unet")
    assert columns(app)["run"] == ["unet-segmentation"]
    assert app.text_input[0].value == "unet"


def test_no_run_that_fits_says_so(app: AppTest) -> None:
    show(app, "runs.py", q="no such run")
    assert len(app.dataframe) == 0
    assert "No run fits these filters" in texts(app)


@pytest.mark.parametrize("value", ["nonsense", "-nonsense", "-", "bytes;drop table runs", "\x00", "😀"])
def test_a_senseless_sort_in_the_url_is_ignored(app: AppTest, value: str) -> None:
    show(app, "runs.py", sort=value)
    assert len(app.dataframe[0].value) == 17


def test_a_click_on_a_row_opens_its_run(app: AppTest) -> None:
    show(app, "runs.py", q="two-tower")
    select(app, 0, "status")
    assert app.query_params["run"] == "two-tower"
    assert [plain(item.value) for item in app.title] == ["two-tower"]


def test_the_keyboard_entering_a_table_opens_nothing(app: AppTest) -> None:
    show(app, "runs.py", q="two-tower")
    select(app, 0, "run")
    assert [item.value for item in app.title] == ["Runs"]


def test_a_run_recommends_the_latest_restorable_and_says_why(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="two-tower")
    said = plain(texts(app))
    assert "Resume from checkpoints/ckpt-5" in said
    assert "Why this one: The newest that can be restored; 1 newer one cannot." in said.replace("**", "")
    assert "ckpt-6.data-00001-of-00003." in said
    assert "`tf.train.latest_checkpoint` answers checkpoints/ckpt-6, which is another one." in said
    assert "from optimizer/_iterations" in said
    cells = columns(app)
    assert cells["checkpoint"] == [f"checkpoints/ckpt-{number}" for number in (6, 5, 4, 3, 2)]
    assert cells["restorable"] == ["no", "yes", "yes", "yes", "yes"]
    assert cells["health"][0] == ["error"]


def test_a_run_with_two_models_has_a_card_for_each_series(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="digits-gan")
    headings = [plain(item.value) for item in app.subheader]
    assert len([text for text in headings if text.startswith("Resume from")]) == 2
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
    assert sorted(columns(app)["run"]) == ["two-tower", "unet-segmentation"]
    assert "2 checkpoints, " in texts(app)


def test_a_checkpoint_shows_each_fact_with_its_source(app: AppTest, samples: Path) -> None:
    path = "mnist-cnn/checkpoints/ckpt-10"
    show(app, "checkpoint.py", root=short_id(str(samples)), run="mnist-cnn", path=path)
    said = plain(texts(app))
    assert "**300**" in said
    assert "from optimizer/_iterations" in said
    assert "from save_counter" in said
    assert "Weights only would save 16.0 KiB (67%)." in said
    variables = columns(app)
    assert "optimizer/_iterations" in variables["name"]
    assert variables["shape"][variables["name"].index("optimizer/_trainable_variables/2")] == "3 × 3 × 8 × 12"
    assert f"checkpoint.restore('{samples}/{path}')" in app.code[-1].value


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
        ("tiny-transformer", None, "ocp.PyTreeCheckpointer().restore("),
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
    for path in ("mnist-cnn/checkpoints/ckpt-9", "mnist-cnn/checkpoints/ckpt-10"):
        checkpoint = workspace.reader.checkpoint(root, path)
        proposal = workspace.propose(checkpoint)
        accepted = [caution.id for caution in proposal.warnings]
        manifest, file = workspace.resume(checkpoint, proposal, note=f"<b>{path}</b>", accepted=accepted)
    show(app, "resume.py")
    assert str(file) in texts(app)
    assert "<b>mnist-cnn/checkpoints/ckpt-10</b>" in [item.value for item in app.text]
    assert columns(app)["checkpoint"] == ["checkpoints/ckpt-9"]
    assert [item.value for item in app.subheader] == ["Pending", "Superseded"]

    app.button(key=f"withdraw-{manifest.id}").click().run()
    assert workspace.manifests(root, "mnist-cnn")[0].state.value == "withdrawn"
    app.button(key=f"undo-{manifest.id}").click().run()
    assert workspace.manifests(root, "mnist-cnn")[0].state.value == "pending"

    show(app, "run.py", root=root, run="mnist-cnn")
    assert "A manifest is pending: checkpoints/ckpt-10, step 300, handed over by tester" in plain(texts(app))


def test_a_checkpoint_whose_files_went_away_is_said_kindly(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = copy_samples(home / "runs")
    app = open_on(monkeypatch, runs)
    shutil.rmtree(runs / "mnist-cnn" / "checkpoints")
    show(app, "checkpoint.py", root=short_id(str(runs)), run="mnist-cnn", path="mnist-cnn/checkpoints/ckpt-10")
    assert len(app.error) == 1
    assert "The files could not be read to the end" in app.error[0].value
    assert "from optimizer/_iterations" in plain(texts(app))


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

"""The pages of what runs achieved: the picture of a run, runs side by side, two checkpoints side by side."""

import base64
import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import h5py
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.search.grammar import parse
from pages.parts.metrics.curves import Axis, Curve, Mark, MarkKind, figure, smoothed
from pages.parts.runs import workbench
from tests.support.pages import columns, open_on, plain, show, texts
from waypoint_resume.names import short_id

CHURN = Path(__file__).parents[2] / "sample_runs" / "churn-mlp"


def traces(app: AppTest, number: int = 0) -> dict[str, dict[str, Any]]:
    """What a chart draws, by name in its legend."""
    spec = json.loads(app.get("plotly_chart")[number].proto.spec)
    return {trace["name"]: trace for trace in spec["data"]}


def logged(run: Path, column: str) -> list[float]:
    with (run / "training.csv").open(newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file)]


@pytest.fixture
def two_runs(home: Path) -> Path:
    """A run and the same with values twice as high; the second one's parameters are others."""
    runs = home / "runs"
    for name, factor, rate in (("one", 1, 0.1), ("two", 2, 0.01)):
        shutil.copytree(CHURN, runs / name)
        with (runs / name / "training.csv").open(newline="") as file:
            rows = [
                {key: float(value) * (1 if key == "epoch" else factor) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
        with (runs / name / "training.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        (runs / name / "params.json").write_text(json.dumps({"rate": rate, "depth": 3}))
    return runs


def test_a_run_shows_its_metric_with_each_checkpoint_on_the_curve(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="churn-mlp")
    drawn = traces(app)
    values = logged(CHURN, "val_loss")
    for tag in ("val_loss", "loss"):  # it was trained twice
        assert [*drawn[f"{tag}, attempt 1"]["y"], *drawn[tag]["y"]] == pytest.approx(logged(CHURN, tag))
    marks = [value for kind in ("restorable", "best") for value in drawn[kind]["y"]]
    assert marks
    assert {f"{mark:.6g}" for mark in marks} <= {f"{value:.6g}" for value in values}
    assert min(drawn["best"]["y"]) == min(marks)
    assert "which is a guess" in texts(app)


def test_a_run_without_logs_shows_its_saves_over_time(app: AppTest, samples: Path) -> None:
    show(app, "run.py", root=short_id(str(samples)), run="digits-gan")
    assert "Saves over time" in texts(app)


def test_runs_are_compared_with_the_best_first_and_what_differs(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, root = open_on(monkeypatch, two_runs), short_id(str(two_runs))
    app.query_params["runs"] = [f"{root}:two", f"{root}:one"]
    app.switch_page("compare.py").run()
    assert [item.value for item in app.exception] == []
    assert app.title[0].value.endswith("Compare 2 runs")
    drawn = traces(app)
    assert drawn["two"]["y"] == pytest.approx([2 * value for value in drawn["one"]["y"]])
    best = [item.value for item in app.markdown if item.value.startswith("**0.")]
    assert [float(text.strip("*")) for text in best] == sorted(float(text.strip("*")) for text in best)
    table = columns(app)
    told = dict(zip(table[""], zip(table["two"], table["one"], strict=True), strict=True))
    assert told["rate"] == ("0.01", "0.1")
    assert "depth" not in told
    app.toggle(key="all").set_value(True).run()
    assert "depth" in columns(app)[""]
    app.toggle(key="loads").set_value(True).run()
    assert "the same names, shapes and dtypes" in texts(app)


def test_runs_show_chosen_metrics_and_parameters(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, two_runs), "runs.py")
    table = columns(app)
    best = dict(zip(table["run"], table["best val_loss"], strict=True))
    assert best["one"] == f"{min(logged(two_runs / 'one', 'val_loss')):.4g}"
    assert best["two"] == f"{min(logged(two_runs / 'two', 'val_loss')):.4g}"
    assert dict(zip(table["run"], table["rate"], strict=True)) == {"one": "0.1", "two": "0.01"}
    assert "depth" not in table
    app.multiselect(key="columns").set_value(["depth"]).run()
    table = columns(app)
    assert table["depth"] == ["3", "3"]
    assert "best val_loss" not in table


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("best:val_loss", "one"),
        ("-best:val_loss", "two"),
        ("-last:loss", "two"),
        ("param:rate", "two"),
        ("-param:rate", "one"),
    ],
)
def test_runs_are_sorted_by_metrics_and_parameters(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch, sort: str, first: str
) -> None:
    app = show(open_on(monkeypatch, two_runs), "runs.py", sort=sort)
    assert columns(app)["run"][0] == first


def test_what_is_a_parameter_and_a_metric_is_shown_as_what_it_is_called(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (two_runs / name / "params.json").write_text(json.dumps({"loss": "crossentropy", "rate": len(name)}))
    app = show(open_on(monkeypatch, two_runs), "runs.py")
    app.multiselect(key="columns").set_value(["loss"]).run()
    assert columns(app)["loss"] == ["crossentropy"] * 2
    assert "best loss" not in columns(app)


def test_runs_are_grouped_by_a_parameter(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, two_runs), "runs.py", group="rate")
    groups = columns(app)
    assert sorted(groups["rate"]) == ["0.01", "0.1"]
    assert groups["runs"] == ["1", "1"]
    best = dict(zip(groups["rate"], groups["best val_loss"], strict=True))
    assert best["0.1"] == f"{min(logged(two_runs / 'one', 'val_loss')):.4g}"


def test_selected_runs_are_compared_and_tagged_and_that_is_taken_back(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = show(open_on(monkeypatch, two_runs), "runs.py")
    key = app.dataframe[0].key
    assert key is not None
    app.session_state[key] = {"selection": {"rows": [0, 1], "columns": [], "cells": []}}
    app.run()
    assert "2 runs selected" in texts(app)
    app.text_input(key="new_tag").set_value("baseline").run()
    app.button(key="add_tag").click().run()
    assert "2 runs tagged baseline." in plain(texts(app))
    said = [json.loads((two_runs / name / ".waypoint" / "tags.json").read_text()) for name in ("one", "two")]
    assert [item["tags"] for item in said] == [["baseline"], ["baseline"]]
    next(one for one in app.button if one.label == "Undo").click().run()
    said = [json.loads((two_runs / name / ".waypoint" / "tags.json").read_text()) for name in ("one", "two")]
    assert [item["tags"] for item in said] == [[], []]


def test_a_view_is_kept_opened_removed_and_brought_back(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(open_on(monkeypatch, two_runs), "runs.py", sort="-best:val_loss", group="rate")
    app.text_input(key="view_name").set_value("worst first").run()
    app.button(key="save_view").click().run()
    assert "Kept the view worst first." in plain(texts(app))
    again = show(open_on(monkeypatch, two_runs), "runs.py")
    (kept,) = [link for link in again.get("page_link") if link.proto.label == "worst first"]
    assert parse_qs(kept.proto.query_string) == {"sort": ["-best:val_loss"], "group": ["rate"]}
    again.button(key="drop-view-0").click().run()
    assert [link for link in again.get("page_link") if link.proto.label == "worst first"] == []
    again.button(key="answer_undo").click().run()
    assert [link.proto.label for link in again.get("page_link")].count("worst first") == 1


def test_views_that_cannot_be_understood_are_said_and_stay(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = two_runs.parent / "home" / "views.json"
    app = open_on(monkeypatch, two_runs)
    place.write_text('{"version": 1, "views": 3}')
    show(app, "runs.py")
    assert "views.json cannot be understood" in plain(texts(app))
    assert place.read_text() == '{"version": 1, "views": 3}'


@pytest.mark.parametrize("value", ["adam", "0.001", "two words", 'a"b', "-x", "a:b", ""])
def test_a_value_is_quoted_as_a_search_takes_it(value: str) -> None:
    (term,) = parse(f"name={workbench.quoted(value)}")
    assert term.value is not None
    assert term.value.text == value


def test_a_comparison_of_what_is_not_there_says_so(app: AppTest, samples: Path) -> None:
    show(app, "compare.py", runs=f"{short_id(str(samples))}:nothing")
    assert "was found at the last look" in texts(app)
    assert "Choose at least two runs" in texts(app)


def test_two_checkpoints_side_by_side_tell_whether_one_loads_the_other(app: AppTest, samples: Path) -> None:
    root = short_id(str(samples))
    first, last = (f"churn-mlp/checkpoints/{name}" for name in _ends(CHURN / "checkpoints"))
    show(app, "checkpoint.py", root=root, run="churn-mlp", path=first)
    app.selectbox[0].set_value(f"{root}:{last}").run()
    assert "Side by side" in [item.proto.label for item in app.get("page_link")]
    app.query_params["checkpoints"] = [f"{root}:{first}", f"{root}:{last}"]
    app.switch_page("compare.py").run()
    assert [item.value for item in app.exception] == []
    assert "the same names, shapes and dtypes" in texts(app)


def _ends(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.glob("*.keras"))
    return [names[0], names[-1]]


def test_smoothing_keeps_gaps_and_the_first_value() -> None:
    assert smoothed([4.0, None, float("nan"), 4.0], 0.9) == [pytest.approx(4.0), None, None, pytest.approx(4.0)]


def test_marks_stand_before_lines_so_that_a_click_meets_them() -> None:
    curve = Curve(name="loss <b>", x=[1, 2], y=[0.5, 0.25], color="#000000")
    mark = Mark(id=7, x=2, y=0.25, kind=MarkKind.RESTORABLE, hover=("a<b",))
    drawn = figure([curve], [mark], axis=Axis.STEP, smoothing=0.5, revision="x", here=(2, "here"))
    assert list(drawn.data[0].customdata) == [7]
    assert drawn.data[0].hovertext == ("a&lt;b",)
    assert [trace.mode for trace in drawn.data] == ["markers", "lines", "lines"]


def test_what_is_said_of_a_run_is_edited_in_its_line_and_undone(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, root = open_on(monkeypatch, two_runs), short_id(str(two_runs))
    said = two_runs / "one" / ".waypoint" / "tags.json"
    show(app, "run.py", root=root, run="one")
    _typed(app, "Add a tag", "baseline wide").run()
    _typed(app, "Owner", "alice").run()
    app.button(key="favourite").click().run()
    assert {"tags": ["baseline", "wide"], "owner": "alice", "favourite": True}.items() <= json.loads(
        said.read_text()
    ).items()
    app.button(key="tag-1").click().run()
    assert json.loads(said.read_text())["tags"] == ["baseline"]
    app.button(key="answer_undo").click().run()
    assert json.loads(said.read_text())["tags"] == ["baseline", "wide"]
    assert [button.label for button in app.button if str(button.key).startswith("tag-")] == ["baseline", "wide"]
    _typed(app, "Add a tag", "-no").run()
    assert plain(texts(app)).count("Nothing was changed") == 1
    assert json.loads(said.read_text())["tags"] == ["baseline", "wide"]


def test_the_best_metric_is_chosen_on_the_page_and_the_best_checkpoint_follows(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, root = open_on(monkeypatch, two_runs), short_id(str(two_runs))
    show(app, "run.py", root=root, run="one")
    assert "which is a guess" in texts(app)
    newest = columns(app)
    assert {cell for cell in newest["val_loss"] if cell.startswith("★")} == {f"★ {min(_numbers(newest)):.6g}"}
    assert "Best:" not in texts(app)  # the best is the latest restorable
    _widget(app, "segmented_control", "Better is the").set_value("highest").run()
    app.button(key="best-keep").click().run()
    assert "which is a guess" not in texts(app)
    chosen = columns(app)
    assert {cell for cell in chosen["val_loss"] if cell.startswith("★")} == {f"★ {max(_numbers(chosen)):.6g}"}
    lines = [plain(item.value) for item in app.markdown if "Best:" in item.value]
    assert lines
    assert all(f"the highest val_loss, {max(_numbers(chosen)):.6g}" in line for line in lines)
    app.button(key="answer_undo").click().run()
    assert "which is a guess" in texts(app)


def test_checkpoints_of_all_runs_show_the_value_of_their_metric_and_their_whole_path(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, two_runs)
    show(app, "checkpoints.py")
    table = columns(app)
    of = {
        run: {value for value, name in zip(_numbers(table), table["run"], strict=True) if name == run}
        for run in ("one", "two")
    }
    for run, values in of.items():
        assert values <= {float(f"{value:.6g}") for value in logged(two_runs / run, "val_loss")}
    assert of["two"].isdisjoint(of["one"])


def test_two_checkpoints_show_how_far_their_values_lie_apart(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, root = open_on(monkeypatch, two_runs), short_id(str(two_runs))
    files = sorted((two_runs / "one" / "weights").glob("cp-000[16]*.h5"))[-2:]
    app.query_params["checkpoints"] = [f"{root}:{file.relative_to(two_runs)}" for file in files]
    app.switch_page("compare.py").run()
    app.button(key="distance").click().run()
    until = time.monotonic() + 120
    while not app.get("plotly_chart"):
        assert time.monotonic() < until
        time.sleep(0.2)
        app.run()
    assert [item.value for item in app.exception] == []
    values = []
    for file in files:
        with h5py.File(file) as opened:
            values.append(np.asarray(opened["layers/dense/vars/0"]).astype("float64"))
    apart = np.linalg.norm(values[0] - values[1]) / np.linalg.norm(values[0])
    table = columns(app, -1)
    told = dict(zip(table["variable"], table["relative"], strict=True))
    assert told["layers/dense/vars/0"] == f"{apart:.4g}"
    bars = json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]
    lengths = figures(bars["x"])
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 3


def figures(found: Any) -> list[float]:  # noqa: ANN401 - of a chart's document: a list, or base64 of an array
    if isinstance(found, list):
        return [float(value) for value in found]
    return np.frombuffer(base64.b64decode(found["bdata"]), dtype=found["dtype"]).tolist()  # type: ignore[no-any-return]


def _numbers(table: dict[str, list[Any]]) -> list[float]:
    return [float(cell.removeprefix("★ ")) for cell in table["val_loss"]]


def _typed(app: AppTest, label: str, text: str) -> Any:  # noqa: ANN401 - the widget
    return _widget(app, "text_input", label).set_value(text)


def _widget(app: AppTest, kind: str, label: str) -> Any:  # noqa: ANN401
    return next(item for item in app.get(kind) if getattr(item, "label", None) == label)

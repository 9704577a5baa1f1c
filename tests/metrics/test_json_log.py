"""JSON that tells numbers by step or epoch: lines that are appended, and documents."""

import json
import math
from pathlib import Path

import pytest

from core.metrics import json_log
from core.metrics.records import Position, ProblemKind, Reading, XKind
from core.stores.local import LocalStore
from fuzz.memory import MemoryStore

RAY = [
    {
        "loss": 1 / (step + 1),
        "info": {"lr": 0.1, "name": "x", "on": True},
        "training_iteration": step + 1,
        "timestamp": 1_700_000_000 + step,
        "config": {"lr": 0.1},
        "pid": 7,
        "done": False,
    }
    for step in range(3)
]
LINES = "".join(json.dumps(row) + "\n" for row in RAY)


def read(content: str, name: str = "result.json", position: Position | None = None) -> Reading:
    return json_log.read(MemoryStore({name: content.encode()}), name, position)


def points(reading: Reading) -> dict[str, list[tuple[float, float]]]:
    return {one.tag: [(point.x, point.value) for point in one.points()] for one in reading.series}


def test_lines_tell_their_numbers_and_times_and_nothing_that_the_tool_adds() -> None:
    reading = read(LINES)
    assert points(reading) == {"loss": [(1, 1.0), (2, 0.5), (3, 1 / 3)], "info/lr": [(1, 0.1), (2, 0.1), (3, 0.1)]}
    assert reading.series[0].wall_time.tolist() == [1_700_000_000, 1_700_000_001, 1_700_000_002]
    assert {one.x_kind for one in reading.series} == {XKind.STEP}


def test_lines_cut_anywhere_are_read_up_to_there_and_go_on_once_they_have_grown() -> None:
    whole = points(read(LINES))
    first_line = LINES.index("\n") + 1
    for cut in range(first_line, len(LINES)):
        first = read(LINES[:cut])
        rows = LINES[:cut].count("\n")
        found = len(points(first)["loss"])
        assert found in (rows, rows + 1)
        assert [one.kind for one in first.problems] in ([], [ProblemKind.TRUNCATED])
        second = read(LINES, position=first.position)
        known = {} if second.is_anew else points(first)
        assert {tag: known.get(tag, []) + rest for tag, rest in points(second).items()} == whole, cut


def test_a_broken_line_hides_no_other() -> None:
    rows = [json.dumps({"step": step, "loss": 1.0}) for step in range(3)]
    content = "\n".join([rows[0], "oops {", rows[1][:9], "[1]", rows[2], ""])
    reading = read(content, "log.jsonl")
    assert points(reading) == {"loss": [(0, 1.0), (2, 1.0)]}
    offset = len(rows[0]) + 1
    assert [one.kind for one in reading.problems] == [ProblemKind.CORRUPT] * 2
    assert offset <= (reading.problems[0].offset or 0) < offset + 7


def test_numbers_that_are_not_finite_are_kept() -> None:
    ((_, values),) = points(read('{"step": 1, "loss": NaN}\n{"step": 2, "loss": -Infinity}\n')).items()
    assert math.isnan(values[0][1])
    assert values[1] == (2, -math.inf)


@pytest.mark.parametrize(
    ("name", "document", "expected", "kind"),
    [
        ("history.json", {"loss": [3.0, 2.0], "lr": [0.5]}, {"loss": [(0, 3.0), (1, 2.0)], "lr": [(1, 0.5)]}, "epoch"),
        ("history.json", {"epoch": [1, 2], "loss": [3.0, None]}, {"loss": [(1, 3.0)]}, "epoch"),
        (
            "trainer_state.json",
            {"best": None, "log_history": [{"epoch": 0.5, "step": 10, "loss": 2.0}, {"step": 20, "eval_loss": 1.0}]},
            {"epoch": [(10, 0.5)], "loss": [(10, 2.0)], "eval_loss": [(20, 1.0)]},
            "step",
        ),
        ("metrics.json", {"step": 4, "train": {"loss": 0.5}}, {"train/loss": [(4, 0.5)]}, "step"),
        (
            "wandb-summary.json",
            {"_step": 9, "_runtime": 5, "loss": 0.5, "_wandb": {"x": 1}},
            {"loss": [(9, 0.5)]},
            "step",
        ),
        ("eval_results.json", {"epoch": 3.0, "eval_loss": 0.25, "name": "x"}, {"eval_loss": [(3, 0.25)]}, "epoch"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_tells_what_it_holds(
    name: str, document: object, expected: dict[str, object], kind: str, indent: int | None
) -> None:
    reading = read(json.dumps(document, indent=indent), name)
    assert points(reading) == expected
    assert {one.x_kind for one in reading.series} == {kind}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.jsonl", '{"text": "a", "label": 1}\n' * 30),
        ("results.json", '{"accuracy": {"mean": 1}}'),
        ("metrics.json", '[{"name": "loss"}]'),
        ("history.json", '{"messages": ["a", "b"]}'),
        ("history.json", '"text"'),
    ],
)
def test_other_json_is_no_log(name: str, content: str) -> None:
    assert read(content, name).is_foreign


def test_a_file_on_the_disk_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    file, store = tmp_path / "log.jsonl", LocalStore(str(tmp_path))
    file.write_text('{"step": 1, "loss": 2}\n{"step": 2, "loss": 1}\n')
    position = json_log.read(store, "log.jsonl", None).position
    file.write_text('{"step": 1, "loss": 5}\n{"step": 2, "loss": 4}\n{"step": 3, "loss": 3}\n')
    again = json_log.read(store, "log.jsonl", position)
    assert again.is_anew
    assert points(again) == {"loss": [(1, 5), (2, 4), (3, 3)]}

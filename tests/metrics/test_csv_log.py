"""Tables that jobs append to: every value equals what Python's csv reads, also read in pieces, cut and written anew."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.metrics import csv_log, lines
from core.metrics.records import ProblemKind, Reading, XKind
from core.stores.local import LocalStore

KERAS = "epoch,accuracy,loss,val_loss\r\n0,0.5,0.6931471824645996,0.7\r\n1,0.75,0.5,nan\r\n2,0.875,0.25,inf\r\n"
LIGHTNING = "epoch,step,train_loss,val_loss\n0,9,1.5,\n0,9,,1.25\n1,19,1.0,\n"


def read(folder: Path, name: str = "training.csv", position: Mapping[str, object] | None = None) -> Reading:
    return csv_log.read(LocalStore(str(folder)), name, position)


def points(reading: Reading) -> dict[str, list[tuple[float, float]]]:
    return {one.tag: [(point.x, point.value) for point in one.points()] for one in reading.series}


def by_csv(text: str, x: str) -> dict[str, list[tuple[float, float]]]:
    """What Python's own reader says."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in csv.DictReader(text.splitlines()):
        for name, cell in row.items():
            if name != x and cell not in ("", "NA"):  # as Keras writes what an epoch did not measure
                found.setdefault(name, []).append((float(row[x]), float(cell)))
    return found


@pytest.mark.parametrize(("text", "x", "kind"), [(KERAS, "epoch", XKind.EPOCH), (LIGHTNING, "step", XKind.STEP)])
def test_every_value_equals_what_csv_reads(tmp_path: Path, text: str, x: str, kind: XKind) -> None:
    (tmp_path / "training.csv").write_text(text, newline="")
    reading = read(tmp_path)
    assert repr(points(reading)) == repr(by_csv(text, x)).replace(".0, ", ", ")  # steps are whole, and NaN is no NaN
    assert {one.x_kind for one in reading.series} == {kind}
    assert reading.problems == ()


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "sample_runs").rglob("training.csv")), ids=lambda file: file.parent.name
)
def test_tables_that_keras_wrote_equal_what_csv_reads(file: Path) -> None:
    found = points(read(file.parent, file.name))
    assert found == by_csv(file.read_text(encoding="utf-8"), "epoch")
    assert len(found["loss"]) >= 2


def test_a_cell_may_have_several_lines_which_may_come_later(tmp_path: Path) -> None:
    file, text = tmp_path / "training.csv", 'epoch,note,loss\n0,"a\nb",0.5\n1,"",0.25\n'
    for cut in range(len("epoch,note,loss\n0,"), len(text) + 1):
        file.write_text(text[:cut])
        first = read(tmp_path)
        file.write_text(text)
        second = read(tmp_path, position=first.position)
        parts = [second] if second.is_anew else [first, second]
        assert [point for part in parts for point in points(part).get("loss", [])] == [(0, 0.5), (1, 0.25)], cut


@pytest.mark.parametrize("text", [KERAS, LIGHTNING], ids=["keras", "lightning"])
def test_a_file_cut_anywhere_gives_what_stands_before_and_goes_on_when_it_has_grown(tmp_path: Path, text: str) -> None:
    (tmp_path / "whole.csv").write_text(text, newline="")
    whole = points(read(tmp_path, "whole.csv"))
    file = tmp_path / "training.csv"
    for cut in range(len(text)):
        file.write_text(text[:cut], newline="")
        first = read(tmp_path)
        rows = text[:cut].count("\n") - 1
        assert all(len(found) <= rows + 1 for found in points(first).values())
        file.write_text(text, newline="")
        second = read(tmp_path, position=first.position)
        known = {} if second.is_anew else points(first)
        both = {tag: known.get(tag, []) + found for tag, found in points(second).items()}
        assert repr({**known, **both}) == repr(whole), cut


def test_a_file_written_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "training.csv"
    file.write_text(KERAS)
    position = read(tmp_path).position
    file.write_text(KERAS.replace("0.75", "0.76") + "3,0.9,0.1,0.2\n")
    again = read(tmp_path, position=position)
    assert again.is_anew
    assert points(again)["accuracy"] == [(0, 0.5), (1, 0.76), (2, 0.875), (3, 0.9)]
    assert again.position is not None
    file.write_text(KERAS)
    assert len(points(read(tmp_path, position=again.position))["loss"]) == 3


def test_a_job_that_was_started_again_may_repeat_the_header_or_write_another(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("epoch,loss\n0,1.0\nepoch,loss\n0,0.9\nepoch,loss,mae\n1,0.8,2\n")
    assert points(read(tmp_path)) == {"loss": [(0, 1.0), (0, 0.9), (1, 0.8)], "mae": [(1, 2.0)]}


def test_a_bad_row_hides_no_other_and_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("epoch,loss\n0,1.0\n\0\0\0\n1,0.5,7\nx,0.3\n2,0.25\n3")
    reading = read(tmp_path)
    assert points(reading) == {"loss": [(0, 1.0), (2, 0.25)]}
    assert [(one.offset, one.kind) for one in reading.problems] == [
        (17, ProblemKind.CORRUPT),
        (21, ProblemKind.CORRUPT),
        (29, ProblemKind.CORRUPT),
        (42, ProblemKind.TRUNCATED),
    ]


def test_a_long_table_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_TEXT_BYTES_A_CALL", 100)
    (tmp_path / "training.csv").write_text("epoch,loss\n" + "".join(f"{number},0.5\n" for number in range(60)))
    reading = read(tmp_path)
    found = points(reading)["loss"]
    while reading.has_more:
        reading = read(tmp_path, position=reading.position)
        assert not reading.is_anew
        found += points(reading)["loss"]
    assert found == [(number, 0.5) for number in range(60)]


def test_a_table_of_data_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("sepal_length,species\n5.1,setosa\n")
    assert read(tmp_path).is_foreign


def test_times_are_seconds_whatever_unit_they_are_written_in(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Wall time,Step,Value\n1700000000.5,3,0.25\n")
    (tmp_path / "b.tsv").write_text("timestamp\tstep\tloss\n1700000000500\t3\t0.25\n")
    (tmp_path / "c.csv").write_text("time,step,loss\n12.5,3,0.25\n")
    found = [read(tmp_path, name).series[0] for name in ("a.csv", "b.tsv", "c.csv")]
    assert [one.tag for one in found] == ["Value", "loss", "loss"]
    assert [one.wall_time[0] for one in found[:2]] == [1700000000.5, 1700000000.5]
    assert math.isnan(found[2].wall_time[0])

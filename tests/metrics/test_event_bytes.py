"""Event files that are cut, bent, longer than a piece, written on or anew: what stands before a fault is kept."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics import tensorboard
from core.metrics.records import Position, ProblemKind, Reading
from core.stores.local import LocalStore
from fuzz.memory import MemoryStore
from tests.support.builders import varint
from tests.support.event_bytes import (
    RESTART,
    VERSION,
    event,
    field,
    float_tensor,
    frame,
    hparams,
    metadata,
    simple,
    tensor,
)

FRAMES = [
    VERSION,
    frame(event(0, simple("loss", 1.5), simple("acc", 0.25))),
    frame(event(1, tensor("val", float_tensor(0.5)))),
    frame(event(2, hparams(0.125))),
    RESTART,
    frame(event(3, tensor("note", b"\x08\x07" + field(2, b"") + field(8, b"hello"), "text"))),
    frame(event(300, simple("loss", -2.0))),
]
WHOLE = b"".join(FRAMES)
ENDS = list(itertools.accumulate(map(len, FRAMES)))


def read(content: bytes, position: Position | None = None) -> Reading:
    return tensorboard.read(MemoryStore({"e": content}), "e", position)


def told(reading: Reading) -> list[object]:
    """All that a reading tells, in order."""
    points = [(one.tag, *point) for one in reading.series for point in one.points()]
    return [*points, *reading.texts, *reading.restarts, *reading.parameters.items()]


def test_all_of_a_file_is_told() -> None:
    assert told(read(WHOLE)) == [
        ("loss", 0, 1.7e9, 1.5),
        ("loss", 300, 1.7e9 + 300, -2.0),
        ("acc", 0, 1.7e9, 0.25),
        ("val", 1, 1.7e9 + 1, 0.5),
        ("note", 3, 1.7e9 + 3, "hello"),
        (5, 1.7e9 + 5, ENDS[3]),
        ("lr", 0.125),
    ]


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_a_file_cut_anywhere_is_read_up_to_there_and_goes_on_once_it_has_grown(number: int) -> None:
    start = ENDS[number] - len(FRAMES[number])
    before = read(WHOLE[:start])
    assert before.problems == ()
    whole = read(WHOLE)
    for cut in range(start + 1, ENDS[number]):
        first = read(WHOLE[:cut])
        assert told(first) == told(before)
        assert [(one.kind, one.offset) for one in first.problems] == [(ProblemKind.TRUNCATED, start)]
        second = read(WHOLE, first.position)
        assert not second.is_anew
        assert sorted(map(repr, told(first) + told(second))) == sorted(map(repr, told(whole)))


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_a_bent_byte_takes_its_record_at_most_with_what_stands_behind_it(number: int) -> None:
    start = ENDS[number] - len(FRAMES[number])
    before = [repr(one) for one in told(read(WHOLE[:start]))]
    rest = {repr(one) for one in told(read(WHOLE))}
    for place in range(start, ENDS[number]):
        for bits in (0x01, 0x80, 0xFF):
            bent = WHOLE[:place] + bytes([WHOLE[place] ^ bits]) + WHOLE[place + 1 :]
            reading = read(bent)
            found = {repr(one) for one in told(reading)}
            assert set(before) <= found <= rest
            assert (reading.problems[0].kind, reading.problems[0].offset) == (ProblemKind.CORRUPT, start)


@given(st.lists(st.tuples(st.integers(0, 1 << 62), st.sampled_from("abcdef"), st.floats(width=32)), max_size=300))
def test_records_read_by_their_form_are_those_that_are_parsed(values: list[tuple[int, str, float]]) -> None:
    content = VERSION + b"".join(
        frame(event(step, simple(tag, value) if tag < "c" else tensor(tag, float_tensor(value)), wall_time=0.5 - step))
        for step, tag, value in values
    )
    found = {one.tag: [(point.x, point.value) for point in one.points()] for one in read(content).series}
    expected: dict[str, list[tuple[int, float]]] = {}
    for step, tag, value in values:
        expected.setdefault(tag, []).append((step, value))
    assert repr(found) == repr(expected)


def test_a_file_longer_than_a_piece_and_a_call_is_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "_PIECE", 700)
    monkeypatch.setattr(tensorboard, "MOST_BYTES_A_CALL", 9_000)
    content = VERSION + b"".join(frame(event(step, simple("loss", step), simple("x" * 600, 0))) for step in range(100))
    found: list[float] = []
    reading = read(content)
    while reading.has_more:
        found += reading.series[0].x.tolist()
        reading = read(content, reading.position)
        assert not reading.is_anew
    assert found + reading.series[0].x.tolist() == list(range(100))


def test_a_record_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "_PIECE", 200)
    monkeypatch.setattr(tensorboard, "_MOST_RECORD", 500)
    content = VERSION + frame(event(1, simple("x" * 490, 1.0))) + frame(event(2, simple("loss", 2.0)))
    reading = read(content)
    assert [(one.tag, one.x.tolist()) for one in reading.series] == [("loss", [2])]
    assert [(one.kind, one.offset) for one in reading.problems] == [(ProblemKind.TOO_LARGE, len(VERSION))]
    for cut in (len(VERSION), len(content) - 30, len(content)):  # before it, behind it, and behind all
        again = read(content + frame(event(3, simple("loss", 3.0))), read(content[:cut]).position)
        assert not again.is_anew
        assert again.series[0].x.tolist()[-1] == 3


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    file, store = tmp_path / "events.out.tfevents.1", LocalStore(str(tmp_path))
    file.write_bytes(WHOLE)
    position = tensorboard.read(store, file.name, None).position
    file.write_bytes(VERSION + frame(event(7, simple("other", 1.0))) + WHOLE)
    again = tensorboard.read(store, file.name, position)
    assert again.is_anew
    assert again.series[0].tag == "other"
    file.write_bytes(VERSION)
    assert tensorboard.read(store, file.name, again.position).is_anew


def test_a_file_that_is_replaced_while_it_is_read_is_read_anew() -> None:
    class Replaced(MemoryStore):
        """Another job's file takes its place once this one was read."""

        def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
            found = super().read_ranges(path, ranges)
            if len(ranges) == 1:
                self.files = {path: other}
            return found

    other = VERSION + b"".join(frame(event(step, simple("loss", 9.0))) for step in range(20))
    store = Replaced({"e": WHOLE})
    first = tensorboard.read(store, "e", None)
    assert first.series[0].values.tolist() == [1.5, -2.0]
    second = tensorboard.read(store, "e", first.position)
    assert second.is_anew
    assert second.series[0].x.tolist() == list(range(20))


def test_a_position_is_json_and_of_another_version_is_void() -> None:
    position = read(WHOLE).position
    assert position is not None
    assert told(read(WHOLE, position)) == []
    assert read(WHOLE, {**position, "reader": "tensorboard/0"}).is_anew


def test_types_that_are_rarely_written_and_tensors_that_are_no_number() -> None:
    three = b"\x08\x0e" + field(2, b"") + field(13, varint(0x4040))  # 3.0 in bfloat16
    flags = b"\x08\x0a" + field(2, b"") + field(11, b"\x01")
    two = b"\x08\x01" + field(2, field(2, b"\x08\x02")) + field(4, bytes(8))
    plain = field(1, b"plain") + field(8, float_tensor(4.0))
    image = field(1, b"image") + field(8, float_tensor(5.0)) + metadata("images")
    content = frame(event(1, tensor("three", three), tensor("flag", flags), tensor("two", two), plain, image))
    assert [(one.tag, one.values.tolist()) for one in read(content).series] == [
        ("three", [3]),
        ("flag", [1]),
        ("plain", [4]),
    ]


TABLE = b"|param|value|\n|-|-|\n|lr|2.5e-4|\n|env_id|CartPole-v1|\n|cuda|True|"


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        ("hyperparameters/text_summary", TABLE, {"lr": 2.5e-4, "env_id": "CartPole-v1", "cuda": True}),
        ("run/hparams", TABLE, {"lr": 2.5e-4, "env_id": "CartPole-v1", "cuda": True}),
        ("notes", TABLE, {}),
        ("hyperparameters", b"we tried\n|-|-|", {}),
    ],
)
def test_a_table_of_hyperparameters_is_one(tag: str, text: bytes, expected: dict[str, object]) -> None:
    content = b"\x08\x07" + field(2, b"") + field(8, text)
    assert read(frame(event(0, tensor(tag, content, "text")))).parameters == expected


def test_a_time_that_is_none_is_not_told() -> None:
    (series,) = read(
        b"".join(frame(event(0, simple("loss", 1.0), wall_time=time)) for time in (1e300, 1.7e9, -1e12))
    ).series
    assert repr(series.wall_time.tolist()) == "[nan, 1700000000.0, nan]"


def test_a_record_that_is_no_event_hides_no_other() -> None:
    content = VERSION + frame(b"\x0b\x0b") + frame(field(5, b"\x0a\x7f")) + frame(event(2, simple("loss", 2.0)))
    reading = read(content)
    assert [one.x.tolist() for one in reading.series] == [[2]]
    assert [one.kind for one in reading.problems] == [ProblemKind.CORRUPT, ProblemKind.TRUNCATED]
    assert [one.offset for one in reading.problems] == [len(VERSION) + 12, len(VERSION) + 18 + 12 + 2]

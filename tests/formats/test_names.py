"""Names as text: one text for each name, printable, and sorted as people count."""

import json
import os
import sqlite3
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.base.names import natural_key
from waypoint_resume.names import from_text, short_id, to_text

RAW_NAMES = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"\\", b"x", b"5c", b"ff", b"\xff", b"\n", b"\x1b", b"a", b"\xc3", b"\xa4", b"0"])).map(
        b"".join
    ),
).filter(lambda name: b"\0" not in name)


@given(RAW_NAMES)
@example(b"a\\x5cb")
@example(b"\\\xff")
@example(b"\\x\xff")
@example(b"\\x5\x0a")
def test_every_name_leads_to_a_text_and_back(raw: bytes) -> None:
    name = os.fsdecode(raw)
    assert from_text(to_text(name)) == name


@given(RAW_NAMES, RAW_NAMES)
def test_different_names_have_different_texts(first: bytes, second: bytes) -> None:
    assert (to_text(os.fsdecode(first)) == to_text(os.fsdecode(second))) is (first == second)


@given(RAW_NAMES)
@example("a\u202eb".encode())
@example(b"a\x1b[31m\r\nb")
@example("a\u2028b\x85".encode())
def test_texts_are_printable_and_fit_databases_and_json(raw: bytes) -> None:
    text = to_text(os.fsdecode(raw))
    text.encode()
    assert {unicodedata.category(letter) for letter in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
    assert json.loads(json.dumps(text)) == text
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute("SELECT ?", (text,)).fetchone() == (text,)
    connection.close()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ckpt-1", "ckpt-1"),
        ("größe 1".encode(), "größe 1"),
        ("模型".encode(), "模型"),
        (b"a\xffb", "a\\xffb"),
        (b"a\\b", "a\\b"),
        (b"a\\xyb", "a\\xyb"),
        (b"a\\xffb", "a\\x5cxffb"),
        (b"a\nb", "a\\x0ab"),
        ("a\u202eb".encode(), "a\\xe2\\x80\\xaeb"),
        ("a\u3000b".encode(), "a\u3000b"),
        (b"", ""),
    ],
    ids=[
        "plain",
        "umlaut",
        "chinese",
        "byte",
        "backslash",
        "no-hex",
        "looks-escaped",
        "line",
        "turned",
        "space",
        "empty",
    ],
)
def test_texts(raw: bytes, text: str) -> None:
    assert to_text(os.fsdecode(raw)) == text


def test_numbers_are_sorted_as_numbers() -> None:
    names = ["ckpt-10", "ckpt-9", "ckpt-1", "ckpt", "a-2-10", "a-2-9", "10", "9", "ckpt-09", "\u0663x"]
    assert sorted(names, key=natural_key) == [
        *("\u0663x", "9", "10", "a-2-9", "a-2-10", "ckpt", "ckpt-1", "ckpt-9", "ckpt-09", "ckpt-10"),
    ]


@given(st.lists(RAW_NAMES.map(os.fsdecode), max_size=6))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural_key)) == sorted(names)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_order_of_numbered_names_is_that_of_their_numbers(first: int, second: int) -> None:
    assert (natural_key(f"ckpt-{first}") < natural_key(f"ckpt-{second}")) is (first < second)


def test_ids_are_stable_and_tell_parts_apart() -> None:
    assert short_id("a", "b") == short_id("a", "b")
    assert len({short_id("a", "b"), short_id("ab"), short_id("a\0b", ""), short_id("b", "a"), short_id("\udcff")}) == 5
    assert all(len(short_id(text)) == 12 and int(short_id(text), 16) >= 0 for text in ("", "x", "\udcff"))

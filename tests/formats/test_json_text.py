"""JSON of untrusted files: what ends too early is told apart from what is no JSON."""

import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError
from core.formats import json_text
from core.formats.json_text import parse

DOCUMENT = '{"a": [1, -2.5e3, true, false, null, NaN, -Infinity], "é": "\\u00e9\\"\\\\", "b": {}}'.encode()


def test_a_document_cut_anywhere_is_truncated() -> None:
    assert parse(DOCUMENT, "x")["é"] == 'é"\\'
    for length in range(len(DOCUMENT)):
        with pytest.raises(TruncatedError) as caught:
            parse(DOCUMENT[:length], "x")
        assert caught.value.section == "x"


@pytest.mark.parametrize(
    "content",
    [
        b"{'a': 1}",
        b"[1, 2,, 3]",
        b"nonsense",
        b"\xff\xfe\xfd",
        b"[" * 200_000,
        b"9" * 10_000,
        b"{} {}",
        b'"\\ud83d"',
        b'"\xed\xa0\xbd"',
    ],
)
def test_no_json_is_corrupt(content: bytes) -> None:
    error: type[FormatError] = CorruptError
    with pytest.raises(error):
        parse(content, "x")


def test_whole_characters_in_two_halves_are_read() -> None:
    assert parse(b'["\\ud83d\\ude00", "\\\\ud800"]', "x") == ["\U0001f600", "\\ud800"]


def test_too_many_values_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "MAX_MARKS", 10)
    assert parse(b"[1,2,3,4,5,6,7,8,9,0]", "x") == [*range(1, 10), 0]
    with pytest.raises(TooLargeError, match="more than 10 brackets"):
        parse(b"[1,2,3,4,5,6,7,8,9,0,1]", "x")

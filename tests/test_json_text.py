"""JSON of untrusted files: what ends too early is told apart from what is no JSON."""

import pytest

from core.errors import CorruptError, FormatError, TruncatedError
from core.formats.json_text import parse

DOCUMENT = '{"a": [1, -2.5e3, true, false, null, NaN, -Infinity], "é": "\\u00e9\\"\\\\", "b": {}}'.encode()


def test_a_document_cut_anywhere_is_truncated() -> None:
    assert parse(DOCUMENT, "x")["é"] == 'é"\\'
    for length in range(len(DOCUMENT)):
        with pytest.raises(TruncatedError) as caught:
            parse(DOCUMENT[:length], "x")
        assert caught.value.section == "x"


@pytest.mark.parametrize(
    "content", [b"{'a': 1}", b"[1, 2,, 3]", b"nonsense", b"\xff\xfe\xfd", b"[" * 200_000, b"9" * 10_000, b"{} {}"]
)
def test_no_json_is_corrupt(content: bytes) -> None:
    error: type[FormatError] = CorruptError
    with pytest.raises(error):
        parse(content, "x")

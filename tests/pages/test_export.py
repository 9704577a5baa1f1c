"""CSV: what a spreadsheet would take for a formula stays text, numbers stay numbers, and it reads back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts.tables.export import csv_bytes

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def read(data: bytes) -> list[list[str]]:
    """The cells of a CSV document."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("start", STARTS, ids=ascii)
def test_a_text_that_may_be_a_formula_gets_an_apostrophe(start: str) -> None:
    text = f'{start}HYPERLINK("http://evil","x")'
    assert read(csv_bytes(["a", start], [[text, "x" + text]])) == [["a", f"'{start}"], [f"'{text}", f"x{text}"]]


def test_numbers_stay_numbers() -> None:
    assert csv_bytes(["n"], [[-5, 1.5, 0, None, 10**15]]) == b"n\r\n-5,1.5,0,,1000000000000000\r\n"


def test_a_name_that_is_not_unicode_can_be_written() -> None:
    assert csv_bytes(["n"], [["bad\udcff"]]) == b"n\r\nbad\\udcff\r\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_every_text_reads_back_but_for_the_apostrophe(cells: list[str]) -> None:
    (_, row) = read(csv_bytes(["n"], [cells]))
    assert [cell.removeprefix("'") for cell in row] == [cell.removeprefix("'") for cell in cells]
    assert not any(cell.startswith(STARTS) for cell in row)

"""The pages of docs/ hold what the tables in the code say."""

import pytest

from docs.make import HERE, PARTS, replaced


@pytest.mark.parametrize("part", PARTS)
def test_a_page_holds_what_its_table_in_the_code_says(part: str) -> None:
    text = (HERE / PARTS[part][0]).read_text(encoding="utf-8")
    assert text == replaced(text, part), f"docs/{PARTS[part][0]} is out of date: make docs"

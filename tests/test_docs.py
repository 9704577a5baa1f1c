"""The pages of docs/, and the list of the job's side, hold what the tables in the code say."""

import pytest

from docs.make import HERE, PARTS, replaced


@pytest.mark.parametrize("part", PARTS)
def test_a_file_holds_what_its_table_in_the_code_says(part: str) -> None:
    path = PARTS[part][0]
    text = (HERE / path).read_text(encoding="utf-8")
    assert text == replaced(text, part), f"{path} is out of date: make docs"

"""docs/resume.md says what is restored where; every cell is a case that is tried."""

from pathlib import Path

import pytest

from tests.compat.environments import ENVIRONMENTS
from tests.support.matrix import environments_table, restored_table

DOCS = Path(__file__).parents[2] / "docs" / "resume.md"


@pytest.mark.parametrize("table", [restored_table, environments_table])
def test_the_documented_matrix_is_the_one_that_is_tried(table: object) -> None:
    assert callable(table)
    assert table() in DOCS.read_text(encoding="utf-8")


def test_every_python_that_the_client_is_for_is_tried() -> None:
    assert {item.python for item in ENVIRONMENTS} == {"3.9", "3.10", "3.11", "3.12", "3.13"}
    assert len({item.name for item in ENVIRONMENTS}) == len(ENVIRONMENTS)

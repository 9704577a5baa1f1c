"""What docs/search.md and the help show as searches has a meaning."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.search.fields import CHECKPOINT_FIELDS, RUN_FIELDS
from core.search.meaning import understand
from core.services.searching import EXAMPLES

PAGE = (Path(__file__).parents[2] / "docs/search.md").read_text("utf-8")


WRITTEN = [
    *re.findall(r"`((?:saved|favourite|date|user|lr)[:=<>][^`]*)`", PAGE),
    *(one for one, _ in EXAMPLES),
]


@pytest.mark.parametrize("search", [*dict.fromkeys(WRITTEN), *re.findall(r"```\n(.*)\n```", PAGE)])
def test_what_is_written_as_an_example_has_a_meaning(search: str) -> None:
    assert understand(search, datetime.now(UTC), {**RUN_FIELDS, **CHECKPOINT_FIELDS}).conditions

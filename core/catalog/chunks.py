"""Values in parts that one statement takes."""

from collections.abc import Iterable, Sequence
from typing import Any

_CHUNK = 400  # values in one IN (…): SQLite's oldest limit on variables is 999


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Parts of some values, in order."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]

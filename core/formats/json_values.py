"""Numbers and values out of JSON that anybody may have written."""

import math
from collections.abc import Iterator

_MOST_TEXT = 200
_DEEPEST = 8


def shortened(text: str) -> str:
    """A text of bounded length."""
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def finite(value: object) -> float | None:
    """A number that can be compared; None for every other value, and for a bool."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole(value: object) -> int | None:
    """A count that a database holds."""
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def flat(value: object, name: str = "", depth: int = _DEEPEST, mark: str = "/") -> Iterator[tuple[str, object]]:
    """The leaves of nested objects, named as Ray names them: `optimizer/lr`, or with another mark. Lists are leaves."""
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            yield from flat(inner, f"{name}{mark}{key}" if name else str(key), depth - 1, mark)
    elif name:
        yield name, value

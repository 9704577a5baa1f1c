"""How much of what a tuner wrote is kept, and numbers and values out of JSON that anybody may have written."""

import json
import math
from collections.abc import Iterator

MOST_BYTES = 8 << 20  # of one JSON file of a trial
MOST_STATE_BYTES = 64 << 20  # of the state of a whole experiment
MOST_PARAMS = 200
MOST_METRICS = 64
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


def flat(value: object, name: str = "", depth: int = _DEEPEST) -> Iterator[tuple[str, object]]:
    """The leaves of nested objects, named as Ray names them: `optimizer/lr`. Lists are leaves."""
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            yield from flat(inner, f"{name}/{key}" if name else str(key), depth - 1)
    elif name:
        yield name, value


def params_of(values: object) -> tuple[tuple[str, str], ...]:
    """Hyperparameters as flat text, as many as are kept."""
    found: list[tuple[str, str]] = []
    for name, value in flat(values):
        if len(found) == MOST_PARAMS:
            break
        text = value if isinstance(value, str) else json.dumps(value)
        found.append((shortened(name), shortened(text)))
    return tuple(found)

"""Settings of the optimizer that a job applies after it has loaded, as people type them: `learning_rate = 0.0003`."""

import json
from collections.abc import Sequence

from core.resume.manifest import Scalar
from waypoint_resume.rules import scalar_value

_RATE = "learning_rate"


def parse_overrides(lines: Sequence[str]) -> dict[str, Scalar]:
    """Names and values, `name = value` in each line; a value is JSON (0.001, true, null), or else text as it stands.

    ValueError names the line.
    """
    found: dict[str, Scalar] = {}
    for number, line in enumerate(lines, 1):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not sign or not name or not value:
            raise ValueError(f"Line {number} is no override: write it as name = value.")
        if name in found:
            raise ValueError(f"Line {number}: {name} stands there twice.")
        found[name] = _value(value, number)
        if name == _RATE and not _is_rate(found[name]):
            raise ValueError(f"Line {number}: {value!r} is no {_RATE}; allowed: a number from 0 on.")
    return found


def _is_rate(value: Scalar) -> bool:
    """Whether waypoint_resume takes it for a learning rate."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _value(text: str, number: int) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if (problem := scalar_value(value)) is not None:
        raise ValueError(f"Line {number}: {problem}.")
    found: Scalar = value
    return found

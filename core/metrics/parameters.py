"""Parameters out of nested values: flat names, numbers as numbers, bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from core.base.names import printable
from core.formats.json_values import flat
from core.metrics.limits import DEEPEST, MOST_NAME, MOST_PARAMETERS, MOST_TEXT
from core.metrics.problems import Problems
from core.metrics.records import ParamValue, ProblemKind

_MARK = "."
_LONGEST_NUMBER = 40  # characters


def flat_parameters(values: object, problems: Problems) -> Mapping[str, ParamValue]:
    """The leaves of nested mappings by name (`optimizer.lr`); lists are JSON."""
    found: dict[str, ParamValue] = {}
    for name, value in flat(values, depth=DEEPEST, mark=_MARK):
        if len(found) == MOST_PARAMETERS:
            problems.add(ProblemKind.TOO_LARGE, f"more than {MOST_PARAMETERS:,} parameters: the rest is left out")
            break
        if len(name) <= MOST_NAME:
            found[printable(name)] = as_parameter(value)
    return found


def as_parameter(value: object) -> ParamValue:
    """A leaf as a number, a truth value, nothing or text of bounded length."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else bounded(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return bounded(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def parsed(text: str) -> ParamValue:
    """A value that a file keeps as text: a number or a truth value where it reads as one."""
    plain = text.strip()
    if plain in ("True", "true", "False", "false"):
        return plain in ("True", "true")
    if plain in ("None", "null"):
        return None
    number = _number(plain)
    return bounded(text) if number is None else as_parameter(number)


def _number(text: str) -> int | float | None:
    """The number that a text is, written as programs write one."""
    if "_" in text or not text.isascii():
        return None
    for kind in (int, float):
        try:
            return kind(text) if len(text) <= _LONGEST_NUMBER else None
        except ValueError:
            continue
    return None


def parameter_text(value: ParamValue) -> str:
    """A value as it is shown and searched: as JSON has it, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def bounded(text: str) -> str:
    """A text that every record and database takes."""
    text = printable(text).replace("\0", "\\x00")
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"

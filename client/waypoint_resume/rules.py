"""What single values of a JSON document must be: each rule says what is wrong with a value, and its JSON Schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from waypoint_resume.clock import UTC_PATTERN, utc_moment
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN, MANIFEST

MAX_PATH = 4096
_INT64 = 2**63
_SHOWN = 80
_ALLOWED_PATH = "allowed: a POSIX path relative to the run"
# For readers of the JSON Schema; `relative_path` says the same and also looks behind \xNN. `(?![\s\S])` is the end, for
# names may hold line breaks.
_END = r"(?![\s\S])"
PATH_PATTERN = rf"^(?!/)(?!(?:[\s\S]*/)?\.{{0,2}}(?:/|{_END}))[^\0]+{_END}"
PLACE_PATTERN = rf"^\.{_END}|{PATH_PATTERN}"


@dataclass(frozen=True)
class Rule:
    """A rule, which is called with a value and says what is wrong with it, None for nothing; and its JSON Schema."""

    check: Callable[[Any], str | None]
    schema: Mapping[str, Any]

    def __call__(self, value: object) -> str | None:
        """What is wrong with a value."""
        return self.check(value)


def shown(value: object) -> str:
    """A value as problems quote it: JSON, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def not_allowed(value: object, allowed: str) -> str:
    """The sentence for a value in the place of another kind."""
    return f"{shown(value)} is not allowed; allowed: {allowed}"


def whole_number(least: int | None, below: int | None, allowed: str) -> Rule:
    """A rule for a whole number; true is none."""

    def check(value: object) -> str | None:
        if type(value) is not int:
            return not_allowed(value, "an integer")
        is_fine = (least is None or least <= value) and (below is None or value < below)
        return None if is_fine else not_allowed(value, allowed)

    limits = {"minimum": least, "exclusiveMaximum": below}
    return Rule(check, {"type": "integer", **{name: one for name, one in limits.items() if one is not None}})


int_value = whole_number(-_INT64, _INT64, "an integer of 64 bits")  # what TensorFlow's counters hold
count_value = whole_number(0, _INT64, "an integer of 64 bits from 0 on")
size_value = whole_number(0, None, "an integer from 0 on")
mode_value = whole_number(0, 0o10000, "permission bits")


def text_of(least: int = 0, most: int | None = None) -> Rule:
    """A rule for text of some length in characters."""
    allowed = "text" if most is None else f"text of {f'{least} to' if least else 'at most'} {most:,} characters"
    limits = {"minLength": least or None, "maxLength": most}

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return not_allowed(value, "text")
        return None if least <= len(value) and (most is None or len(value) <= most) else not_allowed(value, allowed)

    return Rule(check, {"type": "string", **{name: one for name, one in limits.items() if one is not None}})


text_value = text_of()


def matching(pattern: re.Pattern[str], what: str | None = None) -> Rule:
    """A rule for text that matches a pattern as a whole; `what` names it in messages."""
    whole = f"^{pattern.pattern.removeprefix('^').removesuffix('$')}$"

    def check(value: object) -> str | None:
        if isinstance(value, str) and pattern.fullmatch(value):
            return None
        return not_allowed(value, what or f"text that matches {whole}")

    return Rule(check, {"type": "string", "pattern": whole})


def one_of(*allowed: str) -> Rule:
    """A rule for one of these texts."""
    names = [f"'{name}'" for name in allowed]
    told = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return Rule(
        lambda value: None if isinstance(value, str) and value in allowed else not_allowed(value, told),
        {"type": "string", "enum": list(allowed)},
    )


def _number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return not_allowed(value, "a number")
    return None if _is_finite(value) else not_allowed(value, "a finite number")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too long for a float
        return False


def _scalar(value: object) -> str | None:
    if value is None or isinstance(value, (str, bool)):
        return None
    allowed = "allowed: text, a number, true, false or null"
    if not isinstance(value, (int, float)):
        return f"no scalar; {allowed}"
    return None if _is_finite(value) else f"no finite number; {allowed}"


def _version(value: object) -> str | None:
    if type(value) is not int:
        return not_allowed(value, "an integer")
    return None if value == 1 else f"{shown(value)}: this version is not known here; allowed: 1"


def _utc(value: object) -> str | None:
    if utc_moment(value) is not None:
        return None
    return f"{shown(value)}: no ISO 8601 time in UTC; allowed: such as 2026-01-31T09:30:00Z"


number_value = Rule(_number, {"type": "number"})
scalar_value = Rule(_scalar, {"type": ["string", "number", "boolean", "null"]})
version_value = Rule(_version, {"const": 1})
bool_value = Rule(
    lambda value: None if isinstance(value, bool) else not_allowed(value, "true or false"), {"type": "boolean"}
)
moment_value = Rule(_utc, {"type": "string", "format": "date-time", "pattern": UTC_PATTERN})


def relative_path(text: str) -> str:
    """A path below its folder, POSIX, without `.`, `..`, empty parts or NUL, also behind the escapes of a name.

    ValueError for any other text.
    """
    name = from_text(text)
    if not text:
        raise ValueError(f"an empty path; {_ALLOWED_PATH}")
    if len(text) > MAX_PATH:
        raise ValueError(f"longer than {MAX_PATH:,} characters")
    if name.startswith("/"):
        raise ValueError(f"an absolute path; {_ALLOWED_PATH}")
    if "\0" in name:
        raise ValueError(f"a NUL byte in a path; {_ALLOWED_PATH}")
    for part in name.split("/"):
        if part == "..":
            raise ValueError(f"'..' leads out of its folder; {_ALLOWED_PATH}")
        if part in ("", "."):
            raise ValueError(f"{repr(part) if part else 'an empty part'} in a path; {_ALLOWED_PATH}, normalised")
    if to_text(name) != text:
        raise ValueError(rf"needless \xNN in a path; allowed: {to_text(name)!r}")
    return text


def place(text: str) -> str:
    """A path as `relative_path` allows it, or '.' for the folder itself."""
    return text if text == "." else relative_path(text)


def path_in_run(text: str) -> str:
    """A path as `relative_path` allows it, of a file that is not Waypoint's own."""
    first = relative_path(text).partition("/")[0]
    if first in (HIDDEN, MANIFEST):
        raise ValueError(f"{first} is no part of a checkpoint")
    return text


def path_rule(require: Callable[[str], str], pattern: str = PATH_PATTERN) -> Rule:
    """A rule for text that a function takes, which raises ValueError for any other."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return not_allowed(value, "text")
        try:
            require(value)
        except ValueError as error:
            return f"{shown(value)}: {error}"
        return None

    return Rule(check, {"type": "string", "minLength": 1, "maxLength": MAX_PATH, "pattern": pattern})


path_value = path_rule(relative_path)
place_value = path_rule(place, PLACE_PATTERN)
path_in_run_value = path_rule(path_in_run)

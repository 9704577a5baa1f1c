"""The values of a manifest that need more than a type: JSON itself, paths, moments, the values of overrides."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from core.model import Problem
from waypoint_resume.names import from_text, to_text

MAX_PATH = 4096
UTC_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$"
# For readers of the JSON Schema; `relative_path` says the same and also looks behind \xNN. `(?![\s\S])` is the end, for
# names may hold line breaks.
_END = r"(?![\s\S])"
PATH_PATTERN = rf"^(?!/)(?!(?:[\s\S]*/)?\.{{0,2}}(?:/|{_END}))[^\0]+{_END}"
PLACE_PATTERN = rf"^\.{_END}|{PATH_PATTERN}"

_UTC = re.compile(UTC_PATTERN, re.ASCII)


def only_version(version: int) -> Callable[[int], int]:
    """A check that a number is this version."""

    def check(value: int) -> int:
        if value != version:
            raise ValueError(f"this Waypoint does not know it; allowed: {version}")
        return value

    return check


def relative_path(text: str) -> str:
    """A path below its folder, POSIX, without `.`, `..`, empty parts or NUL, also behind the escapes of a name."""
    name = from_text(text)
    allowed = "allowed: a POSIX path relative to the run"
    if not text:
        raise ValueError(f"an empty path; {allowed}")
    if len(text) > MAX_PATH:
        raise ValueError(f"longer than {MAX_PATH:,} characters")
    if name.startswith("/"):
        raise ValueError(f"an absolute path; {allowed}")
    if "\0" in name:
        raise ValueError(f"a NUL byte in a path; {allowed}")
    for part in name.split("/"):
        if part == "..":
            raise ValueError(f"'..' leads out of its folder; {allowed}")
        if part in ("", "."):
            raise ValueError(f"{'an empty part' if not part else repr(part)} in a path; {allowed}, normalised")
    if to_text(name) != text:
        raise ValueError(rf"needless \xNN in a path; allowed: {to_text(name)!r}")
    return text


def place(text: str) -> str:
    """A path as `relative_path` allows it, or '.' for the folder itself."""
    return text if text == "." else relative_path(text)


def utc_text(value: object) -> object:
    """ISO 8601 text in UTC, or an aware datetime, which becomes UTC; ValueError for any other."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, str) and _UTC.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("no ISO 8601 time in UTC; allowed: such as 2026-01-31T09:30:00Z")


def scalar(value: object) -> object:
    """A JSON scalar; ValueError for an array, an object, NaN or infinity."""
    if value is not None and not isinstance(value, str | int | float | bool):
        raise ValueError("no scalar; allowed: text, a number, true, false or null")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no finite number; allowed: text, a number, true, false or null")
    return value


def load_json(text: str | bytes, limit: int) -> tuple[dict[str, Any] | None, tuple[Problem, ...]]:
    """A JSON object, or why there is none. Keys that occur twice are problems: readers differ in which they take."""
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in pairs:
            if key in members:
                twice.append(key)
            members[key] = value
        return members

    if len(text) > limit:
        return None, (Problem(path="", problem=f"{len(text):,} bytes; allowed: at most {limit:,}"),)
    try:
        # In this order: bytes that are not UTF-8, and text that cannot become UTF-8, are both refused.
        decoded = text.decode() if isinstance(text, bytes) else text.encode().decode()
        document = json.loads(decoded, object_pairs_hook=collect)
    except UnicodeError:
        return None, (Problem(path="", problem="not UTF-8"),)
    except (ValueError, RecursionError) as error:
        return None, (Problem(path="", problem=f"not JSON: {error}"),)
    if not isinstance(document, dict):
        return None, (Problem(path="", problem=f"{_kind(document)}; allowed: an object"),)
    return document, tuple(Problem(path=key, problem="the key stands there twice; allowed: once") for key in twice)


def _kind(value: object) -> str:
    names = {list: "an array", str: "text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")

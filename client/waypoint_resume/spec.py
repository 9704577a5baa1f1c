"""What a JSON document must look like, as data; every way in which one does not, each with its JSON path."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Optional

from waypoint_resume.names import from_text
from waypoint_resume.places import HIDDEN, MANIFEST

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
Check = Callable[[Any], Optional[str]]


def text_value(value: object) -> str | None:
    """Say what is wrong unless the value is text."""
    return None if isinstance(value, str) else "no text"


def int_value(value: object) -> str | None:
    """Say what is wrong unless the value is a whole number of 64 bits."""
    return None if type(value) is int and -(2**63) <= value < 2**63 else "no whole number"


def count_value(value: object) -> str | None:
    """Say what is wrong unless the value is a whole number from 0 on."""
    return None if type(value) is int and 0 <= value < 2**63 else "no whole number from 0 on"


def number_value(value: object) -> str | None:
    """Say what is wrong unless the value is a finite number."""
    with contextlib.suppress(OverflowError):  # a whole number too long for a float
        if type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
            return None
    return "no finite number"


def scalar_value(value: object) -> str | None:
    """Say what is wrong unless the value is text, a number, true, false or null."""
    return None if value is None or isinstance(value, (str, bool)) else number_value(value) and "no scalar"


def version_value(value: object) -> str | None:
    """Say what is wrong unless the value is 1."""
    return None if type(value) is int and value == 1 else f"{value!r} is unknown here; allowed: 1"


def bool_value(value: object) -> str | None:
    """Say what is wrong unless the value is true or false."""
    return None if isinstance(value, bool) else "neither true nor false"


def matching(pattern: re.Pattern[str], what: str) -> Check:
    """Return a check for text that matches a pattern, which is called `what` in messages."""
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else f"no {what}"


def one_of(*allowed: str) -> Check:
    """Return a check for one of these texts."""
    return lambda value: None if value in allowed else f"{value!r}; allowed: {', '.join(allowed)}"


def or_null(check: Check | dict[str, Any]) -> Any:  # noqa: ANN401 - a spec, see _problems
    """Return a spec that allows null beside what another allows."""
    return (check,)


def path_value(value: object) -> str | None:
    """Say what is wrong unless the value is a normalised POSIX path below the run."""
    if not isinstance(value, str) or not value or "\0" in value:
        return "no path"
    name = from_text(value)
    if name.startswith("/"):
        return "an absolute path; allowed: relative to the run"
    bad = [part for part in name.split("/") if part in ("", ".", "..")]
    return f"{bad[0]!r} in a path; allowed: normalised, below the run" if bad else None


def place_value(value: object) -> str | None:
    """Say what is wrong unless the value is such a path, or `.` for the run itself."""
    return None if value == "." else path_value(value)


def problems_of(value: Any, spec: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON, any spec
    """Every way in which a JSON value breaks a spec, each with its JSON path."""
    if isinstance(spec, tuple):
        if value is not None:
            yield from problems_of(value, spec[0], where)
    elif isinstance(spec, list):
        if not isinstance(value, list):
            yield f"in {where!r}: no array"
            return
        for number, item in enumerate(value):
            yield from problems_of(item, spec[0], f"{where}[{number}]")
    elif isinstance(spec, dict):
        if not isinstance(value, dict):
            yield f"in {where!r}: no object"
            return
        any_name = spec.get(...)
        for name in value.keys() | spec.keys() - {...}:
            inner = f"{where}.{name}" if where else name
            if name not in value:
                yield f"in {inner!r}: missing"
            elif name in spec or any_name:
                yield from problems_of(value[name], spec.get(name, any_name), inner)
            else:
                yield f"in {inner!r}: an unknown field"
    elif problem := spec(value):
        yield f"in {where!r}: {problem}"


def size_value(value: object) -> str | None:
    """Say what is wrong unless the value is a whole number from 0 on, of any length."""
    return None if type(value) is int and value >= 0 else "no whole number from 0 on"


def path_in_run_value(value: object) -> str | None:
    """A path below the run that is not one of Waypoint's own."""
    problem = path_value(value)
    first = "" if problem else from_text(str(value)).partition("/")[0]
    return problem or (f"{first} is no part of a checkpoint" if first in (HIDDEN, MANIFEST) else None)

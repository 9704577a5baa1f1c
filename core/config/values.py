"""What each setting may hold: from the text of the environment or a TOML value to the value that is used.

Every function raises ValueError whose text says what is allowed; the caller adds the key and the given value.
"""

import getpass
import math
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from core.base.layout import parse_layout

ACTOR_LIMIT = 100
SHOWN_LIMIT = 80
# A path separator, but not the colon of s3:// or gs://.
_SEPARATOR = re.compile(re.escape(os.pathsep) + r"(?!//)")


MOST_SECONDS = 1e9  # 31 years: what is longer is a slip, and overflows clocks


def seconds(value: object) -> float:
    """A finite number of seconds, 0 or more; text holds one in the environment. A bool is none."""
    number = _number(value)
    if number is None or number < 0:
        raise ValueError("must be a number of seconds, 0 or more")
    return _not_too_long(number)


def positive_seconds(value: object) -> float:
    """A finite number of seconds greater than 0."""
    number = _number(value)
    if number is None or number <= 0:
        raise ValueError("must be a number of seconds greater than 0")
    return _not_too_long(number)


def _not_too_long(number: float) -> float:
    if number > MOST_SECONDS:
        raise ValueError(f"must be at most {MOST_SECONDS:,.0f} seconds")
    return number


def roots(value: object) -> tuple[str, ...]:
    """Absolute, normalised folders without duplicates, in the given order; a URL stays as it is."""
    folders = tuple(dict.fromkeys(_location(item) for item in _items(value, "a list of folders")))
    if not folders:
        raise ValueError("must name at least one folder")
    return folders


def patterns(value: object) -> tuple[str, ...]:
    """Globs that stay inside a root."""
    globs = tuple(dict.fromkeys(_items(value, "a list of globs")))
    for glob in globs:
        if PurePosixPath(glob).is_absolute() or ".." in PurePosixPath(glob).parts:
            raise ValueError(f"must hold globs relative to a root, without '..': {shorten(glob)} is none")
    return globs


def folder(value: object) -> Path:
    """One local folder, made absolute; it need not exist."""
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be the path of a folder")
    _refuse_nul(value)
    if "://" in value:
        raise ValueError("must be a local folder, not a URL")
    return Path(_absolute(value))


def optional_folder(value: object) -> Path | None:
    """One local folder, or None."""
    return None if value is None else folder(value)


def actor(value: object) -> str:
    """A name of one line: it is written into logs and journals."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > ACTOR_LIMIT or not name.isprintable():
        raise ValueError(f"must be a name of 1 to {ACTOR_LIMIT} printable characters")
    return name


def layout(value: object) -> str | None:
    """How the parts of runs' paths are called; None for a guess."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be text such as {project}/{user}/{date}/{run}")  # noqa: TRY004 - as in `_items`
    return str(parse_layout(value.strip().strip("/")))


def default_home() -> Path:
    """The state folder of the XDG base directory specification, which says that a relative one is to be ignored."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = "~/.local/state"
    return Path(base, "waypoint")


def default_actor() -> str:
    """The user of the operating system; its number where it has no name (in containers)."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def shorten(value: object) -> str:
    """A value as it stands in a message."""
    text = repr(value)
    return text if len(text) <= SHOWN_LIMIT else text[: SHOWN_LIMIT - 1] + "…"


def days(value: object) -> float:
    """A finite number of days, 0 or more."""
    number = _number(value)
    if number is None or number < 0:
        raise ValueError("must be a number of days, 0 or more")
    _not_too_long(number * 86_400)
    return number


def tables(value: object) -> tuple[dict[str, Any], ...]:
    """Tables of waypoint.toml; what stands in them is looked at where it is used."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, dict) for item in value):
        raise ValueError("must be tables of waypoint.toml, each headed [[retention]]")
    return tuple(value)


def table(value: object) -> dict[str, Any]:
    """A table of waypoint.toml; what stands in it is looked at where it is used."""
    if not isinstance(value, dict):
        raise ValueError("must be a table of waypoint.toml, headed [metric]")  # noqa: TRY004 - as all values here
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _items(value: object, what: str) -> list[str]:
    """Split the text of the environment, or take a list of strings; empty items of a text are dropped."""
    if isinstance(value, str):
        items: list[object] = [item for item in _SEPARATOR.split(value) if item.strip()]
    elif isinstance(value, list | tuple):
        items = list(value)
    else:
        raise ValueError(f"must be {what}")  # noqa: TRY004 - pydantic turns only a ValueError into a problem of its key
    checked = []
    for item in items:
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f"must be {what}, each a text that is not empty: {shorten(item)} is none")
        _refuse_nul(item)
        checked.append(item)
    return checked


def _location(text: str) -> str:
    return text.rstrip("/") if "://" in text else _absolute(text)


def _absolute(text: str) -> str:
    """Expand a home folder and normalise; symlinks stay, for their names are what people know."""
    expanded = os.path.expanduser(text)
    if expanded == "~" or expanded.startswith("~/"):
        raise ValueError("must be an absolute path here: the home folder of the user is unknown")
    return os.path.abspath(expanded)


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")

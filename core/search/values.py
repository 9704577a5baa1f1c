"""The values of a search: numbers with units, spans of time, dates."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-z]*)", re.IGNORECASE | re.ASCII)
_TIMES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_SECONDS = 10**10  # 300 years: longer spans reach back to before there were files
_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?Z?)?)?)?", re.IGNORECASE | re.ASCII
)
_DAY = re.compile(r"((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", re.ASCII)
NUMBER_UNITS, SPAN_UNITS = "k, M, G, KiB, MiB, GiB", "s, m, h, d, w"


class Moments(NamedTuple):
    """A stretch of time: the first moment of it, and the first after it."""

    start: datetime
    end: datetime


def number(text: str) -> float | None:
    """A number with its unit: `0.3`, `1e-3`, `10k`, `1.5GiB`, `200MB`; None for anything else, and for what no float
    holds.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    unit = found[2].lower()
    times = {**_TIMES, **_BINARY}.get(unit.removesuffix("b"))
    if times is None:
        return None
    value = float(found[1]) * times
    return value if abs(value) < float("inf") else None


def span(text: str) -> timedelta | None:
    """A span of time: `90s`, `30m`, `12h`, `7d`, `2w`; None for anything else."""
    found = _NUMBER.fullmatch(text)
    seconds = None if found is None else _SECONDS.get(found[2].lower())
    if found is None or seconds is None or not 0 <= float(found[1]) * seconds <= _MOST_SECONDS:
        return None
    return timedelta(seconds=float(found[1]) * seconds)


def moments(text: str) -> Moments | None:
    """A year, month, day, minute or second in UTC: `2026`, `2026-11`, `2026-11-01`, `2026-11-01T12:30`; None for
    anything else.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    parts = [int(part) for part in found.groups() if part is not None]
    try:
        start = datetime(*[*parts, 1, 1][: max(len(parts), 3)], tzinfo=UTC)  # type: ignore[arg-type,misc]
        return Moments(start, _after(start, len(parts)))
    except (ValueError, OverflowError):
        return None


def day_in(name: str) -> str | None:
    """The ISO date that a name is or begins with: `2026-11-01`, `20261101-1200`, `2026_11_01_b`; None for none."""
    found = _DAY.match(name)
    try:
        return None if found is None else datetime(*map(int, found.groups()), tzinfo=UTC).date().isoformat()  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def _after(start: datetime, parts: int) -> datetime:
    if parts == 1:
        return start.replace(year=start.year + 1)
    if parts == 2:
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + {3: timedelta(days=1), 5: timedelta(minutes=1), 6: timedelta(seconds=1)}[parts]

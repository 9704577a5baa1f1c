"""Dates and clocks in file names: when something was made, never how far it was trained.

People write them in many ways: `20240101-235901`, `2024-01-01T23:59:01Z`, `24-01-01`, `Jan01_12-30-45`, `2019_8`, the
week `2024w51`, the day of the year `2024-032`, the quarter `2024Q1`, `11_59_PM`, seconds since 1970. A moment has no
time zone: it serves to put names in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

_NO_YEAR = 1904  # a leap year, for dates that name none
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_CLOCK = (
    r"(?P<hour>[01]\d|2[0-3])(?P<colon>[-:_.h]?)(?P<minute>[0-5]\d)"
    r"(?:(?:(?P=colon)|(?<=\d)m)(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d{1,9}))?s?)?"
    r"(?:[-_. ]?(?P<half>[AaPp])[Mm](?![A-Za-z]))?(?:Z|UTC|[+-]\d\d:?\d\d(?!\d))?"
)
_GAP = r"(?:[-_. @]{1,3}|[-_]?[Tt]|_at_)"
_THEN = rf"(?:{_GAP}{_CLOCK})"
_YEAR, _MONTH_2, _DAY = r"(?P<year>19[7-9]\d|20\d\d)", r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12]\d|3[01])"
_AFTER = r"(?!\d|\.\d)"
# Behind a number and a dash a date begins only with its year: the 10-12-24 of `5-10-12-24` are four numbers.
_DIGITS = [
    rf"(?<![\d.]){_YEAR}{_MONTH_2}{_DAY}(?:{_GAP}?{_CLOCK})?{_AFTER}",
    rf"(?<![\d.]){_YEAR}(?P<dash>[-_.])(?P<month>1[0-2]|0?[1-9])(?P=dash)(?P<day>[12]\d|3[01]|0?[1-9]){_THEN}?{_AFTER}",
    rf"(?<![\d.v])(?<!\d[-_])(?P<short>[1-3]\d)(?P<dash>[-_]){_MONTH_2}(?P=dash){_DAY}{_THEN}?{_AFTER}(?![-_]\d)",
    rf"(?<![\d.])(?P<short>[1-3]\d){_MONTH_2}{_DAY}[-_T]{_CLOCK}{_AFTER}",
    rf"(?<![\d.])(?<!\d[-_])(?P<first>\d\d?)(?P<dash>[-_.])(?P<other>\d\d?)(?P=dash){_YEAR}{_THEN}?{_AFTER}",
    rf"(?<![\d.])(?<!\d[-_]){_YEAR}[-_](?P<month>1[0-2]|0?[1-9]){_AFTER}(?![-_]\d)",
    rf"(?<![\d.])(?<!\d[-_])(?P<month>0[1-9]|1[0-2])[-_](?P<year>20[1-3]\d){_AFTER}(?![-_]\d)",
    rf"(?<![\d.])(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?{_AFTER}",
    r"(?<![\d.])(?P<hour>[01]\d|2[0-3])h(?P<minute>[0-5]\d)(?:m?(?P<second>[0-5]\d)s?)?(?![\dA-Za-z])",
]
_WEEK, _THEN_NONE = r"(?P<week>0[1-9]|[1-4]\d|5[0-3])", r"(?![\dA-Za-z])"
_PARTS_OF_YEARS = [
    rf"(?<![\d.]){_YEAR}(?P<dash>[-_]?)[Ww]{_WEEK}(?:(?P=dash)(?P<weekday>[1-7]))?{_THEN_NONE}",
    rf"(?<![\d.]){_YEAR}[-_ ]?(?i:kw|cw|wk|week)[-_ ]?(?P<week>0?[1-9]|[1-4]\d|5[0-3]){_THEN_NONE}",
    rf"(?<![\d.])(?P<short>1[5-9]|[23]\d)[Ww]{_WEEK}{_THEN_NONE}",
    rf"(?<![\d.]){_YEAR}[-_]?[Qq](?P<quarter>[1-4]){_THEN_NONE}",
    rf"(?<![\dA-Za-z])[Qq](?P<quarter>[1-4])[-_]?{_YEAR}{_THEN_NONE}",
    rf"(?<![\d.])(?<!\d[-_])(?P<year>20[1-3]\d)[-_](?P<yearday>[0-3]\d\d){_AFTER}(?![-_]\d)",
]
_WORDS = [
    rf"(?P<name>{_MONTH})[-_. ]?(?P<day>\d\d?)[-_. ,]+{_YEAR}{_THEN}?",
    rf"(?P<name>{_MONTH})[-_. ]?(?P<day>\d\d?){_THEN}(?:[-_ ]{_YEAR})?",
    rf"(?P<day>\d\d?)[-_. ]?(?P<name>{_MONTH})[-_. ]?(?:{_YEAR}|(?P<short>\d\d)){_THEN}?",
    rf"(?P<name>{_MONTH})[-_. ]?{_YEAR}",
    r"(?-i:(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))(?P<day>[0-3]\d)",
    r"(?P<day>[0-3]\d)(?-i:(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))",
]
_PATTERNS = [re.compile(shape) for shape in (*_DIGITS, *_PARTS_OF_YEARS)] + [
    re.compile(rf"(?<![A-Za-z\d])(?:{shape})(?![\dA-Za-z])", re.IGNORECASE) for shape in _WORDS
]
_OF_TWO_DIGITS = _PATTERNS[-2:]  # a month's name and a day
_SINCE_1970 = re.compile(
    r"(?<![\d.])(?P<seconds>[1-3]\d{9})(?:\.?(?P<fraction>\d{3}|\d{6,9})|\.(?P<part>\d{1,9}))?(?!\d)"
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - names have no zone


class Moment(NamedTuple):
    """A date or clock in a name: where it stands, and the moment; None where day and month cannot be told apart."""

    start: int
    end: int
    value: Optional[datetime]  # noqa: UP045 - Python 3.9 has no other way to say it


def moments_in(name: str) -> list[Moment]:
    """Every date, date with a clock, and time since 1970 in a name, from left to right."""
    digits = sum(letter.isdigit() for letter in name)
    if digits < 2:
        return []
    found: list[Moment] = []
    for pattern in (*_PATTERNS, _SINCE_1970) if digits > 2 else _OF_TWO_DIGITS:
        for match in pattern.finditer(name):
            if all(match.end() <= other.start or other.end <= match.start() for other in found):
                found += _moment_of(match)
    return sorted(found)


def _moment_of(match: re.Match[str]) -> Iterator[Moment]:
    parts = match.groupdict()
    if "seconds" in parts:
        fraction = float(f"0.{parts['fraction'] or parts['part'] or 0}")
        yield Moment(*match.span(), _EPOCH + timedelta(seconds=int(parts["seconds"]) + fraction))
        return
    month, day = parts.get("month"), parts.get("day") or "1"
    if (word := parts.get("name")) is not None:
        month = str(_MONTHS.index(word[:3].lower()) + 1)
    if "first" in parts:
        month, day = _month_and_day(int(parts["first"]), int(parts["other"]), parts["dash"])
    year = int(parts.get("year") or 0) or (2000 + int(parts["short"]) if parts.get("short") else _NO_YEAR)
    hours, minutes, seconds = (int(parts.get(key) or 0) for key in ("hour", "minute", "second"))
    if (half := parts.get("half")) is not None and 1 <= hours <= 12:
        hours = hours % 12 + (12 if half in "Pp" else 0)
    micros = int((parts.get("fraction") or "0").ljust(6, "0")[:6])
    if month is None and "first" in parts:
        yield Moment(*match.span(), None)
        return
    try:
        if (part := _part_of_year(year, parts)) is not None:
            yield Moment(*match.span(), part)
            return
        value = datetime(year, int(month or 1), int(day or 1), hours, minutes, seconds, micros)  # noqa: DTZ001
    except ValueError:
        return
    yield Moment(*match.span(), value)


def _part_of_year(year: int, parts: Mapping[str, str | None]) -> datetime | None:
    """The first day of a week, a quarter or the day of a year; None where none is named. ValueError for none such."""
    if (week := parts.get("week")) is not None:
        return datetime.strptime(f"{year}-{week}-{parts.get('weekday') or 1}", "%G-%V-%u")  # noqa: DTZ007
    if (quarter := parts.get("quarter")) is not None:
        return datetime(year, 3 * int(quarter) - 2, 1)  # noqa: DTZ001
    if (day := parts.get("yearday")) is not None:
        if not 1 <= int(day) <= (366 if year % 4 == 0 else 365):
            raise ValueError(day)
        return datetime(year, 1, 1) + timedelta(days=int(day) - 1)  # noqa: DTZ001
    return None


def _month_and_day(first: int, other: int, dash: str) -> tuple[str | None, str | None]:
    """`31.12.2024` is day first and so is what has a dot; with dashes either may be, unless one is above 12."""
    if dash == "." or first > 12:
        return str(other), str(first)
    return (str(first), str(other)) if other > 12 or first == other else (None, None)


def has_year(moment: datetime) -> bool:
    """Whether the name told the year: `Jan01_12-30-45` does not."""
    return moment.year != _NO_YEAR


def in_one_year(moments: Iterable[datetime]) -> dict[datetime, datetime]:
    """What to order moments by. Those without a year begin behind the longest pause: December before January."""
    known = sorted(set(moments))
    if any(has_year(moment) for moment in known) or len(known) < 2:
        return {moment: moment for moment in known}
    year = timedelta(days=366)
    around = [*known[1:], known[0] + year]
    pauses = [after - before for before, after in zip(known, around)]
    last = known[pauses.index(max(pauses))]
    return {moment: moment if moment > last else moment + year for moment in known}

"""From terms to conditions: which fields are meant, and what their values are. What a search means, and no more of how
it is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from core.search.errors import SearchError
from core.search.fields import RUN_FIELDS, Field, Kind
from core.search.folding import fold
from core.search.grammar import Operator, Term, Text, parse
from core.search.values import NUMBER_UNITS, SPAN_UNITS, moments, number, span

T = TypeVar("T")
_EQUALITY = (Operator.HAS, Operator.IS, Operator.IS_NOT)
# What is younger was later.
_AGE = {
    Operator.LESS: Operator.MORE,
    Operator.AT_MOST: Operator.AT_LEAST,
    Operator.MORE: Operator.LESS,
    Operator.AT_LEAST: Operator.AT_MOST,
}
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
# Logs hold float32, where 0.3 is 0.30000001192: numbers that agree in six digits are equal.
_SAME = 1e-6
_EPOCH, _US = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Which(StrEnum):
    """Which value of a metric is compared: the last without a word, else `.best`, `.min` and so on after its name."""

    FIRST = "first"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    BEST = "best"


class Range(NamedTuple, Generic[T]):
    """Values from `low` to `high`, None for no bound; whether the bounds themselves are among them."""

    low: T | None = None
    high: T | None = None
    has_low: bool = True
    has_high: bool = True

    @classmethod
    def compared(cls, operator: Operator, first: T, last: T) -> "Range[T]":
        """What compares so with a value that goes from a first to a last. Of `!=` those that it is not."""
        return {
            Operator.LESS: cls(high=first, has_high=False),
            Operator.AT_MOST: cls(high=last),
            Operator.MORE: cls(low=last, has_low=False),
            Operator.AT_LEAST: cls(low=first),
        }.get(operator, cls(low=first, high=last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """A folded text that stands in what words are looked for in."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsText:
    """A field's folded text: has this one as a part, or is it."""

    field: Field
    text: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IsOne:
    """A field that has one of some values; of a flag True or False."""

    field: Field
    value: str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InRange:
    """A field's number, or its time in microseconds since the epoch, that is known and in a range; `is_other`: known
    and not in it.
    """

    field: Field
    range: Range[float]
    is_other: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A level, metric or parameter of a run by its name. One of these holds: its number is in `range`, its day (an ISO
    date) in `days`, its folded text has `part` in it, or is `whole`. Of a parameter that is a number no part is looked
    at. `is_other`: it is there, and none of these holds of it.
    """

    name: str
    which: Which = Which.LAST
    range: Range[float] | None = None
    days: Range[str] | None = None
    part: str | None = None
    whole: str | None = None
    is_other: bool = False


Test = Contains | IsText | IsOne | InRange | Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A test that must hold, or must not."""

    test: Test
    is_negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search means, all of which must hold, and the time at which it was asked (for ages and status)."""

    conditions: tuple[Condition, ...]
    now: datetime


def understand(text: str, now: datetime, fields: Mapping[str, Field] = RUN_FIELDS) -> Search:
    """What a search means at a time. SearchError, naming the character, where it has no meaning."""
    return Search(conditions=tuple(_condition(term, text, now, fields) for term in parse(text)), now=now)


def _condition(term: Term, text: str, now: datetime, fields: Mapping[str, Field]) -> Condition:
    if term.operator is None or term.value is None:
        folded = fold(term.word.text)
        if not folded:
            raise SearchError("expected a letter or digit", text=text, at=term.word.at)
        return Condition(test=Contains(text=folded), is_negated=term.is_negated)
    comparison = _Comparison(text, now, term.word, term.operator, term.operator_at, term.value)
    field = None if term.word.is_quoted else fields.get(term.word.text.lower())
    test = comparison.named() if field is None else comparison.of(field)
    is_opposite = term.operator is Operator.IS_NOT and isinstance(test, IsText | IsOne)
    return Condition(test=test, is_negated=term.is_negated != is_opposite)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison, whose value is read as the field wants it."""

    text: str
    now: datetime
    word: Text
    operator: Operator
    operator_at: int
    value: Text

    def expected(self, what: str) -> SearchError:
        found = f"found {self.value.text!r}" if self.value.text else "found nothing"
        return SearchError(f"expected {what} after {self.operator}, {found}", text=self.text, at=self.value.at)

    def wrong_operator(self, reason: str) -> SearchError:
        return SearchError(f"{reason}, not by {self.operator}", text=self.text, at=self.operator_at)

    def of(self, field: Field) -> Test:
        """The test of a field."""
        if field.kind in (Kind.TEXT, Kind.TAG, Kind.CHOICE, Kind.FLAG):
            if self.operator not in _EQUALITY:
                raise self.wrong_operator(f"{field.name} is compared by :, = or !=")
            return self._choice(field) if field.kind in (Kind.CHOICE, Kind.FLAG) else self._words(field)
        is_other = self.operator is Operator.IS_NOT
        if field.kind is Kind.MOMENT:
            return InRange(field=field, range=self._time(), is_other=is_other)
        value = number(self.value.text)
        if value is None:
            raise self.expected(f"a number (units: {NUMBER_UNITS})")
        return InRange(field=field, range=Range.compared(self.operator, value, value), is_other=is_other)

    def _words(self, field: Field) -> IsText:
        folded = fold(self.value.text)
        if not folded and self.operator is Operator.HAS:
            raise self.expected("text")
        return IsText(field=field, text=folded, is_whole=self.operator is not Operator.HAS)

    def _choice(self, field: Field) -> IsOne:
        allowed: Mapping[str, str | bool] = _TRUTH if field.kind is Kind.FLAG else {one: one for one in field.choices}
        value = allowed.get(self.value.text.lower())
        if value is None:
            raise self.expected("yes or no" if field.kind is Kind.FLAG else _listed(field.choices))
        return IsOne(field=field, value=value)

    def _time(self) -> Range[float]:
        """In microseconds since the epoch. A span is an age: `<7d` is within the last seven days."""
        if (age := span(self.value.text)) is not None:
            moment = float(_us(self.now) - age // _US)
            if self.operator in _EQUALITY:
                raise self.wrong_operator("an age is compared by < or >")
            return Range.compared(_AGE[self.operator], moment, moment)
        if (found := moments(self.value.text)) is not None:
            return Range.compared(self.operator, float(_us(found.start)), float(_us(found.end) - 1))
        raise self.expected(f"an age (units: {SPAN_UNITS}) or a date such as 2026-11-01")

    def named(self) -> Named:
        """The test of a name that is none of ours."""
        name, which = self._name()
        value = None if self.value.is_quoted else number(self.value.text)
        margin = abs(value or 0.0) * _SAME
        numbers = None if value is None else Range.compared(self.operator, value - margin, value + margin)
        days = None if self.value.is_quoted else self._days()
        if self.operator not in _EQUALITY:
            if numbers is None and days is None:
                raise self.expected("a number or a date")
            return Named(name=name, which=which, range=numbers, days=days)
        folded, is_part = fold(self.value.text), self.operator is Operator.HAS
        if not folded and is_part:
            raise self.expected("a value")
        texts = {"part": folded} if is_part else {"whole": folded}
        return Named(
            name=name, which=which, range=numbers, days=days, is_other=self.operator is Operator.IS_NOT, **texts
        )

    def _name(self) -> tuple[str, Which]:
        before, _, after = self.word.text.rpartition(".")
        if before and after in tuple(Which) and not self.word.is_quoted:
            return before, Which(after)
        return self.word.text, Which.LAST

    def _days(self) -> Range[str] | None:
        if (age := span(self.value.text)) is not None and self.operator in _AGE:
            day = (self.now - age).date().isoformat()
            return Range.compared(_AGE[self.operator], day, day)
        found = moments(self.value.text)
        if found is None or "-" not in self.value.text:  # a year alone is a number
            return None
        first, last = found.start.date().isoformat(), (found.end - _US).date().isoformat()
        return Range.compared(self.operator, first, last)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _US


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"

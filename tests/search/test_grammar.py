"""The grammar of searches: what each part means, and where one that has no meaning is wrong."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.search.errors import SearchError
from core.search.fields import CHECKPOINT_FIELDS, RUN_FIELDS
from core.search.grammar import MOST_LETTERS, MOST_TERMS, Operator, Term, Text, parse
from core.search.meaning import Contains, InRange, Named, Range, Search, Which, understand
from core.search.values import Moments, moments, number, span

NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)


def told(text: str) -> list[tuple[object, ...]]:
    return [
        ("-" * term.is_negated + term.word.text, term.operator and str(term.operator), term.value and term.value.text)
        for term in parse(text)
    ]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        (" \t\n", []),
        ("alice sweep", [("alice", None, None), ("sweep", None, None)]),
        ("-scratch", [("-scratch", None, None)]),
        ("a-b --c", [("a-b", None, None), ("--c", None, None)]),
        ('"exact words" -"a ""b"""', [("exact words", None, None), ('-a "b"', None, None)]),
        ("val_loss<0.3", [("val_loss", "<", "0.3")]),
        ("val_loss  <=\t0.3 x", [("val_loss", "<=", "0.3"), ("x", None, None)]),
        ("a!=b c!d", [("a", "!=", "b"), ("c!d", None, None)]),
        ("-tag:old tag:stage:prod", [("-tag", ":", "old"), ("tag", ":", "stage:prod")]),
        ('"train/loss (ema)">=-1e-3', [("train/loss (ema)", ">=", "-1e-3")]),
        ('note="" owner:"Ada L."', [("note", "=", ""), ("owner", ":", "Ada L.")]),
        ("推荐 café", [("推荐", None, None), ("café", None, None)]),
        ("path:a=b", [("path", ":", "a=b")]),
    ],
)
def test_a_search_is_words_and_comparisons(text: str, terms: list[tuple[object, ...]]) -> None:
    assert told(text) == terms


WRONG = [
    ("a -", 3, "expected a word right after -, found the end"),
    ("a - b", 3, "expected a word right after -, found ' '"),
    ("< 3", 0, "expected a name before <"),
    ("a :=b", 3, "expected a value after :, found '='"),
    ("lr==1", 3, "expected a value after =, found '='"),
    ("loss<", 5, "expected a value after <, found the end"),
    ("loss< ", 6, "expected a value after <, found the end"),
    ('a "b', 4, 'expected a closing "'),
    ('a ""', 2, "expected text between the quotes"),
    ('a"b"', 1, "expected a blank, found '\"'"),
    ('"b"a', 3, "expected a blank, found 'a'"),
    ("a\0", 1, "unexpected character U+0000"),
    ("a" * (MOST_LETTERS + 1), MOST_LETTERS, "it is longer than 1,000 characters"),
    ("a " * (MOST_TERMS + 1), 2 * MOST_TERMS, "more than 50 terms"),
    ("a loss<b", 7, "expected a number or a date after <, found 'b'"),
    ("saved:7d", 5, "an age is compared by < or >, not by :"),
    ("saved<soon", 6, "expected an age (units: s, m, h, d, w) or a date such as 2026-11-01 after <, found 'soon'"),
    ("saved>2026-02-30", 6, "expected an age"),
    ("size>1QB", 5, "expected a number (units: k, M, G, KiB, MiB, GiB) after >, found '1QB'"),
    ("size>1e999", 5, "expected a number"),
    ("status:dead", 7, "expected live, idle or stale after :, found 'dead'"),
    ("health>ok", 6, "health is compared by :, = or !=, not by >"),
    ("favourite:maybe", 10, "expected yes or no after :, found 'maybe'"),
    ('note:""', 5, "expected text after :, found nothing"),
    ('lr:""', 3, "expected a value after :, found nothing"),
    ("\u0301", 0, "expected a letter or digit"),
]


@pytest.mark.parametrize(("text", "at", "reason"), WRONG, ids=[text[:20] for text, _, _ in WRONG])
def test_an_error_points_at_the_character(text: str, at: int, reason: str) -> None:
    with pytest.raises(SearchError) as caught:
        understand(text, NOW)
    assert (caught.value.at, caught.value.reason[: len(reason)]) == (at, reason)
    assert str(caught.value).startswith(f"The search cannot be understood at character {at + 1}: {reason}")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.at) == (str(caught.value), at)


def test_the_caret_stands_below_wide_letters_too() -> None:
    error = SearchError("no", text="推e\u0301 x<", at=4)
    assert error.pointed() == "推e\u0301 x<\n\N{IDEOGRAPHIC SPACE}  ^"


texts = st.text(st.sampled_from('ab -"=<>!:.\t17kGiBdé\u0301\0\x85\ud800推') | st.characters(), max_size=40)


@given(texts)
@example("a:" + "9" * 400)
@example("saved<" + "9" * 300 + "w")
@example("date>9999-12-31")
@example("date<0001-01-01T00:00")
@example("x>=0000-01")
@example("saved>9999")
def test_whatever_is_typed_has_a_meaning_or_a_place_where_it_has_none(text: str) -> None:
    for fields in (RUN_FIELDS, {**RUN_FIELDS, **CHECKPOINT_FIELDS}):
        found: Search | SearchError
        try:
            found = understand(text, NOW, fields)
        except SearchError as error:
            found = error
        if isinstance(found, SearchError):
            assert 0 <= found.at <= len(text)
            assert "\n" in found.pointed()
        else:
            assert len(found.conditions) <= MOST_TERMS
            assert bool(found.conditions) == bool(text.strip())


words = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"=<>!:-'), min_size=1, max_size=5)
phrases = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=5).filter(str.strip)


@given(
    st.lists(
        st.tuples(st.booleans(), words | phrases, st.none() | st.tuples(st.sampled_from(Operator), words | phrases)),
        max_size=5,
    )
)
def test_what_is_written_as_the_grammar_says_is_read_so(
    terms: list[tuple[bool, str, tuple[Operator, str] | None]],
) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    def written(is_negated: bool, word: str, rest: tuple[Operator, str] | None) -> str:
        told = "" if rest is None else f"{rest[0]}{quoted(rest[1])}"
        return f"{'-' * is_negated}{quoted(word)}{told}"

    found = parse(" ".join(written(*term) for term in terms))
    assert [(term.is_negated, term.word.text, term.value and (term.operator, term.value.text)) for term in found] == [
        (is_negated, word, rest) for is_negated, word, rest in terms
    ]


def test_a_term_knows_where_it_stands() -> None:
    assert parse("a -lr  = 1") == (
        Term(word=Text(text="a", at=0)),
        Term(
            word=Text(text="lr", at=3),
            is_negated=True,
            operator=Operator.IS,
            operator_at=7,
            value=Text(text="1", at=9),
        ),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3", 0.3),
        ("-1e-3", -0.001),
        (".5", 0.5),
        ("10k", 10_000),
        ("1.5GiB", 1.5 * 2**30),
        ("200MB", 200e6),
        ("1KB", 1000),
        ("3b", 3),
        ("2T", 2e12),
        ("1e999", None),
        ("nan", None),
        ("0x10", None),
        ("1_000", None),
        ("٣", None),
        ("1 GiB", None),
    ],
)
def test_numbers_have_units(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("30m", timedelta(minutes=30)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("-1d", None),
        ("1e9w", None),
        ("7", None),
        ("d", None),
    ],
)
def test_spans_have_units(text: str, value: timedelta | None) -> None:
    assert span(text) == value


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        ("2026-11-1T12:30", datetime(2026, 11, 1, 12, 30, tzinfo=UTC), datetime(2026, 11, 1, 12, 31, tzinfo=UTC)),
        (
            "2026-11-01 12:30:59z",
            datetime(2026, 11, 1, 12, 30, 59, tzinfo=UTC),
            datetime(2026, 11, 1, 12, 31, tzinfo=UTC),
        ),
    ],
)
def test_dates_are_stretches_of_time(text: str, start: datetime, end: datetime) -> None:
    assert moments(text) == Moments(start, end)


@pytest.mark.parametrize(
    "text", ["9999", "0000", "2026-13", "2025-02-29", "2026-11-01T24:00", "26-11-01", "2026/11/01", ""]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert moments(text) is None


def test_the_meaning_of_a_search() -> None:
    found = understand('Café saved<7d val_loss.best<0.3 "val_loss.best">1', NOW)
    assert found.now == NOW
    week = float(int((NOW - timedelta(days=7)).timestamp() * 1e6))
    assert [one.test for one in found.conditions] == [
        Contains(text="cafe"),
        InRange(field=RUN_FIELDS["saved"], range=Range(low=week, has_low=False)),
        Named(name="val_loss", which=Which.BEST, range=Range(high=0.3 - 0.3e-6, has_high=False)),
        Named(name="val_loss.best", range=Range(low=1 + 1e-6, has_low=False)),
    ]

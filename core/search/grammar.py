"""The grammar of a search: words and comparisons, all of which must hold.

    search     = { blank } { term blank { blank } }
    term       = [ "-" ] ( comparison | phrase | word )
    comparison = ( phrase | word ) { blank } operator { blank } ( phrase | value )
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
    phrase     = '"' { any letter but '"', or '""' for one } '"'
    word       = letters without blanks, quotes and operators
    value      = letters without blanks and quotes, the first no operator

Nothing here knows which names there are, or what their values mean (`core.search.meaning`).
"""

from dataclasses import dataclass
from enum import StrEnum

from core.search.errors import SearchError

MOST_LETTERS, MOST_TERMS = 1_000, 50


class Operator(StrEnum):
    """How a value is compared; `:` is looked for as a part where the value is text."""

    HAS = ":"
    IS = "="
    IS_NOT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A word or phrase, and the character of the search at which it begins."""

    text: str
    at: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What must hold, or not: a word that is there, or (with an operator, which stands at `operator_at`) a named value
    that compares so.
    """

    word: Text
    is_negated: bool = False
    operator: Operator | None = None
    operator_at: int = 0
    value: Text | None = None


# The longest first, so that `<=` is no `<`.
_OPERATORS = sorted(Operator, key=len, reverse=True)


def parse(text: str) -> tuple[Term, ...]:
    """The terms of a search. SearchError, naming the character, where it is none; nothing else is raised."""
    if len(text) > MOST_LETTERS:
        raise SearchError(f"it is longer than {MOST_LETTERS:,} characters", text=text, at=MOST_LETTERS)
    for at, letter in enumerate(text):
        if not (letter.isprintable() or letter.isspace()):
            raise SearchError(f"unexpected character U+{ord(letter):04X}", text=text, at=at)
    scanner = _Scanner(text)
    terms: list[Term] = []
    while scanner.skip_blanks():
        if len(terms) == MOST_TERMS:
            raise scanner.error(f"more than {MOST_TERMS} terms")
        terms.append(_term(scanner))
    return tuple(terms)


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0

    def error(self, reason: str) -> SearchError:
        return SearchError(reason, text=self.text, at=self.at)

    def found(self) -> str:
        """What stands here, for messages."""
        return f"found {self.text[self.at]!r}" if self.at < len(self.text) else "found the end"

    def skip_blanks(self) -> bool:
        """Go on to what is no blank; whether anything follows."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def operator(self) -> Operator | None:
        """The operator here, which is left where it stands."""
        return next((one for one in _OPERATORS if self.text.startswith(one, self.at)), None)

    def ends_here(self) -> bool:
        """Whether the text ends here, or a blank stands here."""
        return self.at >= len(self.text) or self.text[self.at].isspace()

    def phrase(self) -> Text:
        """The phrase that begins here."""
        start, parts = self.at, []
        while True:
            end = self.text.find('"', self.at + 1)
            if end < 0:
                raise SearchError('expected a closing "', text=self.text, at=len(self.text))
            parts.append(self.text[self.at + 1 : end])
            self.at = end + 1
            if not self.text.startswith('"', self.at):
                return Text(text='"'.join(parts), at=start, is_quoted=True)

    def bare(self, *, is_value: bool) -> Text:
        """The letters from here on that are one word, or one value; '' where none is."""
        start = self.at
        while not self.ends_here() and self.text[self.at] != '"' and (is_value or self.operator() is None):
            self.at += 1
        return Text(text=self.text[start : self.at], at=start)


def _term(scanner: _Scanner) -> Term:
    is_negated = scanner.text[scanner.at] == "-"
    scanner.at += is_negated
    if scanner.ends_here():
        raise scanner.error(f"expected a word right after -, {scanner.found()}")
    if (operator := scanner.operator()) is not None:
        raise scanner.error(f"expected a name before {operator}")
    word = scanner.phrase() if scanner.text[scanner.at] == '"' else scanner.bare(is_value=False)
    if not word.text.strip():
        raise SearchError("expected text between the quotes", text=scanner.text, at=word.at)
    after = scanner.at
    scanner.skip_blanks()
    operator = scanner.operator()
    if operator is None:
        scanner.at = after
        _require_end(scanner)
        return Term(word=word, is_negated=is_negated)
    at, scanner.at = scanner.at, scanner.at + len(operator)
    value = _value(scanner, operator)
    return Term(word=word, is_negated=is_negated, operator=operator, operator_at=at, value=value)


def _value(scanner: _Scanner, operator: Operator) -> Text:
    if not scanner.skip_blanks():
        raise scanner.error(f"expected a value after {operator}, found the end")
    if scanner.operator() is not None:
        raise scanner.error(f"expected a value after {operator}, {scanner.found()}")
    value = scanner.phrase() if scanner.text[scanner.at] == '"' else scanner.bare(is_value=True)
    _require_end(scanner)
    return value


def _require_end(scanner: _Scanner) -> None:
    if not scanner.ends_here():
        raise scanner.error(f"expected a blank, {scanner.found()}")

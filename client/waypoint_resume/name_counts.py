"""How names write numbers out and what they put behind: separators of thousands, `k` and `M`, a word in the plural."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from waypoint_resume.name_words import PLURALS, SUFFIXES, Meaning

# Commas and apostrophes between groups of three digits; an underscore is one only where a word counts steps.
GROUPED = r"(?<![\d.,'])[1-9]\d{0,2}(?:(?:,\d{3})+|(?:'\d{3})+)(?![\d,'])"
_BY_UNDERSCORES = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:_\d{3})+(?![\d._]|[kKM])")
_LETTERS = re.compile(r"[A-Za-z]+")
_WORD_BEHIND = re.compile(r"[-_ ](?P<word>[A-Za-z]+)(?![-_=: ]*\d)")
_SCALES = {"k": 1_000, "K": 1_000, "M": 1_000_000}


class Behind(NamedTuple):
    """What stands behind a number's digits: by how much it is multiplied, what the word there says, where both end."""

    factor: int
    meaning: Optional[Meaning]  # noqa: UP045 - Python 3.9 has no other way to say it
    end: int


def behind(chunk: str, end: int) -> Behind:
    """What follows digits that end at `end`: `100k`, `100steps`, `100ksteps`, `10_epochs`, `2M-steps`. The word in
    `10_epoch_3` belongs to the next number.
    """
    letters = (_LETTERS.match(chunk, end) or [""])[0]
    if letters in SUFFIXES:
        return Behind(1, SUFFIXES[letters], end + len(letters))
    factor, rest = _SCALES.get(letters[:1], 1), letters[1:]
    if factor != 1 and rest in SUFFIXES:
        return Behind(factor, SUFFIXES[rest], end + len(letters))
    if factor != 1 and not rest:
        return Behind(factor, _plural(chunk, end + 1), end + 1)
    return Behind(1, _plural(chunk, end), end)


def by_underscores(chunk: str, start: int) -> re.Match[str] | None:
    """A number of steps whose thousands underscores part, as Python's `f"{step:_}"` does."""
    return _BY_UNDERSCORES.match(chunk, start)


def digits(text: str) -> str:
    """A number's text without what parts its thousands."""
    return text.replace(",", "").replace("'", "").replace("_", "")


def _plural(chunk: str, end: int) -> Meaning | None:
    match = _WORD_BEHIND.match(chunk, end)
    word = "" if match is None else match["word"].lower()
    return SUFFIXES[word] if word in PLURALS else None

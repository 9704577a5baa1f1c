"""What is wrong with a search, and at which of its characters."""

import unicodedata

from core.base.errors import CoreError


class SearchError(CoreError, ValueError):
    """A search that has no meaning: `at` is the character of `text` (from 0) where it ceases to have one."""

    def __init__(self, reason: str, *, text: str, at: int) -> None:
        self.reason, self.text, self.at = reason, text, at
        super().__init__(f"The search cannot be understood at character {at + 1}: {reason}.")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self.reason, self.text, self.at))

    def pointed(self) -> str:
        """The search, and below it a caret under the character, in letters of one width."""
        line = "".join(letter if letter.isprintable() else " " for letter in self.text)
        return f"{line}\n{''.join(map(_blank, line[: self.at]))}^"


def _rebuilt(reason: str, text: str, at: int) -> SearchError:
    return SearchError(reason, text=text, at=at)


def _blank(letter: str) -> str:
    """A blank as wide as a letter."""
    if unicodedata.category(letter) in ("Mn", "Me"):
        return ""
    return "\N{IDEOGRAPHIC SPACE}" if unicodedata.east_asian_width(letter) in ("W", "F") else " "

"""Text as it is compared: without case, accents, and differences of width or ligature."""

import unicodedata
from collections.abc import Iterable

# These are blanks, which no folded text has, so that they may stand between texts that are searched together.
DIVIDER = "\n"
# Before and after a part of `run_text`, each once in it; '' where it begins or ends.
SECTIONS = {"path": ("", "\x1c"), "run": ("", "\x1c"), "owner": ("\x1d", "\x1e"), "note": ("\x1e", "")}


def fold(text: str) -> str:
    """Unicode's compatibility caseless form (D146 of its chapter 3) without marks; blanks and line ends as one blank
    each.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = unicodedata.normalize("NFKD", plain).casefold()
    plain = unicodedata.normalize("NFKD", plain)
    return " ".join("".join(letter for letter in plain if unicodedata.category(letter) != "Mn").split())


def run_text(path: str, tags: Iterable[str], owner: str, note: str) -> str:
    """What words are looked for in, of a run: all that people call it, folded. `SECTIONS` are its parts."""
    return f"{fold(path)}\x1c{DIVIDER.join(map(fold, tags))}\x1d{fold(owner)}\x1e{fold(note)}"

"""Text as it is compared: without case, accents, and differences of width or ligature."""

import unicodedata

# Of a folded text no part is this, so that it may stand between texts that are searched together.
DIVIDER = "\n"


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


def fold_together(*texts: str) -> str:
    """Several texts folded into one, in which no part reaches from one into the next."""
    return DIVIDER.join(folded for text in texts if (folded := fold(text)))

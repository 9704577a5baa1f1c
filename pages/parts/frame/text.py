r"""Strings from the disk or from people, made safe for where they are shown.

`shown` is for st.text, st.code and table cells; `md` for every Markdown sink (labels, badges, titles, captions,
errors); `html` for Plotly, which takes a little HTML. None of them can become a link, an icon or an image.
"""

import html as html_module
import re
import unicodedata

_WORD_JOINER = "\u2060"
# Streamlit turns these into links and arrows after the entities are decoded; an invisible joiner keeps them text.
_SPLIT = re.compile(r"(?<=[-<>=:/~+])(?=[-<>=:/~+])|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")


def shown(text: str) -> str:
    r"""Text whose every character can be seen: odd bytes and unprintable characters as \xNN, as names have them.

    What already is text stays as it is.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def lines(text: str) -> str:
    """Several lines, each as `shown` gives it."""
    return "\n".join(shown(line) for line in text.splitlines())


def md_lines(text: str) -> str:
    """Several lines for a Markdown sink."""
    return "  \n".join(md(line) for line in text.splitlines())


def md(text: str) -> str:
    """Text for a Markdown sink: every character other than a letter, digit or space as a numeric entity."""
    joined = _SPLIT.sub(_WORD_JOINER, shown(text))
    return "".join(c if c in _KEPT or c.isalnum() else f"&#{ord(c)};" for c in joined)


def html(text: str) -> str:
    """Text for Plotly's labels and tooltips."""
    return html_module.escape(shown(text))


def shorten(text: str, length: int = 60) -> str:
    """The end of a long path, which tells more than its beginning."""
    return text if len(text) <= length else "…" + text[1 - length :]


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))

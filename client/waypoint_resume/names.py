r"""File names as text: reversible, printable, safe for databases and JSON; and what a name tells.

A name on a POSIX disk is bytes. Python hands it over with surrogate escapes, which neither SQLite nor JSON take.
Here bytes that are not UTF-8 become `\xNN`, and so do control characters, line ends and what turns the direction of
writing; a backslash that would read like such an escape becomes `\x5c`, so that every text leads back to exactly one
name.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator

_LOOKS_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2})")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})


def to_text(name: str) -> str:
    r"""The printable form of a name from the disk; undecodable bytes and unprintable characters as `\xNN`."""
    if "\\" in name:
        name = _LOOKS_ESCAPED.sub(r"\\x5c", name)
    if name.isprintable():
        return name
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(_escaped(letter) if unicodedata.category(letter) in _UNSEEN else letter for letter in text)


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())


def from_text(text: str) -> str:
    """The name on disk that `to_text` made this text from."""
    if "\\" not in text:
        return text
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "surrogateescape")))


def join(folder: str, name: str) -> str:
    """A path below a folder; the root is ''."""
    return f"{folder}/{name}" if folder else name


def folders_above(name: str) -> Iterator[str]:
    """The folders above a file, from the run's own (left out) down."""
    parts = name.split("/")[:-1]
    return ("/".join(parts[: number + 1]) for number in range(len(parts)))


def short_id(*parts: str) -> str:
    """A stable id of 12 hexadecimal digits for some strings."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()

"""File names as text, reversible and printable, as manifests and journals hold them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator

_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def from_text(text: str) -> str:
    r"""The name on disk that stands in a manifest with `\xNN` for bytes that are not UTF-8."""
    if "\\" not in text:
        return text
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "surrogateescape")))


def numbers_in(path: str) -> list[int]:
    """The numbers in a name, by which checkpoints of one series follow each other."""
    return [int(number) for number in re.findall(r"\d+", path)]


_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})


def to_text(name: str) -> str:
    r"""A name on disk as manifests and journals hold it, with `\xNN` for what is no printable text."""
    if "\\" in name:
        name = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", name)
    if name.isprintable():
        return name
    letters = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        "".join(f"\\x{byte:02x}" for byte in letter.encode()) if unicodedata.category(letter) in _UNSEEN else letter
        for letter in letters
    )


def folders_above(name: str) -> Iterator[str]:
    """The folders above a file, from the run's own (left out) down."""
    parts = name.split("/")[:-1]
    return ("/".join(parts[: number + 1]) for number in range(len(parts)))

r"""File names as text: reversible, printable, safe for databases and JSON.

A name on a POSIX disk is bytes. Python hands it over with surrogate escapes, which neither SQLite nor JSON take.
Here bytes that are not UTF-8 become `\xNN`, and so do control characters, line ends and what turns the direction of
writing; a backslash that would read like such an escape becomes `\x5c`, so that every text leads back to exactly one
name.
"""

import functools
import hashlib
import os
import re
import unicodedata

_LOOKS_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2})")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_UNSEEN = {"Cc", "Cf", "Zl", "Zp"}
_NUMBERS = re.compile(r"(\d+)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_ENDINGS = (".weights.h5.bkp", ".weights.h5", ".weights.json", ".keras", ".hdf5", ".h5")


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


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `ckpt-9` stands before `ckpt-10`."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBERS.split(name) if part)


def stem(name: str) -> str:
    """A name without its ending and numbers: `cp-0004-0.285.keras` and `cp-0005-0.281.keras` share `cp-#-#`."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return _NUMBER.sub("#", name)


def short_id(*parts: str) -> str:
    """A stable id of 12 hexadecimal digits for some strings."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


@functools.lru_cache(maxsize=256)
def real_path(path: str) -> str:
    """A root's path without links. Kept: a root is looked up for every path in a state file."""
    return os.path.realpath(path)

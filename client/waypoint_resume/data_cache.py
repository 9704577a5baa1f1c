"""The files of `Dataset.cache(filename)`: a bundle of TensorFlow's by its names, and no checkpoint by what it holds.

Its keys number elements and their parts (`      0_0`), padded with blanks, with which no variable's name begins.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path

_KEY = re.compile(rb" +\d+_ *\d+")
LOOKED_INTO = 1 << 10  # bytes in which a table's first two keys lie


def is_cache_table(head: bytes) -> bool:
    """Whether a bundle's index that begins so has an element of data as its first key."""
    with contextlib.suppress(IndexError):
        _, place = _entry(head, 0)  # the header, whose key is empty
        return _KEY.fullmatch(_entry(head, place)[0]) is not None
    return False


def is_data_cache(index: Path) -> bool:
    """Whether a bundle's index is that of a cache; False where it cannot be read."""
    with contextlib.suppress(OSError):
        found = os.stat(index)
        return _is_cache(os.fspath(index), found.st_mtime_ns, found.st_size)
    return False


@functools.lru_cache(maxsize=4096)
def _is_cache(path: str, _mtime_ns: int, _size: int) -> bool:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        return is_cache_table(file.read(LOOKED_INTO))


def _entry(block: bytes, place: int) -> tuple[bytes, int]:
    """The key of an entry of a table's block that shares nothing with the one before, and where the next one begins."""
    sizes = []
    for _ in range(3):  # what is shared with the key before, the rest of the key, the value
        number = shift = 0
        while block[place] & 0x80:
            number |= (block[place] & 0x7F) << shift
            place, shift = place + 1, shift + 7
        sizes.append(number | block[place] << shift)
        place += 1
    return block[place : place + sizes[1]], place + sizes[1] + sizes[2]

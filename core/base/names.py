"""How names are sorted and told apart in lists; `waypoint_resume.names` has their form as text."""

import functools
import os
import re

_NUMBERS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `ckpt-9` stands before `ckpt-10`."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBERS.split(name) if part)


@functools.lru_cache(maxsize=256)
def real_path(path: str) -> str:
    """A root's path without links. Kept: a root is looked up for every path in a state file."""
    return os.path.realpath(path)


def printable(text: str) -> str:
    """Text that fits into UTF-8, and so into every record, database and page."""
    return text.encode("utf-8", "backslashreplace").decode()

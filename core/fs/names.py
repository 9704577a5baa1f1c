"""How names are sorted and told apart in lists; `waypoint_resume.names` has their form as text."""

import functools
import os
import re

_NUMBERS = re.compile(r"(\d+)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_ENDINGS = (".weights.h5.bkp", ".weights.h5", ".weights.json", ".keras", ".hdf5", ".h5")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which `ckpt-9` stands before `ckpt-10`."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBERS.split(name) if part)


def stem(name: str) -> str:
    """A name without its ending and numbers: `cp-0004-0.285.keras` and `cp-0005-0.281.keras` share `cp-#-#`."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return _NUMBER.sub("#", name)


@functools.lru_cache(maxsize=256)
def real_path(path: str) -> str:
    """A root's path without links. Kept: a root is looked up for every path in a state file."""
    return os.path.realpath(path)

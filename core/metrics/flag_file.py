"""Flags of absl as a file (`--flagfile`, or `flags_into_string` written out): a line `--name=value` each.

https://abseil.io/docs/python/guides/flags#flagfiles. Other files that one names are not followed.
"""

from __future__ import annotations

import re

from core.metrics.limits import MOST_NAME, MOST_PARAMETERS, MOST_WHOLE_BYTES
from core.metrics.parameters import parsed
from core.metrics.problems import Problems
from core.metrics.records import ParamValue, Position, ProblemKind, Reading
from core.metrics.spec import MetricSource, Place
from core.metrics.whole_files import read_whole
from core.stores.store import Store

_NAMES = frozenset(("flags.txt", "flagfile.txt", "flagfile", "flags.cfg", "flags", "absl_flags.txt"))
_OTHER_FILE = "flagfile"
_FLAG = re.compile(r"--?(?P<name>[A-Za-z_][\w.:/-]*)(?:=(?P<value>.*))?", re.ASCII)


def recognises(place: Place) -> bool:
    """By its name."""
    name = place.name.lower()
    return name in _NAMES or name.endswith((".flags", ".flagfile"))


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    problems = Problems(path)
    content = read_whole(store, path, MOST_WHOLE_BYTES, problems)
    found: dict[str, ParamValue] = {}
    for line in (content or b"").decode("utf-8", "backslashreplace").splitlines():
        flag = line.strip()
        if not flag or flag.startswith(("#", "//")):
            continue
        told = _FLAG.fullmatch(flag)
        if told is None:
            return Reading(is_foreign=True)
        name, value = told["name"], told["value"]
        if name == _OTHER_FILE or len(name) > MOST_NAME:
            continue
        if len(found) == MOST_PARAMETERS:
            problems.add(ProblemKind.TOO_LARGE, f"more than {MOST_PARAMETERS:,} flags: the rest is left out")
            break
        if value is not None:
            found[name] = parsed(value)
        else:
            found[name.removeprefix("no")] = not name.startswith("no")
    return Reading(parameters=found, problems=problems.all())


SOURCE = MetricSource(
    name="flags",
    label="absl flags",
    files="`flags.txt`, `flagfile`, `*.flags`",
    tells="a line `--name=value` each; files that one names are not followed",
    recognises=recognises,
    read=read,
)

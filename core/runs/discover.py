"""Which folders are runs. A pure function over the folders that hold units; a table is its test."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from waypoint_resume.checkpoints import worker_temp
from waypoint_resume.layout import is_inner

__all__ = ["deepest_run", "find_runs", "glob_of", "is_inner"]


_EXPORT = re.compile(r"(?P<exports>(?:.*/)?export)/[^/]+/(?:temp-)?\d+", re.DOTALL)


def find_runs(
    plain: Iterable[str],
    folder_units: Iterable[str],
    markers: Iterable[str],
    patterns: Sequence[str] = (),
    named: Iterable[str] = (),
) -> frozenset[str]:
    """The run folders ('' is the root). `plain` are folders that hold units directly, `folder_units` folders that are
    themselves a unit, `markers` folders that say that they are runs, `named` those that a job has named as its run;
    `patterns` are globs of run folders.

    A named folder is a run, even before anything is saved; what lies below it belongs to it, whatever was decided
    there before it was named.
    """
    starts = {*plain, *map(_place_of, folder_units)}
    marked, by_jobs = frozenset(markers), frozenset(named)
    root_may = _root_is_run(starts)
    return frozenset(_run_of(start, marked, patterns, root_may, by_jobs) for start in {*starts, *by_jobs})


def _place_of(unit: str) -> str:
    """Where the run of a folder that is a unit is looked for: in the folder above; for an Estimator's export
    (`export/EXPORTER/TIMESTAMP`, whatever the exporter is called) in the one above its exporters.
    """
    match = _EXPORT.fullmatch(unit)
    return unit.rpartition("/")[0] if match is None else match["exports"]


def deepest_run(folder: str, runs: frozenset[str] | Mapping[str, object]) -> str | None:
    """The deepest run at or above a folder; None outside every run."""
    while folder not in runs:
        if not folder:
            return None
        folder = folder.rpartition("/")[0]
    return folder


def _root_is_run(starts: Collection[str]) -> bool:
    """The root is a run if it holds a unit directly, or if all its children with units are named as parts of one."""
    return "" in starts or all(is_inner(folder.split("/", 1)[0]) for folder in starts)


def _run_of(start: str, markers: frozenset[str], patterns: Sequence[str], root_may: bool, named: frozenset[str]) -> str:
    if (worker := worker_temp(start)) is not None:  # a part of the run above, whatever lies in it
        start = start[: f"/{start}/".index(f"/{worker}/")].rstrip("/")
    parts = start.split("/") if start else []
    above = ["/".join(parts[:count]) for count in range(len(parts) + 1)]  # '' first, the start last
    if patterns:
        for folder in above[1:]:
            if any(glob_of(pattern).fullmatch(folder) for pattern in patterns):
                return folder
    for kind in (named, markers):
        for folder in reversed(above):
            if folder in kind:
                return folder
    folder = start
    while folder and is_inner(folder.rpartition("/")[2]):
        parent = folder.rpartition("/")[0]
        if not parent and not root_may:
            return folder
        folder = parent
    return folder


@lru_cache(maxsize=64)
def glob_of(pattern: str) -> re.Pattern[str]:
    """A glob in which `*` and `?` stay within one component and `**` crosses them."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern.strip("/"))
    special = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(special.get(part, re.escape(part)) for part in parts), re.DOTALL)

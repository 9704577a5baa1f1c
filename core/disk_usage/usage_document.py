"""An audit as the catalog keeps it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.base.facts import Contents, Format
from core.base.files import Problem
from core.disk_usage.known_files import Kind
from core.disk_usage.usage import Age, Amount, Entry, Usage
from waypoint_resume.names import from_text, to_text


def to_json(usage: Usage) -> dict[str, Any]:
    """An audit as the catalog keeps it."""
    return {
        "totals": [usage.apparent_bytes, usage.allocated_bytes, usage.files],
        "by_root": _rows(usage.by_root),
        "by_run": [[root, None if run is None else to_text(run), *amount] for (root, run), amount in usage.by_run],
        "by_format": _rows(usage.by_format),
        "by_contents": _rows(usage.by_contents),
        "by_kind": _rows(usage.by_kind),
        "by_age": _rows(usage.by_age),
        "problems": [[root, problem.path, problem.problem] for root, problem in usage.problems],
        "quarantines": [[root, to_text(path)] for root, path in usage.quarantines],
    }


def from_json(document: Mapping[str, Any]) -> Usage:
    """The inverse of `to_json`."""
    apparent, allocated, files = document["totals"]
    return Usage(
        apparent_bytes=apparent,
        allocated_bytes=allocated,
        files=files,
        by_root=_entries(document["by_root"], str),
        by_run=tuple(
            Entry((root, None if run is None else from_text(run)), Amount(*sizes))
            for root, run, *sizes in document["by_run"]
        ),
        by_format=_entries(document["by_format"], lambda key: None if key is None else Format(key)),
        by_contents=_entries(document["by_contents"], lambda key: None if key is None else Contents(key)),
        by_kind=_entries(document["by_kind"], Kind),
        by_age=_entries(document["by_age"], Age),
        problems=tuple((root, Problem(path=path, problem=problem)) for root, path, problem in document["problems"]),
        quarantines=tuple((root, from_text(path)) for root, path in document["quarantines"]),
    )


def _rows(entries: Iterable[Entry[Any]]) -> list[list[Any]]:
    return [[key, *amount] for key, amount in entries]


def _entries(rows: Iterable[Any], key: Callable[[Any], Any]) -> tuple[Entry[Any], ...]:
    return tuple(Entry(key(first), Amount(*sizes)) for first, *sizes in rows)

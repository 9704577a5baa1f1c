"""The middle of a pass: which folders are runs, and in which of these anything has to be read or made anew."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.catalog.known_folders import KnownFolder
from core.indexing.changes import Changes
from core.runs.discover import deepest_run, find_runs

OUTSIDE = ""  # the name of what lies in no run; a run is never called so, the root's is '.'


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRuns:
    """The folders of each run that is due; those runs in which nothing changed but an older reader read something; and
    the folders that are new or went to another run.

    Those of a root that was never looked at are in the order of the walk, others have the newest first.
    """

    folders: dict[str, list[str]]
    only_outdated: Collection[str]
    moved: Collection[str]


def due_runs(
    known: Mapping[str, KnownFolder], changes: Changes, run_pattern: Sequence[str], settled: Collection[str]
) -> DueRuns:
    """The runs in which anything changed or is to be read again; sets each folder's run.

    `settled` are those whose row would be made the same again, if none of their files changed.
    """
    folders = changes.folders
    runs = find_runs(
        (path for path, item in folders.items() if item.has_units),
        (path for path, item in folders.items() if item.has_folder_unit),
        (path for path, item in folders.items() if item.is_marker),
        run_pattern,
        (path for path, item in folders.items() if item.is_named),
    )
    by_run: dict[str, list[str]] = {}
    outdated, moved = set[str](), []
    dirty = {known[path].run or OUTSIDE for path in changes.gone}
    dirty |= {run or "." for run in runs}.difference(settled)
    for path, item in folders.items():
        place = deepest_run(path, runs)
        run = None if place is None else place or "."
        before = known.get(path)
        if path in changes.to_read or before is None or before.run != run:
            dirty |= {run or OUTSIDE, (before.run if before else run) or OUTSIDE}
            if run is None:  # outside of runs a folder stands for itself
                by_run.setdefault(OUTSIDE, []).append(path)
        if run is not None:
            by_run.setdefault(run, []).append(path)
            if path in changes.outdated:
                outdated.add(run)
        if item.run != run:
            folders[path] = item._replace(run=run)
            moved.append(path)
    due = {run: paths for run, paths in by_run.items() if run in dirty or run in outdated}
    return DueRuns(folders=_newest_first(due, folders) if known else due, only_outdated=outdated - dirty, moved=moved)


def left_runs(known: Mapping[str, KnownFolder], folders: Mapping[str, KnownFolder]) -> set[str]:
    """Runs that are no more, and those that lose folders to others: a kill before their new row is written must not
    leave the old one, for the next pass makes anew only what it misses.
    """
    before = {path: folder.run for path, folder in known.items() if folder.run is not None}
    left = {run for path, run in before.items() if path in folders and folders[path].run != run}
    return left | (set(before.values()) - {folder.run for folder in folders.values()})


def _newest_first(by_run: Mapping[str, list[str]], folders: Mapping[str, KnownFolder]) -> dict[str, list[str]]:
    def age(run: str) -> int:
        return -max(folders[path].newest_ns for path in by_run[run])

    return {run: by_run[run] for run in sorted(by_run, key=age)}

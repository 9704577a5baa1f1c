"""A plan looked at again, right before anything is done: what changed since is left out, and said."""

import stat as modes
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from core.base.facts import Format
from core.base.files import FileStat
from core.retention.planned import Item, ItemKind, Plan, RunPlan, Stay, difference, planned_file
from core.stores.local import file_stat
from core.stores.store import Everything
from waypoint_resume.names import join, to_text

# The plain files of a run as they are now, by path relative to the run.
Found = Mapping[str, FileStat]
_Key = tuple[ItemKind, str, Format | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that a plan held and that must stay now; `path` is relative to the run."""

    root: str
    run: str
    path: str
    format: Format | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """What is left of a plan, its files with the links that they have now, and what is not."""

    plan: Plan
    left_out: tuple[LeftOut, ...]


def look(store: Everything, run: RunPlan) -> dict[str, FileStat]:
    """The plain files that stand where a plan's files stood. Links, and what cannot be looked at, are none."""
    folders = {file.path.rpartition("/")[0] for item in run.items for file in item.files}
    found: dict[str, FileStat] = {}
    for folder in folders:
        place = folder if run.run == "." else join(run.run, folder) if folder else run.run
        try:
            entries = store.entries(place)
        except OSError:
            continue
        for name, facts in zip(entries.names, entries.stats, strict=True):
            if modes.S_ISREG(facts.st_mode):
                path = join(folder, name)
                found[path] = file_stat(path, facts)
    return found


def recheck(plan: Plan, current: Plan, found: Mapping[tuple[str, str], Found], *, made_at: datetime) -> Rechecked:
    """What of a plan may still go. `current` is the plan made anew from what is known and decided now, `found` what
    `look` sees, by (root, run). An item goes only if it is in both plans with the same files, and each is unchanged.
    """
    now = {(run.root, run.run): run for run in current.runs}
    runs: list[RunPlan] = []
    left_out: list[LeftOut] = []
    for run in plan.runs:
        place = (run.root, run.run)
        known, seen = _answers(now.get(place)), found.get(place, {})
        items = []
        for item in run.items:
            reasons = _reasons(item, known, seen)
            if reasons:
                left_out.append(
                    LeftOut(root=run.root, run=run.run, path=item.path, format=item.format, reasons=reasons)
                )
            else:
                files = tuple(planned_file(file.path, seen[file.path]) for file in item.files)
                items.append(replace(item, files=files))
        runs.append(replace(now.get(place, run), items=tuple(items)))
    return Rechecked(plan=Plan(made_at=made_at, runs=tuple(runs)), left_out=tuple(left_out))


def _answers(run: RunPlan | None) -> Mapping[_Key, Item | Stay]:
    """What the new plan says of each thing."""
    every: tuple[Item | Stay, ...] = () if run is None else (*run.items, *run.stays)
    return {(one.kind, one.path, one.format): one for one in every}


def _reasons(item: Item, known: Mapping[_Key, Item | Stay], seen: Found) -> tuple[str, ...]:
    """Why an item must stay; empty if it may go."""
    now = known.get((item.kind, item.path, item.format))
    if now is None:
        return ("it is no longer there, or no longer what it was",)
    if isinstance(now, Stay):
        return now.reasons
    if {file.path for file in now.files} != {file.path for file in item.files}:
        return ("it has other files now",)
    changes = ((file.path, difference(file, seen.get(file.path))) for file in item.files)
    return tuple(f"{to_text(path)} {change}" for path, change in changes if change is not None)

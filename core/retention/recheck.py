"""A plan looked at again under the run's lock, right before anything is done: decisions and life as they are now, and
every file on disk. What changed since is left out, and said.
"""

import os
import stat as modes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.base.errors import PlaceError
from core.base.facts import Format
from core.base.files import FileStat
from core.resume.history import read_manifests
from core.retention.plan import make_plan
from core.retention.planned import Item, ItemKind, Plan, PlannedFile, RunPlan, RunState, Stay, difference, planned_file
from core.retention.policies import Policy
from core.runfolder.pins import read_pins
from core.runfolder.places import inside, relative_to_run
from core.runfolder.run_folder import RunFolder
from core.runs.group import group
from core.runs.known_files import leftover_folder
from core.runs.walk import look as list_folder
from core.stores.local import LocalStore, file_stat
from core.stores.store import Everything
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN, can_write

# The plain files of a run as they are now, by path relative to the run.
Found = Mapping[str, FileStat]
_Key = tuple[ItemKind, str, Format | None]
_Named = tuple[str, Format | None]
LIVE = "live run: only leftovers go"
_WORD = "it was written lately: only leftovers go, unless you type the run's name, for its job has ended"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """What a plan is made anew from: what the catalog knows of the run now (its pins, manifests and lease are read
    again in any case), the policy, and the grace in seconds.
    """

    state: RunState
    policy: Policy
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaimable:
    """What may still go, what may not, and the run as it was found."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    state: RunState


def look_again(run_folder: RunFolder, plan: RunPlan, replan: Replan, now: datetime) -> Reclaimable:
    """Leave out of a plan what is not so any more, with the reasons. Only under the run's lock."""
    state = replace(
        replan.state,
        is_live=(replan.state.is_live and not run_folder.liveness.has_word) or run_folder.is_live(),
        pins=read_pins(run_folder),
        manifests=read_manifests(run_folder),
    )
    store = LocalStore(run_folder.root_path)
    current = make_plan([state], lambda *_: replan.policy, grace=replan.grace, made_at=now)
    found = {(plan.root, plan.run): look(store, plan)}
    checked = recheck(Plan(made_at=now, runs=(plan,)), current, found, made_at=now)
    checked_items = checked.plan.runs[0].items
    changed_sets = _set_problems(store, state, checked_items)
    barred = _barred(run_folder, checked_items)
    items: list[Item] = []
    left_out = list(checked.left_out)
    for item in checked_items:
        reason = (_WORD if state.may_have_ended else LIVE) if state.is_live and _is_saved(item) else None
        reason = reason or changed_sets[item.path, item.format] or _bar(item, barred)
        if reason is None:
            items.append(item)
        else:
            left_out.append(leave(plan, item, reason))
    return Reclaimable(items=tuple(items), left_out=tuple(left_out), state=state)


def _is_saved(item: Item) -> bool:
    return item.kind is not ItemKind.LEFTOVER


def leave(plan: RunPlan, item: Item, *reasons: str) -> LeftOut:
    """An item that stays."""
    return LeftOut(root=plan.root, run=plan.run, path=item.path, format=item.format, reasons=reasons)


def _set_problems(store: LocalStore, state: RunState, items: Sequence[Item]) -> Mapping[_Named, str | None]:
    """Why things are not the sets of files that a look at their folders gives now; None for those that are."""
    run = state.run
    homes: dict[_Named, str] = {(relative_to_run(one.path, run), one.format): one.folder for one in state.checkpoints}
    homes |= {(relative_to_run(one.path, run), None): leftover_folder(one) for one in state.leftovers}
    seen: dict[str, dict[str, frozenset[str]] | str] = {}
    found: dict[_Named, str | None] = {}
    for item in items:
        key = (item.path, item.format)
        folder = homes[key]
        if folder not in seen:
            seen[folder] = _listed(store, folder, run)
        here = seen[folder]
        if isinstance(here, str):
            found[key] = here
        elif item.path not in here:
            found[key] = "it is no longer there, or no longer what it was"
        else:
            is_same = here[item.path] == {file.path for file in item.files}
            found[key] = None if is_same else "it has other files now"
    return found


def _listed(store: LocalStore, folder: str, run: str) -> dict[str, frozenset[str]] | str:
    """The things of a folder and their files, relative to the run; or why it cannot be listed."""
    try:
        found = group(list_folder(store, folder))
    except OSError as error:
        return f"its folder cannot be listed: {error.strerror}"
    sets = [(join(folder, one.name) if one.name else folder, one.files) for one in found.checkpoints]
    sets += [(join(folder, name), tuple(files)) for name, files in (*found.shards_only.items(), *found.temps.items())]
    return {
        relative_to_run(path, run): frozenset(relative_to_run(join(folder, file.name), run) for file in files)
        for path, files in sets
    }


def _barred(run_folder: RunFolder, items: Sequence[Item]) -> Mapping[str, str]:
    """Folders, relative to the run, out of which nothing can be renamed, and why."""
    run = run_folder.folder
    barred = {}
    for folder in {_folder(file) for item in items for file in item.files}:
        try:
            place = inside(run, folder) if folder else run
        except PlaceError as error:
            barred[folder] = str(error)
            continue
        if place != run / folder:
            barred[folder] = f"{to_text(folder)} is a link"
        elif not can_write(place):
            barred[folder] = f"{to_text(folder) or 'the run'} cannot be written"
        elif os.lstat(place).st_dev != os.lstat(run / HIDDEN).st_dev:
            barred[folder] = "it is on another file system than its run"
    return barred


def _bar(item: Item, barred: Mapping[str, str]) -> str | None:
    return next((barred[folder] for file in item.files if (folder := _folder(file)) in barred), None)


def _folder(file: PlannedFile) -> str:
    return file.path.rpartition("/")[0]

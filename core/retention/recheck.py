"""A plan looked at again while its run is held, right before anything is done: it is made anew from what is known and
decided by then, each of its folders is listed once, and each file is looked at. What changed since is left out, and
said.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.base.errors import PlaceError
from core.base.facts import Format
from core.base.files import FileStat, change_of
from core.retention.left_behind import leftover_folder
from core.retention.plan import plan_run, planned_file
from core.retention.planned import Item, ItemKind, PlannedFile, RunPlan, RunState, Stay
from core.retention.policies import Policy
from core.runfolder.places import inside, relative_to_run
from core.runfolder.run_folder import RunFolder
from core.runs.group import group
from core.runs.walk import look as list_folder
from core.stores.local import LocalStore, plain_file
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN, can_write

LIVE = "live run: only leftovers go"
_WORD = "it was written lately: only leftovers go, unless you type the run's name, for its job has ended"
_GONE = "it is no longer there, or no longer what it was"
_OTHER_FILES = "it has other files now"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that a plan held and that must stay now; `path` is relative to the run."""

    root: str
    run: str
    path: str
    format: Format | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """What a plan is made anew from: the run as the catalog, pins, manifests and lease have it, read while it is held;
    the policy, and the grace in seconds.
    """

    state: RunState
    policy: Policy
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaimable:
    """What may still go, its files with the links that they have now; what may not, and the run as it was found."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    state: RunState


def look_again(run_folder: RunFolder, plan: RunPlan, replan: Replan) -> Reclaimable:
    """Leave out of a plan what is not so any more, with the reasons. Only under the run's lock.

    An item goes only if it is in the plan that is made now, too, with the same files, and each of these is unchanged.
    """
    is_live = (replan.state.is_live and not run_folder.liveness.has_word) or run_folder.is_live()
    state = replace(replan.state, is_live=is_live)
    current = plan_run(state, replan.policy, replan.grace)
    every: tuple[Item | Stay, ...] = (*current.items, *current.stays)
    answers = {(one.kind, one.path, one.format): one for one in every}
    folders = _Folders(run_folder, state)
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for item in plan.items:
        found = {file.path: _looked_at(run_folder.folder / file.path) for file in item.files}
        files = tuple(planned_file(path, file) for path, file in found.items() if file is not None)
        reasons = _reasons(item, answers.get((item.kind, item.path, item.format)))
        reasons = reasons or tuple(
            f"{to_text(file.path)} {change}" for file in item.files if (change := difference(file, found[file.path]))
        )
        if not reasons and is_live and item.kind is not ItemKind.LEFTOVER:
            reasons = (_WORD if state.may_have_ended else LIVE,)
        if not reasons and (problem := folders.problem(item)) is not None:
            reasons = (problem,)
        if reasons:
            left_out.append(leave(plan, item, *reasons))
        else:
            items.append(replace(item, files=files))
    return Reclaimable(items=tuple(items), left_out=tuple(left_out), state=state)


def leave(plan: RunPlan, item: Item, *reasons: str) -> LeftOut:
    """An item that stays."""
    return LeftOut(root=plan.root, run=plan.run, path=item.path, format=item.format, reasons=reasons)


def _looked_at(path: Path) -> FileStat | None:
    """The plain file at a path; None also where nobody may look: it is not known to be the same."""
    try:
        return plain_file(path)
    except OSError:
        return None


def difference(planned: PlannedFile, found: FileStat | None) -> str | None:
    """How a file differs from what was planned, as a sentence's end; None if it is the same one. Another number of
    links is no difference: the bytes freed are counted anew.
    """
    change = change_of(planned, found)
    if change is None and found is not None and (found.inode, found.device) != (planned.inode, planned.device):
        return "was replaced since"
    return change


def _reasons(item: Item, now: Item | Stay | None) -> tuple[str, ...]:
    """Why an item must stay by the plan of now; empty if it may go."""
    if now is None:
        return (_GONE,)
    if isinstance(now, Stay):
        return now.reasons
    return () if {file.path for file in now.files} == {file.path for file in item.files} else (_OTHER_FILES,)


@dataclass(slots=True)
class _Folders:
    """The folders of a run, each looked at once: which files are one thing there, and why nothing can leave it."""

    run_folder: RunFolder
    state: RunState
    homes: Mapping[tuple[str, Format | None], str] = field(init=False)
    things: dict[str, Mapping[str, frozenset[str]] | str] = field(default_factory=dict)
    bars: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        run, state = self.state.run, self.state
        homes: dict[tuple[str, Format | None], str] = {}
        homes |= {(relative_to_run(one.path, run), one.format): one.folder for one in state.checkpoints}
        homes |= {(relative_to_run(one.path, run), None): leftover_folder(one) for one in state.leftovers}
        self.homes = homes

    def problem(self, item: Item) -> str | None:
        """Why an item is not the set of files that its folder gives now, or cannot be moved out of it."""
        home = self.homes[item.path, item.format]
        if home not in self.things:
            self.things[home] = self._listed(home)
        here = self.things[home]
        if isinstance(here, str):
            return here
        if item.path not in here:
            return _GONE
        if here[item.path] != {file.path for file in item.files}:
            return _OTHER_FILES
        return next((bar for file in item.files if (bar := self._bar(file)) is not None), None)

    def _listed(self, folder: str) -> Mapping[str, frozenset[str]] | str:
        """The things of a folder and their files, relative to the run; or why it cannot be listed."""
        try:
            found = group(list_folder(LocalStore(self.run_folder.root_path), folder))
        except OSError as error:
            return f"its folder cannot be listed: {error.strerror}"
        sets = [(join(folder, one.name) if one.name else folder, one.files) for one in found.checkpoints]
        sets += [(join(folder, name), tuple(files)) for name, files in {**found.shards_only, **found.temps}.items()]
        within = self.run_folder.within
        return {within(path): frozenset(within(join(folder, file.name)) for file in files) for path, files in sets}

    def _bar(self, file: PlannedFile) -> str | None:
        folder = file.path.rpartition("/")[0]
        if folder not in self.bars:
            self.bars[folder] = _why_barred(self.run_folder, folder)
        return self.bars[folder]


def _why_barred(run_folder: RunFolder, folder: str) -> str | None:
    """Why nothing can be renamed out of a folder, relative to the run; None where it can."""
    run = run_folder.folder
    try:
        place = inside(run, folder) if folder else run
    except PlaceError as error:
        return str(error)
    if place != run / folder:
        return f"{to_text(folder)} is a link"
    if not can_write(place):
        return f"{to_text(folder) or 'the run'} cannot be written"
    if os.lstat(place).st_dev != os.lstat(run / HIDDEN).st_dev:
        return "it is on another file system than its run"
    return None

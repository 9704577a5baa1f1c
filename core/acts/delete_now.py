"""A plan carried out for good at once: the way out of a disk so full that no quarantine can be begun.

As much as can be goes the usual way, through quarantine and its purge, so that a kill leaves a journal. Only where the
disk takes no journal are single things deleted before: one after the other, remains of saves first, then what no state
file names, until there is room. Each is told in the log as soon as that can be written.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.acts.acting import ConfirmError, find, is_full
from core.acts.purge import purge_batch
from core.acts.quarantine import Act, HeldPlan, move
from core.acts.rewrites import Rewrites, rewrites, write_states
from core.base.errors import CoreError
from core.base.records import Checkpoint
from core.retention.planned import Item, ItemKind, PlannedFile, RunPlan, freed
from core.retention.recheck import LIVE, LeftOut, Replan, difference, leave, look_again
from core.runfolder.places import log
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import NAMEABLE
from core.stores.local import plain_file
from waypoint_resume.names import folders_above, to_text


@dataclass(slots=True)
class Deleted:
    """What is gone for good, by path relative to the run, the bytes that the disk gained, and what stays and why."""

    paths: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


def delete_now(held: HeldPlan, replan: Replan, *, confirm: str) -> Deleted:
    """Delete what a plan holds, as far as that still may go. `confirm` is what a person typed: the run's path.

    ConfirmError; DiskFullError where not even that can be begun.
    """
    run_folder, plan, act = held.run_folder, held.plan, held.act
    name = to_text(run_folder.run)
    if confirm != name:
        raise ConfirmError(f"This deletes for good and cannot be undone. To confirm it, type the run's name, {name}.")
    reclaimable = look_again(run_folder, plan, replan)
    members: tuple[Checkpoint, ...] = () if reclaimable.state.is_live else reclaimable.state.checkpoints
    gone: set[str] = set()
    done = Deleted(left_out=list(reclaimable.left_out))
    items = list(reclaimable.items)
    while items:
        try:
            journal, refused = move(run_folder, items, members, act)
        except OSError as error:
            if not is_full(error):
                raise
            first = _first(run_folder, items, members)
            items.remove(first)
            if first.kind is not ItemKind.LEFTOVER and run_folder.is_live():  # a job began meanwhile
                done.left_out.append(leave(plan, first, LIVE))
                continue
            path = run_folder.from_root(first.path)
            said = rewrites(run_folder, members, gone | {path}, may_empty=act.empties)
            if _delete(run_folder, plan, first, said, act, done):
                gone.add(path)
                members = tuple(item for item in members if item.path not in gone)
            continue
        done.left_out += [leave(plan, item, reason) for item, reason in refused]
        if journal is not None:
            batch = find(run_folder.folder, journal.id)
            purged = purge_batch(run_folder, batch, journal, actor=act.actor, now=act.now)
            done.paths += [item.path for item in journal.items]
            done.freed_bytes += purged.freed_bytes
        break
    return done


def _first(run_folder: RunFolder, items: Sequence[Item], members: Sequence[Checkpoint]) -> Item:
    """What goes before all others: remains of saves, then what no state file names; the smaller first."""

    def weight(item: Item) -> tuple[bool, bool, int]:
        is_named = item.format in NAMEABLE and bool(
            rewrites(run_folder, members, {run_folder.from_root(item.path)}).states
        )
        return item.kind is not ItemKind.LEFTOVER, is_named, item.bytes

    held = [item for item in items if freed(_places(run_folder, item)) > 0]
    return min(held or items, key=weight)


def _delete(run_folder: RunFolder, plan: RunPlan, item: Item, said: Rewrites, act: Act, done: Deleted) -> bool:
    """Delete one thing, and write what has room by then: state files that named it, and the log. Whether it is gone."""
    if run_folder.from_root(item.path) in said.refused:
        done.left_out.append(leave(plan, item, said.refused[run_folder.from_root(item.path)]))
        return False
    gain = freed(_places(run_folder, item))
    for file in item.files:
        change = difference(file, plain_file(run_folder.folder / file.path))
        if change is not None:
            done.left_out.append(leave(plan, item, f"{to_text(file.path)} {change}"))
            return False
    for file in item.files:
        os.unlink(run_folder.folder / file.path)
    for folder in sorted({parent for file in item.files for parent in folders_above(file.path)}, reverse=True):
        if folder == item.path or folder.startswith(f"{item.path}/"):
            with contextlib.suppress(OSError):
                os.rmdir(run_folder.folder / folder)
    done.paths.append(to_text(item.path))
    done.freed_bytes += gain
    about = {"items": [to_text(item.path)], "freed_bytes": gain, "note": act.note.strip()}
    # Where others took the room at once, the next one makes more; what is named and gone is told by health until then.
    with contextlib.suppress(OSError, CoreError):
        log(run_folder.folder, actor=act.actor, event="delete", now=act.now, about=about)
        write_states(run_folder, said.states)
    return True


def _places(run_folder: RunFolder, item: Item) -> Iterator[tuple[str, PlannedFile]]:
    return ((str(run_folder.folder), file) for file in item.files)

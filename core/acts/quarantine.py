"""Into quarantine: what a plan holds is moved to `<run>/.waypoint/quarantine/<batch>/files`, where undo finds it.

In this order, under the run's lock: everything is looked at again, room for what will be written is set aside, the log
gets its line, the journal is written, the state files are rewritten, the files are renamed, each checkpoint's index
first. A kill at any instant leaves a journal by which it is taken back; a full disk leaves everything as it was.
"""

import contextlib
import errno
import os
import stat as modes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from core.acts.acting import ConfirmError, release, reserve, reserve_again, telling_full, with_reserve
from core.acts.journal import FOLDER, VERSION, Journal, JournalFile, JournalItem, JournalKind, Stage, write_journal
from core.acts.moves import NotMovedError, path_folders, take
from core.acts.recovery import bring_back, holding
from core.acts.rewrites import rewrites, write_states
from core.base.errors import CoreError
from core.base.names import printable
from core.base.records import Checkpoint
from core.retention.planned import Item, ItemKind, RunPlan
from core.retention.recheck import LIVE, LeftOut, Replan, leave, look_again
from core.runfolder.places import hidden_folder, log
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import NAMEABLE
from waypoint_resume.ids import uuid7
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import to_text

_BLOCK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts, when and why; `empties`: that a trial is left without a checkpoint was confirmed."""

    actor: str
    now: datetime
    note: str = ""
    empties: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """What went, as the journal says it (None where nothing did), and what of the plan stays, with its reasons."""

    journal: Journal | None
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPlan:
    """One run's part of a plan that is being carried out: the run is held, and nobody else acts on it."""

    run_folder: RunFolder
    plan: RunPlan
    act: Act


@contextlib.contextmanager
def holding_plan(run_folder: RunFolder, plan: RunPlan, act: Act) -> Iterator[HeldPlan]:
    """Hold a run to carry out its part of a plan; what is known of the run by then is read within, and handed on.
    BusyError, ReadOnlyError, PlaceError, DiskFullError. ConfirmError where the plan takes the last of a trial, and
    nobody has confirmed that.
    """
    if plan.emptied is not None and not act.empties:
        raise ConfirmError(f"{to_text(plan.run)}: all checkpoints of this trial would go, which was not confirmed.")
    act = replace(act, empties=plan.emptied is not None)
    with telling_full(run_folder.folder), holding(run_folder, actor=act.actor, now=act.now):
        yield HeldPlan(run_folder=run_folder, plan=plan, act=act)


def quarantine(held: HeldPlan, replan: Replan) -> Quarantined:
    """Move what a plan holds, as far as that still may go. DiskFullError; OSError."""
    reclaimable = look_again(held.run_folder, held.plan, replan)
    members = () if reclaimable.state.is_live else reclaimable.state.checkpoints
    journal, refused = move(held.run_folder, reclaimable.items, members, held.act)
    left = tuple(leave(held.plan, item, reason) for item, reason in refused)
    return Quarantined(journal=journal, left_out=(*reclaimable.left_out, *left))


def move(
    run_folder: RunFolder, items: Sequence[Item], members: Sequence[Checkpoint], act: Act
) -> tuple[Journal | None, list[tuple[Item, str]]]:
    """Move items that were looked at; `members` are the run's checkpoints, without which no state file is rewritten.

    An item that does not go as a whole is put back and refused, with the reason. Only under the run's lock.
    """
    refused: list[tuple[Item, str]] = []
    while items:
        journal, stay = _attempt(run_folder, items, members, act)
        if not stay:
            return journal, refused
        refused += [(items[place], reason) for place, reason in stay.items()]
        items = [item for place, item in enumerate(items) if place not in stay]
        if members and run_folder.is_live():  # a job began meanwhile
            refused += [(item, LIVE) for item in items if item.kind is not ItemKind.LEFTOVER]
            items, members = [item for item in items if item.kind is ItemKind.LEFTOVER], ()
    return None, refused


def _attempt(
    run_folder: RunFolder, items: Sequence[Item], members: Sequence[Checkpoint], act: Act
) -> tuple[Journal | None, Mapping[int, str]]:
    """Move all of the items, or none, saying which (by their places) must stay."""
    prefixes = {place: run_folder.from_root(item.path) for place, item in enumerate(items) if item.format in NAMEABLE}
    said = rewrites(run_folder, members, set(prefixes.values()), may_empty=act.empties)
    stay = {place: said.refused[prefix] for place, prefix in prefixes.items() if prefix in said.refused}
    if stay:
        return None, stay
    entries: list[JournalItem] = []
    for place, item in enumerate(items):
        try:
            entries.append(_entry(run_folder.folder, item))
        except OSError as error:
            return None, {place: f"its files cannot be looked at: {error.strerror}"}
    journal = Journal(
        version=VERSION,
        id=str(uuid7()),
        kind=JournalKind.QUARANTINE,
        by=printable(act.actor),
        at=act.now,
        note=printable(act.note.strip()),
        stage=Stage.MOVING,
        items=tuple(entries),
        folders=path_folders(run_folder.folder, entries),
        states=said.states,
    )
    try:
        return _moved(run_folder, journal, act), {}
    except NotMovedError as failure:
        _take_back(run_folder, journal, act, str(failure))
        return None, {place: str(failure) for place, entry in enumerate(entries) if _fails_too(entry, failure)}
    except (CoreError, OSError) as error:
        _take_back(run_folder, journal, act, str(error))
        raise


def _moved(run_folder: RunFolder, journal: Journal, act: Act) -> Journal:
    about = {"batch": journal.id, "note": journal.note, "items": [item.path for item in journal.items]}
    batch = hidden_folder(run_folder.folder, FOLDER, journal.id)
    reserve(batch, _needed(journal))
    with_reserve(
        batch, lambda: log(run_folder.folder, actor=act.actor, event=journal.kind.value, now=act.now, about=about)
    )
    with_reserve(batch, lambda: write_journal(batch, journal))
    with_reserve(batch, lambda: write_states(run_folder, journal.states))
    take(run_folder.folder, batch, journal)
    ended = journal.model_copy(update={"stage": Stage.DONE})
    done = with_reserve(batch, lambda: write_journal(batch, ended))
    reserve_again(batch)
    return done


def _needed(journal: Journal) -> int:
    """Bytes that will be written: the journal and the one that takes its place, state files, mirrored folders."""
    states = sum(len(state.new) for state in journal.states)
    return 2 * len(journal.model_dump_json(indent=1)) + states + _BLOCK * (len(journal.folders) + len(journal.states))


def _take_back(run_folder: RunFolder, journal: Journal, act: Act, reason: str) -> None:
    """What recovery would do. Nothing stays of the batch, unless something came in the way of its files meanwhile."""
    folder = run_folder.folder
    batch = hidden_folder(folder, FOLDER, journal.id)
    about = {"batch": journal.id, "reason": reason}
    with contextlib.suppress(OSError):  # a full disk: what matters is that all of it is back
        event = f"{journal.kind.value} taken back"
        with_reserve(batch, lambda: log(folder, actor=act.actor, event=event, now=act.now, about=about))
    if not os.path.lexists(batch / JOURNAL):  # it never came to be: there is nothing to bring back
        release(batch)
    elif bring_back(run_folder, batch, journal).journal.stage is Stage.UNDONE:
        os.unlink(batch / JOURNAL)
    with contextlib.suppress(OSError):
        os.rmdir(batch)


def _fails_too(entry: JournalItem, failure: NotMovedError) -> bool:
    """Whether an item cannot go either: it is the one, or lies on the other file system too."""
    return entry == failure.item or (failure.errno == errno.EXDEV and entry.parent == failure.item.parent)


def _entry(run: Path, item: Item) -> JournalItem:
    files = []
    for file in item.files:
        found = os.lstat(run / file.path)
        # The time as the disk has it: records cut those that are far off.
        known = {**file._asdict(), "path": to_text(file.path), "mtime_ns": found.st_mtime_ns}
        files.append(JournalFile(**known, mode=modes.S_IMODE(found.st_mode)))
    return JournalItem(
        kind=item.kind, path=to_text(item.path), format=item.format, reason=printable(item.reason), files=tuple(files)
    )

"""Purging: what lies in quarantine, or was set aside by a rewind, is deleted for good: by hand with a typed
confirmation, or when it is old.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from core.acts.acting import ConfirmError, StageError, batch_places, find, require_writable, with_reserve
from core.acts.journal import Journal, JournalKind, Purge, Stage, read_journal, short_id, write_journal
from core.acts.moves import held
from core.acts.recovery import delete, holding
from core.base.errors import CoreError
from core.base.files import Problem
from core.base.names import printable
from core.retention.links import NO_LINKS, Links, reason
from core.retention.planned import freed
from core.runfolder.pins import read_pins
from core.runfolder.places import log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.names import folders_above, from_text, to_text


class LinkedError(CoreError):
    """A link leads to what would be deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """A batch that is gone: the bytes that the disk gained, those allocated to files whose last link went."""

    batch: str
    files: int
    freed_bytes: int
    problems: tuple[Problem, ...]


def purge(
    run_folder: RunFolder, batch: str, *, confirm: str, actor: str, now: datetime, links: Links = NO_LINKS
) -> Purged:
    """Delete a batch. `confirm` is what a person typed: the last digits of the batch's id, or the run's path.

    Raises ConfirmError, StageError (undone already), NotFoundError, BusyError, ReadOnlyError, PlaceError; LinkedError
    where one of `links` leads into it.
    """
    with holding(run_folder, actor=actor, now=now):
        place = find(run_folder.folder, batch)
        journal = read_journal(place)
        if journal.is_jobs:
            raise StageError(
                f"Batch {short_id(journal.id)} is a rewind that was left half-done: the job completes it at its next "
                "start, or an undo takes it back. Nothing was purged."
            )
        if journal.stage is not Stage.DONE:
            raise StageError(f"Batch {short_id(journal.id)} is {journal.stage.value}: there is nothing to purge.")
        name = to_text(run_folder.run)
        if confirm not in (short_id(journal.id), journal.id, name):
            raise ConfirmError(
                f"A purge cannot be undone. To confirm it, type {short_id(journal.id)} or the run's name, {name}."
            )
        if why := _why_linked(links, run_folder, place, journal):
            back = f"bring batch {short_id(journal.id)} back"
            raise LinkedError(f"{why}. Remove the link, or {back}. Nothing was purged.")
        return purge_batch(run_folder, place, journal, actor=actor, now=now)


def purge_older(
    run_folder: RunFolder, days: float | None, *, actor: str, now: datetime, links: Links = NO_LINKS
) -> tuple[Purged, ...]:
    """Delete the batches that went into quarantine, or were set aside, so many days ago or longer. None: never. What
    one of `links` leads into stays.
    """
    if days is None or not batch_places(run_folder.folder):
        return ()
    purged: list[Purged] = []
    with holding(run_folder, actor=actor, now=now):
        for place in batch_places(run_folder.folder):
            try:
                journal = read_journal(place)
            except (CoreError, FileNotFoundError):
                continue
            is_old = journal.stage is Stage.DONE and now - journal.at >= timedelta(days=days)
            if is_old and not _is_kept(run_folder, journal) and not _why_linked(links, run_folder, place, journal):
                purged.append(purge_batch(run_folder, place, journal, actor=actor, now=now))
    return tuple(purged)


def _is_kept(run_folder: RunFolder, journal: Journal) -> bool:
    """Whether a rewind set aside something pinned: no plan lets that go, but a rewind takes all that is newer."""
    if journal.kind is not JournalKind.REWIND:
        return False
    pins = read_pins(run_folder)
    return any(pins.why(item.path, item.format) is not None for item in journal.items)


def purge_batch(run_folder: RunFolder, place: Path, journal: Journal, *, actor: str, now: datetime) -> Purged:
    """Delete a batch that is done. Only under the run's lock."""
    require_writable(place, journal)
    gain = freed((str(place), file) for file in held(place, journal))
    about = {"batch": journal.id, "items": [item.path for item in journal.items], "freed_bytes": gain}
    event = f"purge {journal.kind.value}"
    with_reserve(place, lambda: log(run_folder.folder, actor=actor, event=event, now=now, about=about))
    act = Purge(by=printable(actor), at=now, freed_bytes=gain)
    purging = journal.model_copy(update={"stage": Stage.PURGING, "purge": act})
    journal = with_reserve(place, lambda: write_journal(place, purging))
    problems = delete(place, journal)
    return Purged(batch=journal.id, files=len(journal.files), freed_bytes=gain, problems=problems)


def _why_linked(links: Links, run_folder: RunFolder, batch: Path, journal: Journal) -> str | None:
    """The first link that leads into a batch's folder, or to the old place of one of its things, if nothing stands
    there by now: an undo would make that link whole again. None where there is none.
    """
    for _, link in links.within(str(batch)):
        return f"batch {batch.name}: {reason(link, run_folder.root_path, run_folder.run)}"
    waiting = {
        place: item.path
        for item in journal.items
        if not any(os.path.lexists(run_folder.folder / file.name) for file in item.files)
        for place in (from_text(item.path), *(file.name for file in item.files))
    }
    for target, link in links.within(str(run_folder.folder)) if waiting else ():
        found = next((waiting[place] for place in (target, *folders_above(target)) if place in waiting), None)
        if found is not None:
            return f"{to_text(found)}: {reason(link, run_folder.root_path, run_folder.run)}"
    return None

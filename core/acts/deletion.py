"""The end of a batch: its files are deleted, then its folder, and a small record stays. Can be begun again."""

import contextlib
import os
from pathlib import Path

from core.acts.folders import remove_empty
from core.acts.journal import FILES, VERSION, Journal, PurgedBatch
from core.acts.journal_files import write_purged
from core.acts.moves import lies
from core.acts.room import give_room
from core.base.files import Problem
from waypoint_resume.atomic import remove_stale, sync_folder
from waypoint_resume.journal import JOURNAL
from waypoint_resume.names import to_text


def delete(batch: Path, journal: Journal) -> tuple[Problem, ...]:
    """Delete a batch whose journal says `purging`. What somebody put into its folder stays there, and is told."""
    assert journal.purge is not None
    for file in journal.files:
        if lies(batch, file) is not None:
            with contextlib.suppress(IsADirectoryError):  # not ours
                os.unlink(batch / FILES / file.name)
    give_room(batch)
    remove_empty(batch)
    write_purged(batch, _record(journal))
    remove_stale(batch / JOURNAL)
    os.unlink(batch / JOURNAL)
    try:
        os.rmdir(batch)
    except OSError:
        return (Problem(path=to_text(batch.name), problem="holds files that were not of the batch: they stay there"),)
    finally:
        sync_folder(batch.parent)
    return ()


def _record(journal: Journal) -> PurgedBatch:
    assert journal.purge is not None
    return PurgedBatch(
        version=VERSION,
        id=journal.id,
        kind=journal.kind,
        by=journal.by,
        at=journal.at,
        note=journal.note,
        items=tuple(item.summary for item in journal.items),
        purge=journal.purge,
    )

"""Journals on disk: read, for anybody may have changed them, and written whole and synced."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from core.acts.journal import PURGED_END, Journal, PurgedBatch
from core.base.errors import CoreError, PlaceError
from core.runfolder.places import read_small
from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.files import LONG
from waypoint_resume.journal import JOURNAL, JOURNAL_SPEC, PURGED_SPEC
from waypoint_resume.names import to_text
from waypoint_resume.spec import read_document

Document = TypeVar("Document", Journal, PurgedBatch)


def read_journal(batch: Path) -> Journal:
    """A batch's journal. FileNotFoundError where it has none, CoreError where it cannot be understood."""
    found = _read(batch / JOURNAL, Journal, JOURNAL_SPEC)
    if found.id != batch.name:
        raise CoreError(f"{to_text(str(batch / JOURNAL))} is the journal of another batch, {found.id}.")
    return found


def read_purged(path: Path) -> PurgedBatch:
    """What stays of a purged batch; errors as for journals."""
    return _read(path, PurgedBatch, PURGED_SPEC)


def write_journal(batch: Path, journal: Journal) -> Journal:
    """Write a journal, synced, in the place of the one before. Only under the run's lock."""
    _write(batch / JOURNAL, journal)
    return journal


def write_purged(batch: Path, record: PurgedBatch) -> None:
    """Write what stays of a purged batch, beside its folder."""
    _write(batch.with_name(f"{batch.name}{PURGED_END}"), record)


def _read(path: Path, model: type[Document], spec: Mapping[str, object]) -> Document:
    try:
        document, problems = read_document(read_small(path, LONG), LONG, spec)
        if not problems:
            return model.model_validate(document)
        reason = str(problems[0])
    except FileNotFoundError:
        raise
    except (OSError, PlaceError) as error:
        reason = str(error)
    raise CoreError(f"{to_text(str(path))} cannot be understood: {reason}. Mend it, or move its batch away.")


def _write(path: Path, document: BaseModel) -> None:
    remove_stale(path)
    write_atomic(path, document.model_dump_json(indent=1).encode() + b"\n")

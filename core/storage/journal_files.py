"""Journals on disk: read, for anybody may have changed them, and written whole and synced."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from core.decisions.places import read_small
from core.errors import CoreError, PlaceError
from core.storage.journal import JOURNAL, PURGED_END, Journal, PurgedBatch
from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.names import to_text

_LIMIT = 1 << 30
Document = TypeVar("Document", Journal, PurgedBatch)


def read_journal(batch: Path) -> Journal:
    """A batch's journal. FileNotFoundError where it has none, CoreError where it cannot be understood."""
    found = _read(batch / JOURNAL, Journal)
    if found.id != batch.name:
        raise CoreError(f"{to_text(str(batch / JOURNAL))} is the journal of another batch, {found.id}.")
    return found


def read_purged(path: Path) -> PurgedBatch:
    """What stays of a purged batch; errors as for journals."""
    return _read(path, PurgedBatch)


def write_journal(batch: Path, journal: Journal) -> Journal:
    """Write a journal, synced, in the place of the one before. Only under the run's lock."""
    _write(batch / JOURNAL, journal)
    return journal


def write_purged(batch: Path, record: PurgedBatch) -> None:
    """Write what stays of a purged batch, beside its folder."""
    _write(batch.with_name(f"{batch.name}{PURGED_END}"), record)


def _read(path: Path, model: type[Document]) -> Document:
    try:
        return model.model_validate_json(read_small(path, _LIMIT))
    except FileNotFoundError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the document'}: {first['msg']}"
    except (OSError, PlaceError) as error:
        reason = str(error)
    raise CoreError(f"{to_text(str(path))} cannot be understood: {reason}. Mend it, or move its batch away.")


def _write(path: Path, document: BaseModel) -> None:
    remove_stale(path)
    write_atomic(path, document.model_dump_json(indent=1).encode() + b"\n")

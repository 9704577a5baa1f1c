"""What was mended: `.waypoint/mended/<id>/` holds the old state file and a record of who replaced it, when and why.

What became of a mend is told by the state file itself, never written down in advance: a kill leaves no lie behind.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from core.base.errors import CoreError, PlaceError
from core.formats.state_file import NAME
from core.mend import on_disk
from core.runfolder.places import hidden_folder, read_small
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import write_atomic
from waypoint_resume.clock import moment_text, utc_moment
from waypoint_resume.ids import PATTERN
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.rules import relative_path

FOLDER = "mended"
RECORD = "record.json"
UNDONE = "undone.json"
_LIMIT = 64 * 1024
_ID = re.compile(PATTERN)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[datetime, BeforeValidator(utc_moment), PlainSerializer(moment_text, return_type=str)]


class MendState(StrEnum):
    """What became of a mend: it is in effect, it was undone, the state file was written again since, or it never came
    to be (the process died first).
    """

    IN_EFFECT = "in effect"
    UNDONE = "undone"
    REPLACED = "replaced"
    NEVER = "never"


class Record(BaseModel):
    """`record.json`. `state` is the state file relative to the run; `old` and `new` are SHA-256, `old` null where there
    was no file; `mode` (permission bits) and `mtime_ns` are the old file's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, StringConstraints(pattern=PATTERN)]
    actor: str
    at: Moment
    state: Annotated[str, AfterValidator(relative_path)]
    old: Sha256 | None
    new: Sha256
    mode: Annotated[int, Field(ge=0, le=0o7777)] | None
    mtime_ns: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """A mend of the past: its record, the folder that keeps the old state file, what became of it."""

    record: Record
    folder: Path
    state: MendState


def digest(data: bytes | None) -> str | None:
    """The SHA-256 of a state file; None where there is none."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def keep(home: Path, record: Record, old: bytes | None) -> Path:
    """Write the old state file and its record, both synced, the record last. Only under the lock of `home`."""
    folder = hidden_folder(home, FOLDER, record.id)
    if old is not None:
        write_atomic(folder / NAME, old)
    write_atomic(folder / RECORD, json.dumps(record.model_dump(mode="json"), indent=2).encode() + b"\n")
    return folder


def kept(mend: Mend) -> bytes | None:
    """The state file as it was before a mend. CoreError where what is kept is not what the record says."""
    if mend.record.old is None:
        return None
    place = mend.folder / NAME
    try:
        data = read_small(place, on_disk.LIMIT)
    except FileNotFoundError:
        data = None
    if digest(data) != mend.record.old:
        raise CoreError(f"{to_text(str(place))} is not the old state file any more: nothing was written.")
    return data


def history(run_folder: RunFolder) -> tuple[Mend, ...]:
    """The mends of a run, newest first. A record that cannot be read is left out."""
    found = [mend for home in run_folder.homes for mend in _mends(run_folder, home / HIDDEN / FOLDER)]
    return tuple(sorted(found, key=lambda mend: mend.record.id, reverse=True))


def _mends(run_folder: RunFolder, folder: Path) -> Iterator[Mend]:
    try:
        names = [name for name in os.listdir(folder) if _ID.match(name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            record = Record.model_validate_json(read_small(folder / name / RECORD, _LIMIT))
            state = _state(run_folder, record, is_undone=(folder / name / UNDONE).exists())
        except (OSError, PlaceError, ValueError):
            continue
        if record.id == name:
            yield Mend(record=record, folder=folder / name, state=state)


def _state(run_folder: RunFolder, record: Record, *, is_undone: bool) -> MendState:
    if is_undone:
        return MendState.UNDONE
    try:
        now = digest(on_disk.read(run_folder.state_file(from_text(record.state))))
    except PlaceError:
        return MendState.REPLACED
    if now == record.new:
        return MendState.IN_EFFECT
    return MendState.NEVER if now == record.old else MendState.REPLACED

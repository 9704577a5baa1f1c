"""What a job's starts really restored: the receipts in `.waypoint/receipts/`, written by the job's side.

A receipt is another program's file: every field is read by itself, and one that is missing or odd is None or empty.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.base.records import Checkpoint
from core.runfolder.run_folder import RunFolder
from waypoint_resume.clock import moment_of
from waypoint_resume.files import names_in_folder, read_record
from waypoint_resume.places import HIDDEN
from waypoint_resume.state_store import state_beside

RECEIPTS = "receipts"
_NAME = re.compile(r"[0-9T.:Z-]{10,40}-[0-9a-f]{32}\.json", re.ASCII)  # names sort by time
_SMALL = 256 * 1024  # bytes
_LOOKED_AT = 200  # files of a run, the newest
_MOST = 50  # entries of a list
_LONGEST = 500  # characters of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptEntry:
    """One start of a job. `epoch` epochs and `batch` batches of the next one were done; `digest` is the checkpoint's
    content; `has_state`: something was kept beside it; `weights_only`: of it the weights alone were taken; lists hold
    names or sentences for people, `learning_rate_told` which rate stands where the script has another one.
    """

    at: datetime | None = None
    source: str | None = None
    digest: str | None = None
    step: int | None = None
    epoch: int | None = None
    batch: int | None = None
    optimizer: str | None = None
    learning_rate: tuple[float, ...] = ()
    learning_rate_told: str | None = None
    weights_only: bool = False
    has_state: bool = False
    callbacks: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    data: str | None = None
    restarts: tuple[str, ...] = ()
    not_kept: tuple[str, ...] = ()
    job: str | None = None
    host: str | None = None


def read_receipts(run_folder: RunFolder, manifest_id: str) -> tuple[ReceiptEntry, ...]:
    """The receipts of the starts that followed a manifest, newest first. Never raises for what lies there."""
    found = sorted(_places(run_folder.homes), key=lambda path: path.name, reverse=True)[:_LOOKED_AT]
    records = (read_record(path, _SMALL) or {} for path in found)
    return tuple(_entry(record) for record in records if record.get("manifest") == manifest_id)


def has_state_beside(run_folder: RunFolder, checkpoint: Checkpoint) -> bool:
    """Whether the job's side kept the state of callbacks and generators beside a checkpoint. Its files are read for it,
    up to 32 MiB of each.
    """
    path = run_folder.within(checkpoint.path)
    return any(state_beside(run_folder.folder, home, path) for home in run_folder.homes)


def _places(homes: Sequence[Path]) -> Iterator[Path]:
    for home in homes:
        folder = home / HIDDEN / RECEIPTS
        yield from (folder / name for name in names_in_folder(folder) if _NAME.fullmatch(name))


def _entry(record: Mapping[str, Any]) -> ReceiptEntry:
    return ReceiptEntry(
        at=moment_of(record.get("at")),
        source=_text(record.get("source")),
        digest=_text(record.get("digest")),
        step=_count(record.get("step")),
        epoch=_count(record.get("epoch")),
        batch=_count(record.get("batch")),
        optimizer=_text(record.get("optimizer")),
        learning_rate=tuple(item for item in _list(record.get("learning_rate")) if type(item) is float),
        learning_rate_told=_text(record.get("learning_rate_told")),
        weights_only=record.get("weights_only") is True,
        has_state=record.get("has_state") is True,
        callbacks=_texts(record.get("callbacks")),
        random=_texts(record.get("random")),
        data=_text(record.get("data")),
        restarts=_texts(record.get("restarts")),
        not_kept=_texts(record.get("not_kept")),
        job=_text(record.get("job")),
        host=_text(record.get("host")),
    )


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


def _list(value: object) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for item in _list(value) if (text := _text(item)) is not None)

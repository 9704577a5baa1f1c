"""What a job says in its claim: who took a manifest, when, what it restored, and what went wrong.

A claim is another program's file: every field is read by itself, and one that is missing or odd is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim's fields as docs/resume.md names them; all None for one that cannot be read.

    `uuid` is a new one each time that a start takes the claim over; `checkpoint` is what the job restored last,
    relative to the run; `is_finished` holds also for an odd time.
    """

    uuid: str | None = None
    job: str | None = None
    host: str | None = None
    pid: int | None = None
    claimed_at: datetime | None = None
    checkpoint: str | None = None
    is_finished: bool = False
    finished_at: datetime | None = None
    rewound_at: datetime | None = None
    error: str | None = None
    error_at: datetime | None = None


def read_claim(record: Mapping[str, Any]) -> Claim:
    """A claim from its JSON object."""
    pid = record.get("pid")
    return Claim(
        uuid=_text(record.get("uuid")),
        job=_text(record.get("job")),
        host=_text(record.get("host")),
        pid=pid if type(pid) is int else None,
        claimed_at=_moment(record.get("claimed_at")),
        checkpoint=_text(record.get("checkpoint")),
        is_finished=bool(record.get("finished_at")),
        finished_at=_moment(record.get("finished_at")),
        rewound_at=_moment(record.get("rewound_at")),
        error=_text(record.get("error")),
        error_at=_moment(record.get("error_at")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    """A moment with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

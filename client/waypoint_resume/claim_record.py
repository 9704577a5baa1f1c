"""What a job says in its claim: who took a manifest, when, what it restored, and what went wrong.

A claim is another program's file: every field is read by itself, and one that is missing or odd is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waypoint_resume.clock import moment_of


@dataclass(frozen=True)
class Claim:
    """A claim's fields as docs/resume.md names them; all None for one that cannot be read.

    `uuid` is a new one each time that a start takes the claim over; `checkpoint` is what the job restored last,
    relative to the run; `client` is the version of this package that the job runs; `is_finished` holds also for an odd
    time. `ended` is `preempted` or `paused` where the job ended before its time, at `ended_step` and having saved
    `ended_checkpoint`.
    """

    uuid: str | None = None
    client: str | None = None
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
    ended: str | None = None
    ended_at: datetime | None = None
    ended_step: int | None = None
    ended_checkpoint: str | None = None


def read_claim(record: Mapping[str, Any]) -> Claim:
    """A claim from its JSON object."""
    pid, step = record.get("pid"), record.get("ended_step")
    ended = record.get("ended")
    return Claim(
        uuid=_text(record.get("uuid")),
        client=_text(record.get("client")),
        job=_text(record.get("job")),
        host=_text(record.get("host")),
        pid=pid if type(pid) is int else None,
        claimed_at=moment_of(record.get("claimed_at")),
        checkpoint=_text(record.get("checkpoint")),
        is_finished=bool(record.get("finished_at")),
        finished_at=moment_of(record.get("finished_at")),
        rewound_at=moment_of(record.get("rewound_at")),
        error=_text(record.get("error")),
        error_at=moment_of(record.get("error_at")),
        ended=str(ended) if ended in ("preempted", "paused") else None,
        ended_at=moment_of(record.get("ended_at")),
        ended_step=step if type(step) is int else None,
        ended_checkpoint=_text(record.get("ended_checkpoint")),
    )


def is_withdrawn(withdrawal: Mapping[str, Any] | None, claim: Claim | None) -> bool:
    """Whether a withdrawal stands: nobody claimed, or it names the claim. Else a job was faster."""
    if withdrawal is None or claim is None:
        return withdrawal is not None
    return claim.uuid is not None and withdrawal.get("claim") == claim.uuid


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

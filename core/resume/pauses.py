"""Asking a running job to pause: it saves where it stands, gives the run back and ends.

`.waypoint/requests/` holds what was asked and what the job answered, in the form that `waypoint_resume.requests`
describes. Those files are the job's and other people's: each field is read by itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.base.errors import CoreError, NotFoundError
from core.resume.errors import StateError
from core.runfolder.places import hidden_folder, log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import write_atomic
from waypoint_resume.clock import moment_of, moment_text
from waypoint_resume.files import names_in_folder, read_record
from waypoint_resume.ids import uuid7
from waypoint_resume.places import HIDDEN
from waypoint_resume.requests import ANSWER, REQUEST_LIMIT, REQUEST_SPEC, REQUESTS, WITHDRAWN
from waypoint_resume.spec import problems_of

MAX_NOTE = 2_000  # characters
_LISTED = 20  # of a run, the newest


class PauseState(StrEnum):
    """How far a request has come."""

    WAITING = "waiting"
    SAVING = "saving"
    ANSWERED = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPEN = frozenset({PauseState.WAITING, PauseState.SAVING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One request: who asked, when and why; and what the job answered.

    `took` is how many seconds passed until the answer. `checkpoint` is what the job saved, relative to the run;
    `reason` why it refused.
    """

    id: str
    by: str
    at: datetime
    note: str
    state: PauseState
    job: str | None = None
    answered_at: datetime | None = None
    step: int | None = None
    checkpoint: str | None = None
    reason: str | None = None

    @property
    def took(self) -> float | None:
        """Seconds from the request to the answer; None while there is none."""
        return None if self.answered_at is None else max(0.0, (self.answered_at - self.at).total_seconds())


def read_pauses(run_folder: RunFolder) -> tuple[Pause, ...]:
    """The newest requests of a run, the last one first. What is no request is left out, for no job obeys it."""
    found: dict[str, Pause] = {}
    for home in run_folder.homes:
        names = names_in_folder(home / HIDDEN / REQUESTS)
        keys = sorted((name.removesuffix(".json") for name in names if name.count(".") == 1), reverse=True)
        for key in keys[:_LISTED]:
            record = read_record(home / HIDDEN / REQUESTS / f"{key}.json", REQUEST_LIMIT)
            at = moment_of((record or {}).get("at"))
            if record is None or at is None or record.get("id") != key or any(problems_of(record, REQUEST_SPEC)):
                continue
            answer, withdrawal = (
                _beside(run_folder.homes, f"{key}{ANSWER}"),
                _beside(run_folder.homes, f"{key}{WITHDRAWN}"),
            )
            found[key] = _pause(record, at, answer, is_withdrawn=withdrawal is not None)
    return tuple(sorted(found.values(), key=lambda item: (item.at, item.id), reverse=True)[:_LISTED])


def ask_pause(run_folder: RunFolder, *, actor: str, now: datetime, note: str = "") -> Pause:
    """Ask the job of a run to pause. StateError while another request is open; CoreError for a note too long."""
    note = note.strip().encode("utf-8", "backslashreplace").decode()
    if len(note) > MAX_NOTE:
        raise CoreError(f"The note has {len(note):,} characters; allowed: at most {MAX_NOTE:,}.")
    with run_folder.locked() as home:
        waiting = next((item for item in read_pauses(run_folder) if item.state in OPEN), None)
        if waiting is not None:
            raise StateError(f"{waiting.by} asked already, and the job has not answered: withdraw that first.")
        record = {
            "version": 1,
            "id": str(uuid7()),
            "kind": "pause",
            "by": actor,
            "at": moment_text(now),
            "note": note,
        }
        log(home, actor=actor, event="ask for a pause", now=now, about={"request": record["id"], "note": note})
        _write(hidden_folder(home, REQUESTS) / f"{record['id']}.json", record)
    return _pause(record, now, None, is_withdrawn=False)


def withdraw_pause(run_folder: RunFolder, request: str, *, actor: str, now: datetime) -> Pause:
    """Take a request back that the job has not accepted. StateError for any other, NotFoundError for none."""
    with run_folder.locked() as home:
        found = next((item for item in read_pauses(run_folder) if item.id == request), None)
        if found is None:
            raise NotFoundError(f"No request {request!r} in this run.")
        if found.state is not PauseState.WAITING:
            raise StateError(f"The request is {found.state.value}, so it cannot be withdrawn.")
        log(home, actor=actor, event="withdraw a pause", now=now, about={"request": found.id})
        record = {"request": found.id, "actor": actor, "at": moment_text(now)}
        _write(hidden_folder(home, REQUESTS) / f"{found.id}{WITHDRAWN}", record)
    return found


def _write(path: Path, record: Mapping[str, object]) -> None:
    write_atomic(path, json.dumps(record, indent=2, ensure_ascii=True).encode() + b"\n")


def _beside(homes: Sequence[Path], name: str) -> Mapping[str, Any] | None:
    def found() -> Iterator[Mapping[str, Any] | None]:
        for home in homes:
            yield read_record(home / HIDDEN / REQUESTS / name, REQUEST_LIMIT)

    return next((record for record in found() if record is not None), None)


def _pause(request: Mapping[str, Any], at: datetime, answer: Mapping[str, Any] | None, *, is_withdrawn: bool) -> Pause:
    said = answer or {}
    reason, answered = _text(said.get("refused")), moment_of(said.get("answered_at"))
    if reason is not None:
        state = PauseState.REFUSED
    elif answered is not None:
        state = PauseState.ANSWERED
    elif answer is not None:
        state = PauseState.SAVING
    else:
        state = PauseState.WITHDRAWN if is_withdrawn else PauseState.WAITING
    step = said.get("step")
    return Pause(
        id=request["id"],
        by=request["by"],
        at=at,
        note=request["note"],
        state=state,
        job=_text(said.get("job")),
        answered_at=answered,
        step=step if type(step) is int else None,
        checkpoint=_text(said.get("checkpoint")),
        reason=reason,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

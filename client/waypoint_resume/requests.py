"""What people ask of a running job: a pause, in `.waypoint/requests/`, which the job looks for about once a second.

    <id>.json             what is asked: version, id, kind (`pause`), by, at, note
    <id>.answer.json      the job's: job, host, pid; accepted_at when it began to save; then answered_at with step and
                          checkpoint (relative to the run), or refused with the reason
    <id>.withdrawn.json   somebody took it back before the job accepted it

A request is another program's file: small, read with a limit, each field checked; one that breaks the rules is left
alone and never obeyed. Accepting and withdrawing both hold the run's lock, so that only one of them happens.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import names_in_folder, read_record, write_record
from waypoint_resume.jobs import whose
from waypoint_resume.lock import decisions_lock
from waypoint_resume.log import LOG
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.rules import matching, moment_value, one_of, text_value, version_value
from waypoint_resume.spec import problems_of

REQUESTS = "requests"
REQUEST_LIMIT = 64 * 1024  # bytes
LOOK_EVERY = 1.0  # seconds
ANSWER, WITHDRAWN = ".answer.json", ".withdrawn.json"
SEVERAL_WORKERS = (
    "This training has several workers, which have to stop at the same step, and they have not all said that they look "
    "for that: each needs Waypoint or start.guard in fit(), or start.end_of_step(), and the cluster in TF_CONFIG. End "
    "the job with its scheduler: it goes on from the last checkpoint that it saved."
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REQUEST_SPEC: dict[str, Any] = {
    "version": version_value,
    "id": matching(_ID, "UUID"),
    "kind": one_of("pause"),
    "by": text_value,
    "at": moment_value,
    "note": text_value,
}


@dataclass(frozen=True)
class Request:
    """One request that the job has not answered: its id, who asked, and why."""

    id: str
    by: str
    note: str


class RequestBox:
    """The requests of a run, as its job sees them. Those that stood there before the job began are not for it."""

    def __init__(self, home: Path, homes: Sequence[Path] = ()) -> None:
        self.home, self._folders = home, [each / HIDDEN / REQUESTS for each in dict.fromkeys((home, *homes))]
        self._closed: set[str] = set()
        self._seen: tuple[list[int], bool] = ([], False)  # the folders' times, and whether they were the same before
        self._next_look = 0.0

    def refuse_older(self) -> None:
        """Answer what was asked before this job began, and nobody answered: it was meant for another one."""
        for request in self._open():
            self.refuse(request, "It was asked before this job began, so it was not for this one: ask again.")

    def look(self, *, at_once: bool = False) -> Request | None:
        """The oldest open request. Looks at the folder once a second at most, and lists it only when it changed."""
        moment = time.monotonic()
        if moment < self._next_look and not at_once:
            return None
        self._next_look = moment + LOOK_EVERY
        changed = [_changed_ns(folder) for folder in self._folders]
        is_same = changed == self._seen[0]
        # What comes within one tick of the disk's clock leaves no new time, so it is listed once more.
        if is_same and self._seen[1] and not at_once:
            return None
        self._seen = (changed, is_same)
        return next(iter(self._open()), None)

    def accept(self, request: Request) -> bool:
        """Say that the job obeys; False if the request was withdrawn meanwhile. From here on it cannot be withdrawn."""
        with decisions_lock(self.home):
            if any((folder / f"{request.id}{WITHDRAWN}").exists() for folder in self._folders):
                self._closed.add(request.id)
                return False
            self._write(request, accepted_at=self._now())
            return True

    def answer(self, request: Request, *, step: int | None, checkpoint: str | None) -> None:
        """Say that the job has saved, and where; it has given the run back by then."""
        self._write(request, answered_at=self._now(), step=step, checkpoint=checkpoint)

    def refuse(self, request: Request, reason: str) -> None:
        """Say why the job does not obey."""
        with contextlib.suppress(OSError, ResumeError):  # nobody is worse off for a missing answer
            self._write(request, refused=reason, answered_at=self._now())
        LOG.warning("The pause that %s asked for is refused: %s", request.by, reason)

    def _write(self, request: Request, **values: object) -> None:
        path = hidden_folder(self.home, REQUESTS) / f"{request.id}{ANSWER}"
        former = read_record(path, REQUEST_LIMIT) or {}
        write_record(path, {"request": request.id, **whose(), **former, **values})
        self._closed.add(request.id)

    def _now(self) -> str:
        return moment_text(disk_now(self.home / HIDDEN))

    def _open(self) -> list[Request]:
        listed = {folder: names_in_folder(folder) for folder in self._folders}
        names = {name for found in listed.values() for name in found}
        found = []
        for name, folder in sorted((name, folder) for folder, own in listed.items() for name in own):
            key = name[: -len(".json")]
            if not name.endswith(".json") or not _ID.fullmatch(key) or key in self._closed:
                continue
            if f"{key}{ANSWER}" in names or f"{key}{WITHDRAWN}" in names:
                self._closed.add(key)
                continue
            record = read_record(folder / name, REQUEST_LIMIT)
            if record is None or record.get("id") != key or any(problems_of(record, REQUEST_SPEC)):
                continue  # no request; a whole one may yet take its place
            found.append(Request(key, record["by"], record["note"]))
        return found


def _changed_ns(folder: Path) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0

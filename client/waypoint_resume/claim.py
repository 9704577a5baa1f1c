"""A manifest claimed by a job, and what the job notes in its claim."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import sync_folder
from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.jobs import whose
from waypoint_resume.lease import RELEASE_WAIT, Lease
from waypoint_resume.lock import decisions_lock
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.requests import RequestBox

CLAIMS = "claims"
# What a job notes when it ends before its time: why (preempted or paused), when, and what it saved then.
ENDING_FIELDS = ("ended", "ended_at", "ended_step", "ended_checkpoint")


def claimant(own: str, job: str) -> dict[str, Any]:
    """What a claim says of the start that holds it; `own` is new for each start."""
    return {"uuid": own, **whose(), "job": job}


def claim(home: Path, manifest_id: str, job: str, checkpoint: str) -> dict[str, Any] | None:
    """Claim a manifest for a job; None if another was faster. The link decides, and who reads back its own uuid."""
    folder, own = hidden_folder(home, CLAIMS), uuid.uuid4().hex
    value = {
        "manifest": manifest_id,
        **claimant(own, job),
        "claimed_at": moment_text(disk_now(folder)),
        "checkpoint": checkpoint,
    }
    target, mine = folder / f"{manifest_id}.claim", folder / f"{own}.json"
    write_record(mine, value)
    try:
        try:
            os.link(mine, target)
        except OSError as error:
            # On network disks the answer to link proves nothing; what stands there does.
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise ResumeError(f"The disk of {folder} knows no hard links: nothing can be claimed there.") from None
        sync_folder(folder)
        return value if (read_record(target) or {}).get("uuid") == own else None
    finally:
        unlink_quietly(mine)


@dataclass
class Decision:
    """What a job was told: the manifest that governs it and its claim, both None where there is none to follow."""

    run: Path
    home: Path
    job: str
    manifest: dict[str, Any] | None = None
    claim: dict[str, Any] | None = None
    is_restart: bool = False
    lease: Lease | None = None  # of the chief
    requests: RequestBox | None = None  # of the chief: what people ask of this job
    has_workers: bool = False  # whether others train with this one, step by step
    was_told: bool = False  # whether the other workers know what was chosen
    start_id: str | None = None  # of several workers: what the chief called this start, the same in all of them
    named: Path | None = None  # the folder as the job named it, links and all
    base: Path | None = None  # where the manifest was handed over: the run, or a folder below or above it
    claim_home: Path | None = None  # where its claim lies
    batch: str | None = None  # of what this start set aside

    @property
    def readable(self) -> Path:
        """The run's folder as frameworks are to read it: as the job named it, where that is a link to it."""
        is_link = self.named is not None and os.path.realpath(self.named) == str(self.run)
        return self.named if is_link and self.named is not None else self.run

    def note(self, **values: object) -> None:
        """Write values into the claim (None removes one), unless another job took it over meanwhile."""
        if self.claim is None:
            return
        with decisions_lock(self.claim_home or self.home):
            path = self.claim_path()
            if (read_record(path) or {}).get("uuid") == self.claim["uuid"]:
                self.claim = {name: value for name, value in {**self.claim, **values}.items() if value is not None}
                write_record(path, self.claim)

    def end(self, ended: str, *, step: int | None = None, checkpoint: str | None = None) -> None:
        """Give the lease back and note in the claim that the job was `preempted` or `paused`, both at once for others.

        `checkpoint` (relative to the run) is what it saved last, whole on the disk; None where it saved nothing.
        """
        with contextlib.suppress(OSError, ResumeError), decisions_lock(self.home, RELEASE_WAIT):
            if self.lease is not None:
                self.lease.release()
            now = moment_text(disk_now(self.home / HIDDEN))
            self.note(ended=ended, ended_at=now, ended_step=step, ended_checkpoint=checkpoint)

    def go_on(self) -> None:
        """Take back what `end` noted: the job goes on after all."""
        self.note(**dict.fromkeys(ENDING_FIELDS))

    def claim_path(self) -> Path:
        """Return where the claim lies."""
        assert self.claim is not None
        return (self.claim_home or self.home) / HIDDEN / CLAIMS / f"{self.claim['manifest']}.claim"

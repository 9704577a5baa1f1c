"""Verifications for the dashboard: one background thread, one at a time, nothing on a request's thread."""

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from core.base.records import Checkpoint
from core.verify.results import Outcome, Verification
from core.verify.run import Progress, verify

_log = logging.getLogger(__name__)
KEPT = 50  # jobs that are done and still shown


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyJob:
    """One checkpoint that was handed in. `verification` is there when it is done."""

    id: int
    root_path: str
    checkpoint: Checkpoint
    restore: bool
    state: State = State.WAITING
    progress: Progress = field(default_factory=Progress)
    verification: Verification | None = None


class Verifier:
    """Verifies what is handed in, in order. `report` gets each result, on the background thread.

    `jobs` may be read from any thread at any time: what it gives is never changed, only replaced.
    """

    def __init__(self, report: Callable[[Checkpoint, Verification], None]) -> None:
        self._report = report
        self._jobs: tuple[VerifyJob, ...] = ()
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._cancelled: set[int] = set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, root_path: str, checkpoint: Checkpoint, *, restore: bool = False) -> int:
        """Hand a checkpoint in; returns the job's id. One that is waiting or running already is not handed in twice."""
        with self._changed:
            for job in self._jobs:
                same = (job.root_path, job.checkpoint.path, job.restore) == (root_path, checkpoint.path, restore)
                if same and job.state is not State.DONE and job.id not in self._cancelled:
                    return job.id
            made = VerifyJob(id=next(self._ids), root_path=root_path, checkpoint=checkpoint, restore=restore)
            self._jobs = (*self._jobs, made)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="waypoint-verify", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return made.id

    def jobs(self) -> tuple[VerifyJob, ...]:
        """All that wait, run, or were done lately, in the order in which they were handed in."""
        return self._jobs

    def cancel(self, job_id: int) -> None:
        """Give a job up. One that is done, or not known, stays as it is."""
        with self._changed:
            for job in self._jobs:
                if job.id == job_id and job.state is not State.DONE:
                    self._cancelled.add(job_id)
                    if job.state is State.WAITING:
                        self._replace(replace(job, state=State.DONE, verification=_given_up()))

    def close(self) -> None:
        """Cancel everything and wait for the thread."""
        with self._changed:
            self._closed = True
            self._cancelled.update(job.id for job in self._jobs)
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            found = self._verify(job)
            with self._changed:
                self._replace(replace(job, state=State.DONE, verification=found))
            if found.outcome is not Outcome.CANCELLED:
                try:
                    self._report(job.checkpoint, found)
                except Exception:  # noqa: BLE001 - the next job has nothing to do with it
                    _log.exception("the result of verifying %s could not be kept", job.checkpoint.path)

    def _next(self) -> VerifyJob | None:
        """The next job, marked as running; None when there will be none."""
        with self._changed:
            while not self._closed:
                for job in self._jobs:
                    if job.state is State.WAITING:
                        running = replace(job, state=State.RUNNING)
                        self._replace(running)
                        return running
                self._changed.wait()
        return None

    def _verify(self, job: VerifyJob) -> Verification:
        def watch(progress: Progress) -> None:
            with self._changed:
                self._replace(replace(job, progress=progress))

        def cancelled() -> bool:
            return job.id in self._cancelled

        try:
            return verify(job.root_path, job.checkpoint, watch=watch, cancelled=cancelled, restore=job.restore)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the thread
            _log.exception("verifying %s failed", job.checkpoint.path)
            detail = f"It could not be verified ({type(error).__name__}: {error})."
            return Verification(outcome=Outcome.FAILED, detail=detail, finished_at=datetime.now(UTC))

    def _replace(self, made: VerifyJob) -> None:
        """Publish the jobs with one of them replaced, and the oldest that are done left out."""
        jobs = tuple(made if job.id == made.id else job for job in self._jobs)
        done = [job.id for job in jobs if job.state is State.DONE]
        dropped = set(done[: max(0, len(done) - KEPT)])
        self._cancelled -= dropped
        self._jobs = tuple(job for job in jobs if job.id not in dropped)


def _given_up() -> Verification:
    return Verification(outcome=Outcome.CANCELLED, detail="It was cancelled.", finished_at=datetime.now(UTC))

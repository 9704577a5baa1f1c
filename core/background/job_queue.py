"""Long reading for the dashboard: one background thread, one job at a time, nothing on a request's thread."""

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from core.verify.run import Progress

_log = logging.getLogger(__name__)
KEPT = 50  # jobs that are done and still shown
S = TypeVar("S")
R = TypeVar("R")


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob(Generic[S, R]):
    """What was handed in. `result` is there when it is done."""

    id: int
    subject: S
    state: State = State.WAITING
    progress: Progress = field(default_factory=Progress)
    result: R | None = None


class JobQueue(Generic[S, R]):
    """Does what is handed in, in order, by `work(subject, watch, cancelled)`. `failed` is the result of a fault of
    ours, `given_up` that of a job that never began; `report` gets each result of a job that began, on the background
    thread.

    `jobs` may be read from any thread at any time: what it gives is never changed, only replaced.
    """

    def __init__(
        self,
        work: Callable[[S, Callable[[Progress], None], Callable[[], bool]], R],
        *,
        name: str,
        failed: Callable[[Exception], R],
        given_up: Callable[[], R],
        report: Callable[[S, R], None] = lambda _subject, _result: None,
    ) -> None:
        self._do, self._name = work, name
        self._failed, self._given_up, self._report = failed, given_up, report
        self._jobs: tuple[QueuedJob[S, R], ...] = ()
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._cancelled: set[int] = set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, subject: S, is_same: Callable[[S], bool]) -> int:
        """Hand something in; returns the job's id. What waits or runs already, by `is_same`, is not handed in twice."""
        with self._changed:
            for job in self._jobs:
                if is_same(job.subject) and job.state is not State.DONE and job.id not in self._cancelled:
                    return job.id
            made: QueuedJob[S, R] = QueuedJob(id=next(self._ids), subject=subject)
            self._jobs = (*self._jobs, made)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return made.id

    def jobs(self) -> tuple[QueuedJob[S, R], ...]:
        """All that wait, run, or were done lately, in the order in which they were handed in."""
        return self._jobs

    def cancel(self, job_id: int) -> None:
        """Give a job up. One that is done, or not known, stays as it is."""
        with self._changed:
            for job in self._jobs:
                if job.id == job_id and job.state is not State.DONE:
                    self._cancelled.add(job_id)
                    if job.state is State.WAITING:
                        self._replace(replace(job, state=State.DONE, result=self._given_up()))

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
            found = self._result(job)
            with self._changed:
                self._replace(replace(job, state=State.DONE, result=found))
            try:
                self._report(job.subject, found)
            except Exception:  # noqa: BLE001 - the next job has nothing to do with it
                _log.exception("the result of %s could not be kept", job.subject)

    def _next(self) -> QueuedJob[S, R] | None:
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

    def _result(self, job: QueuedJob[S, R]) -> R:
        def watch(progress: Progress) -> None:
            with self._changed:
                self._replace(replace(job, progress=progress))

        try:
            return self._do(job.subject, watch, lambda: job.id in self._cancelled)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the thread
            _log.exception("%s of %s failed", self._name, job.subject)
            return self._failed(error)

    def _replace(self, made: QueuedJob[S, R]) -> None:
        """Publish the jobs with one of them replaced, and the oldest that are done left out."""
        jobs = tuple(made if job.id == made.id else job for job in self._jobs)
        done = [job.id for job in jobs if job.state is State.DONE]
        dropped = set(done[: max(0, len(done) - KEPT)])
        self._cancelled -= dropped
        self._jobs = tuple(job for job in jobs if job.id not in dropped)

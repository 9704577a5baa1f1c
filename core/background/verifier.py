"""Verifications for the dashboard, one at a time in the background."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from core.background.job_queue import JobQueue, QueuedJob, State
from core.base.records import Checkpoint
from core.verify.results import Outcome, Verification
from core.verify.run import CANCELLED, Progress, verify

__all__ = ["State", "Verifier", "VerifyJob"]


class Wanted(NamedTuple):
    """What is verified: a checkpoint in a root, with or without a trial restore."""

    root_path: str
    checkpoint: Checkpoint
    restore: bool


class VerifyJob:
    """One checkpoint that was handed in. `verification` is there when it is done."""

    def __init__(self, job: QueuedJob[Wanted, Verification]) -> None:
        self.id, self.state, self.progress = job.id, job.state, job.progress
        self.root_path, self.checkpoint, self.restore = job.subject
        self.verification = job.result


class Verifier:
    """Verifies what is handed in, in order. `report` gets each result that was not cancelled, on the background
    thread.
    """

    def __init__(self, report: Callable[[Checkpoint, Verification], None]) -> None:
        def told(wanted: Wanted, found: Verification) -> None:
            if found.outcome is not Outcome.CANCELLED:
                report(wanted.checkpoint, found)

        self._queue = JobQueue[Wanted, Verification](
            _verified,
            name="waypoint-verify",
            failed=lambda error: _ended(Outcome.FAILED, f"It could not be verified ({type(error).__name__}: {error})."),
            given_up=lambda: _ended(Outcome.CANCELLED, CANCELLED),
            report=told,
        )
        self.cancel, self.close = self._queue.cancel, self._queue.close

    def submit(self, root_path: str, checkpoint: Checkpoint, *, restore: bool = False) -> int:
        """Hand a checkpoint in; returns the job's id. One that is waiting or running already is not handed in twice."""
        wanted = Wanted(root_path, checkpoint, restore)
        return self._queue.submit(wanted, lambda one: _key(one) == _key(wanted))

    def jobs(self) -> tuple[VerifyJob, ...]:
        """All that wait, run, or were done lately, in the order in which they were handed in."""
        return tuple(map(VerifyJob, self._queue.jobs()))


def _key(wanted: Wanted) -> tuple[str, str, bool]:
    return wanted.root_path, wanted.checkpoint.path, wanted.restore


def _verified(wanted: Wanted, watch: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Verification:
    return verify(wanted.root_path, wanted.checkpoint, watch=watch, cancelled=cancelled, restore=wanted.restore)


def _ended(outcome: Outcome, detail: str) -> Verification:
    return Verification(outcome=outcome, detail=detail, finished_at=datetime.now(UTC))

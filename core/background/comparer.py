"""Distances of checkpoints for the dashboard, one pair at a time in the background."""

from collections.abc import Callable

from core.background.job_queue import JobQueue, QueuedJob
from core.distance.run import Distances, Placed, failed, measure
from core.verify.run import CANCELLED, Progress

Pair = tuple[Placed, Placed]
CompareJob = QueuedJob[Pair, Distances]


class Comparer:
    """Measures what is handed in, in order."""

    def __init__(self) -> None:
        self._queue = JobQueue[Pair, Distances](
            _measured,
            name="waypoint-compare",
            failed=lambda error: failed(f"They could not be compared ({type(error).__name__}: {error})."),
            given_up=lambda: failed(CANCELLED),
        )
        self.jobs, self.cancel, self.close = self._queue.jobs, self._queue.cancel, self._queue.close

    def submit(self, left: Placed, right: Placed) -> int:
        """Hand two checkpoints in; returns the job's id. A pair that waits or is read is not handed in twice."""
        pair = (left, right)
        return self._queue.submit(pair, lambda one: _key(one) == _key(pair))

    def last(self, left: Placed, right: Placed) -> CompareJob | None:
        """The last job of this pair, with the files that they have now; None where there is none."""
        key = _key((left, right))
        return next((job for job in reversed(self.jobs()) if _key(job.subject) == key), None)


def _measured(pair: Pair, watch: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Distances:
    return measure(*pair, watch=watch, cancelled=cancelled)


def _key(pair: Pair) -> tuple[tuple[str, str, tuple[object, ...]], ...]:
    return tuple((root, item.path, tuple(file.identity for file in item.files)) for root, item in pair)

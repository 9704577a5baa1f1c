"""The distance of two checkpoints: in a worker process, from the thread that asks, with progress and cancel."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from core.base.files import FileStat
from core.base.records import Checkpoint
from core.distance.measure import VariableDistance, distance_of
from core.formats.registry import spec_of
from core.stores.local import LocalStore
from core.verify.results import identity
from core.verify.run import CANCELLED, SILENCE, Follower, Progress, death, request_for, stats_now
from core.workers.process import Ended, Ending, converse
from waypoint_resume.names import to_text

WORKER = "core.distance.worker"
Placed = tuple[str, Checkpoint]  # the absolute path of its root, and the checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """What came of it. `problem`: why there is none; `skipped`: (name, why) of those that both have and that were not
    compared; `only`: how many variables only the first and only the second has; `files`: of both, as they were read.
    """

    problem: str | None = None
    variables: tuple[VariableDistance, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    skipped_count: int = 0
    only: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    finished_at: datetime


def failed(problem: str) -> Distances:
    """That there is none, and why."""
    return Distances(problem=problem, finished_at=datetime.now(UTC))


def not_measured(checkpoint: Checkpoint) -> str | None:
    """Why the values of a checkpoint cannot be compared by its format, as a sentence; None where they can."""
    spec = spec_of(checkpoint.format)
    return None if spec.has_values else f"The values of {spec.label} are not read here."


def measure(
    left: Placed,
    right: Placed,
    *,
    watch: Callable[[Progress], None] = lambda _progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Distances:
    """Read the values of two checkpoints once. Blocks; whatever is wrong with their files is the result.

    `watch` and `cancelled` are called from this thread, about ten times a second.
    """
    for _, checkpoint in (left, right):
        if (why := not_measured(checkpoint)) is not None:
            return failed(why)
    before, gone = _files(left, right)
    if gone:
        return failed(f"{gone} is gone since the last look at the disk.")
    follower = Follower(watch)
    request = {"left": request_for(*left), "right": request_for(*right)}
    ended = converse(WORKER, request, hear=follower.hear, cancelled=cancelled, silence=SILENCE)
    found = _judged(ended, follower.seconds)
    if ended.how is Ending.CANCELLED:
        return found
    after, gone = _files(left, right)
    if gone or identity(after) != identity(before):
        return failed("One of them changed while it was read. Compare again when nothing writes to it.")
    return found


def _files(*placed: Placed) -> tuple[tuple[FileStat, ...], str]:
    found: tuple[FileStat, ...] = ()
    for root, checkpoint in placed:
        files, gone = stats_now(LocalStore(root), checkpoint)
        if gone:
            return found, gone
        found += files
    return found, ""


def _judged(ended: Ended, seconds: float) -> Distances:
    if ended.how is Ending.CANCELLED:
        return failed(CANCELLED)
    if ended.how is Ending.SILENT:
        return failed(f"The reading process hung: no word for {SILENCE:g} s.")
    if ended.how is Ending.DIED:
        return failed(death(ended.code))
    try:
        if "error" in ended.answer:
            return failed(to_text(str(ended.answer["error"][1])))
        found = ended.answer["result"]
        return Distances(
            variables=tuple(map(distance_of, found["rows"])),
            skipped=tuple((str(name), str(why)) for name, why in found["skipped"]),
            skipped_count=int(found["skipped_count"]),
            only=(int(found["only"][0]), int(found["only"][1])),
            seconds=seconds,
            finished_at=datetime.now(UTC),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return failed(f"The reading process gave an answer that makes no sense ({type(error).__name__}).")

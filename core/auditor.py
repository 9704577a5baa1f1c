"""The thread beside the indexer that keeps the numbers about disk space fresh, so that no page has to walk or plan.

After each deep pass of the indexer it ends what a kill left half-done in quarantine, purges batches that are old enough
(`purge_after_days`), walks the roots, and plans by the retention of the settings. What came of it is published as one
immutable value.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy.exc import OperationalError

from core import housekeeping
from core.catalog.filters import CheckpointFilter
from core.errors import BusyError, CoreError, NotFoundError
from core.fs.names import to_text
from core.housekeeping import Audited
from core.index.options import CancelledError
from core.model import Problem, Run
from core.storage.batches import Batch
from core.storage.growth import Growths
from core.storage.planned import PlannedFile, freed
from core.storage.tiles import LARGEST, RunKey, Tile, tiles
from core.workspace import Workspace

ACTOR = "waypoint"  # who purges old batches, in logs and journals
GROWTH_DAYS = 30
_log = logging.getLogger(__name__)


class Going(NamedTuple):
    """What could go of one run, or of all: things, their apparent bytes, and the bytes that the disk would gain."""

    items: int = 0
    bytes: int = 0
    freed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldGo:
    """What the retention of the settings lets go; `by_run` has only runs of which something could."""

    total: Going
    by_run: Mapping[RunKey, Going]


class PlacedBatch(NamedTuple):
    """A batch and the run in which it lies."""

    root: str
    run: str
    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of disk space; None and empty before the first look.

    `number` grows whenever something was found anew, `is_looking` while a look goes on. `problems` tell the run, as
    text, of which something is not known; `error` says why the last look gave nothing.
    """

    number: int = 0
    is_looking: bool = False
    audited: Audited | None = None
    growths: Growths | None = None
    tiles: tuple[Tile, ...] = ()
    could_go: CouldGo | None = None
    batches: tuple[PlacedBatch, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str | None = None


class Auditor:
    """Looks when asked, in a daemon thread of its own, or with `look` in the caller's."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._wake, self._stopping = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._survey = Survey()

    @property
    def survey(self) -> Survey:
        """An immutable picture of the moment."""
        return self._survey

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="waypoint-auditor", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the thread to end and wait for it: it ends at the next run, or when the walk is done."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def look_now(self) -> None:
        """Look at once, or when the look that goes on is done."""
        self._wake.set()

    def look(self) -> None:
        """Look in this thread. Never raises: what went wrong stands in the survey and in the log."""
        with self._looking:
            self._guarded(self._look)

    def reread(self, root: str, run: str) -> None:
        """Read the batches of one run again, on which somebody acted."""
        found, problems = _batches(self._workspace, [(root, run)])
        with self._lock:
            others = [one for one in self._survey.batches if (one.root, one.run) != (root, run)]
            name = to_text(run)
            kept = [problem for problem in self._survey.problems if problem.path != name]
            self._found(batches=_newest_first([*others, *found]), problems=(*kept, *problems))

    def _run(self) -> None:
        self._guarded(self._load)
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            self.look()

    def _guarded(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._survey = replace(self._survey, is_looking=True)
        error: str | None = None
        try:
            work()
        except CancelledError:
            pass
        except (CoreError, OSError) as problem:
            error = str(problem)
        except OperationalError as problem:
            error = f"The catalog cannot be used: {problem.orig}"
        except Exception as problem:  # noqa: BLE001 - the thread must outlive whatever a look meets; the page shows it
            error = f"{type(problem).__name__}: {problem}"
        if error is not None:
            _log.exception("a look at disk space failed")
        with self._lock:
            self._survey = replace(self._survey, is_looking=False, error=error)

    def _load(self) -> None:
        """What the last server left behind."""
        audited = housekeeping.last_audit(self._workspace)
        if audited is not None:
            self._finish(audited, None, [])

    def _look(self) -> None:
        workspace = self._workspace
        audited = housekeeping.audit(workspace)
        has_changed, problems = self._settle(audited.usage.quarantines)
        if has_changed:
            audited = housekeeping.audit(workspace)
        going, unplanned = could_go(workspace, workspace.runs(), self._check)
        self._finish(audited, going, [*problems, *unplanned])

    def _settle(self, places: Iterable[RunKey]) -> tuple[bool, list[Problem]]:
        """End half-done batches and purge old ones; whether there were any, and what could not be done."""
        workspace, days = self._workspace, self._workspace.settings.purge_after_days
        done: list[object] = []
        problems: list[Problem] = []
        for root, path in places:
            self._check()
            try:
                run = housekeeping.quarantined_run(workspace, root, path)
                done += housekeeping.recover_run(workspace, run, ACTOR)
                done += housekeeping.purge_old(workspace, run, days, ACTOR) if days > 0 else ()
            except (BusyError, NotFoundError):
                continue  # somebody is at it, or the run went away meanwhile
            except (CoreError, OSError) as error:
                problems.append(Problem(path=to_text(path), problem=str(error)))
        return bool(done), problems

    def _finish(self, audited: Audited, going: CouldGo | None, problems: list[Problem]) -> None:
        workspace = self._workspace
        counts = {(run.root, run.path): run.checkpoints for run in workspace.runs()}
        largest = workspace.reader.checkpoints(CheckpointFilter(), sort="bytes", limit=LARGEST).items
        drawn = tiles(audited.usage, largest, counts)
        growths = housekeeping.growth_since(workspace, GROWTH_DAYS)
        with self._lock:
            # Also where somebody acted while the walk went on: it may have passed there before.
            places = {*audited.usage.quarantines, *((one.root, one.run) for one in self._survey.batches)}
            found, unread = _batches(workspace, sorted(places))
            self._found(
                audited=audited,
                growths=growths,
                tiles=drawn,
                could_go=going,
                batches=_newest_first(found),
                problems=(*problems, *unread),
            )

    def _check(self) -> None:
        if self._stopping:
            raise CancelledError("the server stops")

    def _found(self, **changes: object) -> None:
        """Publish what pages show. Only under the lock."""
        self._survey = replace(self._survey, number=self._survey.number + 1, **changes)  # type: ignore[arg-type]


def could_go(
    workspace: Workspace, runs: Iterable[Run], check: Callable[[], None] = lambda: None
) -> tuple[CouldGo, list[Problem]]:
    """What the retention of the settings lets go, run by run, and the runs of which that cannot be told. `check` is
    called before each run and may raise.
    """
    by_run: dict[RunKey, Going] = {}
    linked: list[tuple[str, PlannedFile]] = []  # files of several names: they may lie in several runs
    problems: list[Problem] = []
    alone = 0
    for run in runs:
        check()
        try:
            (planned,) = housekeeping.plan(workspace, [run]).runs
        except NotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(run.path), problem=str(error)))
            continue
        if planned.items:
            files = [(planned.folder, file) for item in planned.items for file in item.files]
            size = sum(file.size for _, file in files)
            by_run[run.root, run.path] = Going(len(planned.items), size, freed(files))
            alone += sum(file.allocated for _, file in files if file.links < 2)
            linked += [one for one in files if one[1].links > 1]
    items, size = sum(one.items for one in by_run.values()), sum(one.bytes for one in by_run.values())
    return CouldGo(total=Going(items, size, alone + freed(linked)), by_run=by_run), problems


def _batches(workspace: Workspace, places: Iterable[RunKey]) -> tuple[list[PlacedBatch], list[Problem]]:
    """The batches in some places, and what cannot be understood among them."""
    found: list[PlacedBatch] = []
    problems: list[Problem] = []
    for root, path in places:
        try:
            here = housekeeping.run_batches(workspace, housekeeping.quarantined_run(workspace, root, path))
        except NotFoundError:
            continue
        except (CoreError, OSError) as error:
            problems.append(Problem(path=to_text(path), problem=str(error)))
            continue
        found += [PlacedBatch(root, path, batch) for batch in here.batches]
        problems += [Problem(path=to_text(path), problem=f"{one.path}: {one.problem}") for one in here.problems]
    return found, problems


def _newest_first(found: Iterable[PlacedBatch]) -> tuple[PlacedBatch, ...]:
    return tuple(sorted(found, key=lambda one: (one.batch.at, one.batch.id), reverse=True))

"""The thread beside the indexer that keeps the numbers about disk space fresh, so that no page has to walk or plan.

After a deep pass of the indexer, every ten minutes or when somebody wants to know, it walks the roots, ends what a kill
left half-done in quarantine, purges batches that are old enough (`purge_after_days`), and plans by the retention of the
settings. What came of it is published as one immutable value.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy.exc import OperationalError

from core.base.errors import BusyError, CoreError, NotFoundError
from core.base.files import Problem
from core.base.thread import Background
from core.catalog.filters import CheckpointFilter
from core.disk_usage.tiles import LARGEST, RunKey, tiles
from core.indexing.options import CancelledError
from core.services import disk_space, quarantine
from core.services.disk_space import Audited
from core.services.survey import CouldGo, Survey, could_go, newest_first, placed_batches
from core.services.workspace import Workspace
from waypoint_resume.names import to_text

ACTOR = "waypoint"  # who purges old batches, in logs and journals
GROWTH_DAYS = 30
EVERY_S = 600.0
_log = logging.getLogger(__name__)


class Auditor(Background):
    """Looks after the indexer, in a daemon thread of its own, or with `look` in the caller's. When it is stopped it
    ends at the next run, or when the walk is done.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("waypoint-auditor")
        self._workspace = workspace
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._is_wanted, self._looked_at = True, 0.0
        self._survey = Survey()

    @property
    def survey(self) -> Survey:
        """An immutable picture of the moment."""
        return self._survey

    def want(self) -> None:
        """Ask for a look after the next deep pass, however short ago the last one was."""
        self._is_wanted = True

    def after_deep(self) -> None:
        """A deep pass is done: look if that is wanted, or was last done `EVERY_S` seconds ago."""
        if self._is_wanted or time.monotonic() - self._looked_at >= EVERY_S:
            self._wake.set()

    def look(self) -> None:
        """Look in this thread. Never raises: what went wrong stands in the survey and in the log."""
        with self._looking:
            self._is_wanted = False
            self._guarded(self._look)
            self._looked_at = time.monotonic()

    def reread(self, root: str, run: str) -> None:
        """Read the batches of one run again, on which somebody acted."""
        found, problems = placed_batches(self._workspace, [(root, run)])
        with self._lock:
            others = [one for one in self._survey.batches if (one.root, one.run) != (root, run)]
            name = to_text(run)
            kept = [problem for problem in self._survey.problems if problem.path != name]
            batches = newest_first([*others, *found])
            self._publish(replace(self._survey, batches=batches, problems=(*kept, *problems)))

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
        except Exception as problem:  # noqa: BLE001 - the thread must outlive whatever a look meets; the page shows it
            _log.exception("a look at disk space failed")
            error = _sentence(problem)
        with self._lock:
            self._survey = replace(self._survey, is_looking=False, error=error)

    def _load(self) -> None:
        """What the last server left behind."""
        audited = disk_space.last_audit(self._workspace)
        if audited is not None:
            self._finish(audited, None, [])

    def _look(self) -> None:
        workspace = self._workspace
        audited = disk_space.audit(workspace)
        has_changed, problems = self._settle(audited.usage.quarantines)
        if has_changed:
            audited = disk_space.audit(workspace)
        going, unplanned = could_go(workspace, workspace.runs(), self._check)
        self._finish(audited, going, [*problems, *unplanned])

    def _settle(self, places: Iterable[RunKey]) -> tuple[bool, list[Problem]]:
        """End half-done batches and purge old ones; whether there were any, and what could not be done."""
        workspace, days = self._workspace.acting_as(ACTOR), self._workspace.settings.purge_after_days
        done: list[object] = []
        problems: list[Problem] = []
        for root, path in places:
            self._check()
            try:
                run = quarantine.quarantined_run(workspace, root, path)
                done += quarantine.recover_run(workspace, run)
                done += quarantine.purge_old(workspace, run, days) if days > 0 else ()
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
        growths = disk_space.growth_since(workspace, GROWTH_DAYS)
        with self._lock:
            # Also where somebody acted while the walk went on: it may have passed there before.
            places = {*audited.usage.quarantines, *((one.root, one.run) for one in self._survey.batches)}
            found, unread = placed_batches(workspace, sorted(places))
            self._publish(
                replace(
                    self._survey,
                    audited=audited,
                    growths=growths,
                    tiles=drawn,
                    could_go=going,
                    batches=newest_first(found),
                    problems=(*problems, *unread),
                )
            )

    def _check(self) -> None:
        if self._stopping:
            raise CancelledError("the server stops")

    def _publish(self, survey: Survey) -> None:
        """Give pages something new to show. Only under the lock."""
        self._survey = replace(survey, number=self._survey.number + 1)


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OperationalError):
        return f"The catalog cannot be used: {problem.orig}"
    return str(problem) if isinstance(problem, CoreError | OSError) else f"{type(problem).__name__}: {problem}"

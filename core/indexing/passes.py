"""A pass over all roots, holding the home's lock, for whoever asks."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from core.base.ages import Ages
from core.base.errors import CoreError
from core.base.files import Problem
from core.base.records import IndexReport, Root
from core.catalog import writes
from core.catalog.engine import catalog_error, reopen_if_replaced
from core.catalog.in_memory import is_in_memory
from core.catalog.metric_files import count_due
from core.catalog.rows import to_us
from core.config.settings import Settings
from core.indexing.lock import WAIT_SECONDS, writing
from core.indexing.metric_pass import read_metric_files
from core.indexing.options import METRICS_SECONDS, REREAD_SECONDS, Options, Progress
from core.indexing.refresh import refresh_root
from core.indexing.stamp import current_stamp
from core.metrics.project_metrics import parse_project_metrics
from core.stores.local import LocalStore
from waypoint_resume.names import short_id, to_text

_FORGOTTEN_AFTER_S = 30 * 86_400.0  # roots that nobody looked at for so long leave the catalog
_log = logging.getLogger(__name__)


def root_id(path: str) -> str:
    """The short stable id of a root."""
    return short_id(path)


def refresh_all(
    engine: Engine,
    settings: Settings,
    purpose: str,
    *,
    deep: bool = True,
    reread_seconds: float | None = REREAD_SECONDS,
    metrics_seconds: float | None = METRICS_SECONDS,
    watch: Callable[[str, Progress], None] = lambda _root, _progress: None,
) -> tuple[IndexReport, bool]:
    """One pass over every root, holding the home's lock. Returns the report and whether anything changed.

    What older readers read is read again for so long in each root; None: all of it. What tells metrics is read for
    `metrics_seconds`, after all checkpoints (None: all of it; 0: `refresh_metrics` does so later).

    BusyError when another process holds the lock for too long. A root that is missing or unreadable is a problem of
    its own in the report; what was known of it stays.
    """
    started = time.monotonic()
    options = _options(settings, deep=deep, reread_seconds=reread_seconds)
    total, changed = IndexReport(), False
    with _catalog_errors(settings), _alone(engine, settings, purpose):
        reopen_if_replaced(engine)
        with engine.begin() as connection:
            writes.forget_roots(connection, [root_id(path) for path in settings.roots], _FORGOTTEN_AFTER_S)
        for path in settings.roots:
            root, progress = _refresh_one(engine, path, options, watch)
            changed = changed or progress.changed
            problems = tuple((root.path, problem) for problem in progress.problems)
            total = replace(
                total,
                roots=(*total.roots, root),
                parsed=total.parsed + progress.parsed,
                reused=total.reused + progress.reused,
                rejudged=total.rejudged + progress.rejudged,
                reread=total.reread + progress.reread,
                waiting=total.waiting + progress.waiting,
                problems=(*total.problems, *problems),
            )
        if metrics_seconds != 0:
            read, waiting = _read_metrics(engine, settings, options, metrics_seconds)
            total, changed = replace(total, metric_files=read, metric_files_waiting=waiting), changed or read > 0
    return replace(total, seconds=time.monotonic() - started), changed


def refresh_metrics(
    engine: Engine, settings: Settings, purpose: str, seconds: float, step: Callable[[], None] = lambda: None
) -> tuple[int, int]:
    """Read what tells metrics, as the last pass saw it, for so many seconds, holding the home's lock. Returns how many
    files were read and how many are left. BusyError.
    """
    if not count_due(engine, [root_id(path) for path in settings.roots]):
        return 0, 0
    with _catalog_errors(settings), _alone(engine, settings, purpose):
        return _read_metrics(engine, settings, _options(settings), seconds, step)


def _options(settings: Settings, *, deep: bool = True, reread_seconds: float | None = REREAD_SECONDS) -> Options:
    return Options(
        run_pattern=settings.run_pattern,
        write_grace=settings.write_grace,
        ages=Ages(live_window=settings.live_window, stale_after=settings.stale_after, write_grace=settings.write_grace),
        deep=deep,
        decisions_dir=settings.decisions_dir,
        layout=settings.layout,
        stamp=current_stamp(),
        reread_seconds=reread_seconds,
        projects=parse_project_metrics(settings.metric),
    )


def _read_metrics(
    engine: Engine,
    settings: Settings,
    options: Options,
    seconds: float | None,
    step: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    read = waiting = 0
    until = None if seconds is None else time.monotonic() + seconds
    for path in settings.roots:
        left = None if until is None else max(0.0, until - time.monotonic())
        found = read_metric_files(engine, LocalStore(path), root_id(path), options, seconds=left, step=step)
        read, waiting = read + found[0], waiting + found[1]
    return read, waiting


def _refresh_one(
    engine: Engine, path: str, options: Options, watch: Callable[[str, Progress], None]
) -> tuple[Root, Progress]:
    progress = Progress()
    progress.step = lambda: watch(path, progress)
    problem = None
    try:
        refresh_root(engine, LocalStore(path), root_id(path), path, options, progress)
    except OSError as error:
        problem = f"{to_text(path)}: {error.strerror or error}. Is it mounted, and may {_who()} read it?"
    except (CoreError, OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - one root never hides the others
        _log.exception("the pass over %s failed", to_text(path))
        problem = f"{to_text(path)}: could not be looked at: {type(error).__name__}: {error}"
    counts = IndexReport(rejudged=progress.rejudged, reread=progress.reread, waiting=progress.waiting)
    if told := upgrade_text(counts):
        _log.info("%s: %s", to_text(path), told)
    now = datetime.now(UTC)
    root = Root(id=root_id(path), path=path, problem=problem, looked_at=now if problem is None else None)
    with engine.begin() as connection:
        writes.store_root(connection, root, to_us(now))
    return root, progress


def _alone(engine: Engine, settings: Settings, purpose: str) -> contextlib.AbstractContextManager[None]:
    """The home's lock; none for a catalog in memory, which no other process knows."""
    return contextlib.nullcontext() if is_in_memory(engine) else writing(settings.home, purpose, WAIT_SECONDS)


@contextlib.contextmanager
def _catalog_errors(settings: Settings) -> Iterator[None]:
    """What the database cannot do, as a sentence: its disk is full, or it is damaged. What was written before stays."""
    try:
        yield
    except (OperationalError, OSError) as error:
        raise catalog_error(settings.home, error) from error


def _who() -> str:
    return "the user who runs Waypoint"


def problem_texts(report: IndexReport) -> tuple[tuple[str, Problem], ...]:
    """Every problem of a report with its root's path, roots first."""
    own = tuple((root.path, Problem(path="", problem=root.problem)) for root in report.roots if root.problem)
    return (*own, *report.problems)


def upgrade_text(report: IndexReport) -> str:
    """What a pass judged and read anew because rules or readers changed, as a sentence; '' where that is nothing."""
    if not (report.rejudged or report.reread or report.waiting):
        return ""
    rest = f"; {report.waiting:,} folders follow" if report.waiting else ""
    return f"After an upgrade: {report.rejudged:,} runs judged anew, {report.reread:,} checkpoints read again{rest}."

"""The one background thread of a server that keeps the catalog true, and a pass over all roots for whoever asks."""

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from core.background import Background
from core.catalog import writes
from core.catalog.engine import catalog_error, reopen_if_replaced
from core.catalog.in_memory import is_in_memory
from core.catalog.rows import to_us
from core.errors import BusyError, CoreError
from core.fs.local import LocalStorage
from core.index.lock import WAIT_SECONDS, writing
from core.index.options import CancelledError, Options, Progress
from core.index.refresh import refresh_root
from core.index.rollup import Ages
from core.model import IndexReport, Problem, Root
from core.settings import Settings
from waypoint_resume.names import short_id, to_text

DEEP_EVERY_S = 600.0
_COLLECT_EVERY_S = 60.0
_FORGOTTEN_AFTER_S = 30 * 86_400.0  # roots that nobody looked at for so long leave the catalog
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerStatus:
    """What the indexer does: `phase` ∈ starting, looking, waiting, failed. `version` grows with every pass that changed
    something; `expected_folders` is the number of folders of the last pass, None at the first.
    """

    phase: str = "starting"
    root: str | None = None
    folders: int = 0
    expected_folders: int | None = None
    checkpoints: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int = 0
    report: IndexReport | None = None
    error: str | None = None


def root_id(path: str) -> str:
    """The short stable id of a root."""
    return short_id(path)


def refresh_all(
    engine: Engine,
    settings: Settings,
    purpose: str,
    *,
    deep: bool = True,
    watch: Callable[[str, Progress], None] = lambda _root, _progress: None,
) -> tuple[IndexReport, bool]:
    """One pass over every root, holding the home's lock. Returns the report and whether anything changed.

    BusyError when another process holds the lock for too long. A root that is missing or unreadable is a problem of
    its own in the report; what was known of it stays.
    """
    started = time.monotonic()
    options = Options(
        run_pattern=settings.run_pattern,
        write_grace=settings.write_grace,
        ages=Ages(live_window=settings.live_window, stale_after=settings.stale_after, write_grace=settings.write_grace),
        deep=deep,
        decisions_dir=settings.decisions_dir,
    )
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
                problems=(*total.problems, *problems),
            )
    return replace(total, seconds=time.monotonic() - started), changed


def _refresh_one(
    engine: Engine, path: str, options: Options, watch: Callable[[str, Progress], None]
) -> tuple[Root, Progress]:
    progress = Progress()
    progress.step = lambda: watch(path, progress)
    problem = None
    try:
        refresh_root(engine, LocalStorage(path), root_id(path), path, options, progress)
    except OSError as error:
        problem = f"{to_text(path)}: {error.strerror or error}. Is it mounted, and may {_who()} read it?"
    except (CoreError, OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - one root never hides the others
        _log.exception("the pass over %s failed", to_text(path))
        problem = f"{to_text(path)}: could not be looked at: {type(error).__name__}: {error}"
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


class Indexer(Background):
    """Looks at the roots every `settings.refresh` seconds in a daemon thread of its own; `after_deep` is called after
    each pass that looked at every file. When it is stopped, a pass ends at the next folder.
    """

    def __init__(self, engine: Engine, settings: Settings, after_deep: Callable[[], None] = lambda: None) -> None:
        super().__init__("waypoint-indexer")
        self._engine, self._settings, self._after_deep = engine, settings, after_deep
        self._deep_next = True
        self._status = IndexerStatus()

    @property
    def status(self) -> IndexerStatus:
        """An immutable picture of the moment."""
        return self._status

    def look_now(self) -> None:
        """Begin a pass that stats every file: at once, or when the one that runs is done."""
        self._deep_next = True
        self._wake.set()

    def _run(self) -> None:
        deep_at = collected_at = 0.0
        while not self._stopping:
            deep = self._deep_next or time.monotonic() - deep_at >= DEEP_EVERY_S
            self._deep_next = False
            self._pass(deep)
            if deep:
                deep_at = time.monotonic()
            if time.monotonic() - collected_at >= _COLLECT_EVERY_S:
                gc.collect()  # the page scripts leave this to us: streamlit's own after every rerun is switched off
                collected_at = time.monotonic()
            self._wake.wait(self._settings.refresh)
            self._wake.clear()

    def _pass(self, deep: bool) -> None:
        self._status = replace(
            self._status, phase="looking", root=None, folders=0, checkpoints=0, started_at=datetime.now(UTC)
        )
        try:
            report, changed = refresh_all(self._engine, self._settings, "dashboard", deep=deep, watch=self._watch)
        except CancelledError:
            return
        except BusyError as error:
            self._finish(str(error))
        except CoreError as error:
            self._finish(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a pass meets; the page shows it
            _log.exception("a pass over the roots failed")
            self._finish(f"{type(error).__name__}: {error}")
        else:
            version = self._status.version + (changed or self._status.report is None)
            self._status = replace(
                self._status, phase="waiting", finished_at=datetime.now(UTC), version=version, report=report, error=None
            )
            if deep:
                self._after_deep()

    def _finish(self, error: str) -> None:
        self._status = replace(self._status, phase="failed", finished_at=datetime.now(UTC), error=error)

    def _watch(self, root: str, progress: Progress) -> None:
        if self._stopping:
            raise CancelledError("the server stops")
        self._status = replace(
            self._status,
            root=root,
            folders=progress.folders,
            expected_folders=progress.expected,
            checkpoints=progress.checkpoints,
        )


def problem_texts(report: IndexReport) -> tuple[tuple[str, Problem], ...]:
    """Every problem of a report with its root's path, roots first."""
    own = tuple((root.path, Problem(path="", problem=root.problem)) for root in report.roots if root.problem)
    return (*own, *report.problems)

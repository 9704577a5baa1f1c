"""The one background thread of a server that keeps the catalog true, and a pass over all roots for whoever asks."""

import gc
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from core.base.errors import BusyError, CatalogFullError, CoreError
from core.base.records import IndexReport
from core.base.thread import Background
from core.config.settings import Settings
from core.indexing.options import CancelledError, Progress
from core.indexing.passes import refresh_all, refresh_metrics

DEEP_EVERY_S = 600.0
_COLLECT_EVERY_S = 60.0
_METRICS_S = 2.0  # for which the home's lock is held at once
_PAUSE_S = 0.3  # in which another process that waits for it gets it
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerStatus:
    """What the indexer does: `phase` ∈ starting, looking, waiting, failed. `version` grows with every pass that changed
    something; `expected_folders` is the number of folders of the last pass, None at the first. Files that tell metrics
    are read after the checkpoints: `metric_files_waiting` are left.
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
    metric_files_waiting: int = 0


class Indexer(Background):
    """Looks at the roots every `settings.refresh` seconds in a daemon thread of its own; `after_deep` is called after
    each pass that looked at every file. When it is stopped, a pass ends at the next folder. `engine_for` gives the
    catalog for a pass; it is told (True) when there is no room to write the one that it gave.
    """

    def __init__(
        self, engine_for: Callable[[bool], Engine], settings: Settings, after_deep: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__("waypoint-indexer")
        self._engine_for, self._settings, self._after_deep = engine_for, settings, after_deep
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
            next_at = time.monotonic() + self._settings.refresh
            self._read_metrics(next_at)
            if time.monotonic() - collected_at >= _COLLECT_EVERY_S:
                gc.collect()  # the page scripts leave this to us: streamlit's own after every rerun is switched off
                collected_at = time.monotonic()
            self._wake.wait(max(0.0, next_at - time.monotonic()))
            self._wake.clear()

    def _read_metrics(self, until: float) -> None:
        """Read what tells metrics, bit by bit, until it is time for the next pass or somebody wants one: what is left
        then is read after that.
        """
        while not self._stopping and not self._wake.is_set() and time.monotonic() < until:
            try:
                engine = self._engine_for(False)
                read, left = refresh_metrics(engine, self._settings, "dashboard", _METRICS_S, self._stop_if_wanted)
            except (CoreError, CancelledError):
                return  # another process reads, or the next pass tells what is wrong
            except Exception:  # noqa: BLE001 - the thread must outlive whatever a file holds
                _log.exception("reading metrics failed")
                return
            if read:
                self._status = replace(self._status, version=self._status.version + 1, metric_files_waiting=left)
            if not left or self._wake.wait(_PAUSE_S):
                return

    def _stop_if_wanted(self) -> None:
        if self._stopping:
            raise CancelledError("the server stops")

    def _pass(self, deep: bool) -> None:
        self._status = replace(
            self._status, phase="looking", root=None, folders=0, checkpoints=0, started_at=datetime.now(UTC)
        )
        try:
            report, changed = self._refresh(deep)
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

    def _refresh(self, deep: bool) -> tuple[IndexReport, bool]:
        def refresh(engine: Engine) -> tuple[IndexReport, bool]:
            watch = self._watch
            return refresh_all(engine, self._settings, "dashboard", deep=deep, metrics_seconds=0, watch=watch)

        try:
            return refresh(self._engine_for(False))
        except CatalogFullError as error:
            try:
                engine = self._engine_for(True)
            except (sqlite3.Error, DBAPIError) as unreadable:
                raise error from unreadable
            return refresh(engine)

    def _finish(self, error: str) -> None:
        self._status = replace(self._status, phase="failed", finished_at=datetime.now(UTC), error=error)

    def _watch(self, root: str, progress: Progress) -> None:
        self._stop_if_wanted()
        self._status = replace(
            self._status,
            root=root,
            folders=progress.folders,
            expected_folders=progress.expected,
            checkpoints=progress.checkpoints,
        )

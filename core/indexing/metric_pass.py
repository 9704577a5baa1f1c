"""The part of a pass that reads what runs achieved, after their checkpoints are there: run by run, for as long as there
is time, those first in which something changed last.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine

from core.catalog.best_metrics import ids_of_root, set_modes
from core.catalog.known_folders import KnownFolder
from core.catalog.metric_files import (
    DueFile,
    SeenFile,
    count_due,
    due_files,
    forget_in,
    note_files,
    store_told_by,
    told_by,
)
from core.catalog.metric_rollup import derive_runs
from core.catalog.metric_series import FileReading, known_summaries, store_readings
from core.indexing.metric_reading import MetricTask, read_metric_file
from core.indexing.options import Options
from core.stores.store import Store

_CHUNK = 400  # files that are asked for at once
_WRITTEN = 100  # and written at once


def note_metric_files(
    connection: Connection,
    root: str,
    folders: Mapping[str, KnownFolder],
    seen: Mapping[str, Sequence[SeenFile]],
    gone: Collection[str],
    options: Options,
) -> None:
    """Note what the walk saw of the files that tell metrics: `seen` by folder, `gone` are folders that went away. What
    is known of runs that lost files is made anew.
    """
    runs = {path: folders[path].run for path in seen}
    lost = note_files(connection, root, runs, seen) | forget_in(connection, root, gone)
    if lost:
        derive_runs(connection, root, lost, options.projects)
    if told_by(connection, root) != options.metrics_told_by:
        store_told_by(connection, root, options.metrics_told_by, options.stamp.metric_readers)
        set_modes(connection, ids_of_root(connection, root), options.projects)


def read_metric_files(
    engine: Engine,
    store: Store,
    root: str,
    options: Options,
    *,
    seconds: float | None = None,
    step: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Read the files of a root that are due, for so many seconds (None: all of them) and at least those of one run.
    Returns how many were read and how many are left.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    count = 0
    while due := due_files(engine, root, _CHUNK):
        by_run: dict[str, list[DueFile]] = {}
        for file in due:
            by_run.setdefault(file.run, []).append(file)
        readings: list[tuple[DueFile, FileReading]] = []
        for files in by_run.values():
            readings += _read(engine, store, root, files, options)
            is_over = time.monotonic() >= until
            if len(readings) >= _WRITTEN or is_over:
                count += _write(engine, root, readings, options)
                readings = []
            step()
            if is_over:
                return count, count_due(engine, [root])
        count += _write(engine, root, readings, options)
    return count, 0


def _read(
    engine: Engine, store: Store, root: str, files: Sequence[DueFile], options: Options
) -> Iterator[tuple[DueFile, FileReading]]:
    """Read files of one run."""
    for file in files:
        known = known_summaries(engine, root, file.run, file.path) if file.position is not None else {}
        reader = options.stamp.metric_readers.get(file.source, "")
        yield file, read_metric_file(store, MetricTask(file.path, file.source, file.position, known, reader))


def _write(engine: Engine, root: str, readings: Sequence[tuple[DueFile, FileReading]], options: Options) -> int:
    """Write what files gave, with what follows for their runs; how many they are."""
    if readings:
        with engine.begin() as connection:
            store_readings(connection, root, readings)
            derive_runs(connection, root, {file.run for file, _ in readings}, options.projects)
    return len(readings)

"""What one transaction of a pass writes, and a garbage collector that lets a pass make its records."""

import contextlib
import gc
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from core.catalog import sweeps, writes
from core.catalog.best_metrics import set_modes
from core.catalog.known_folders import KnownFolder, store_folders
from core.catalog.rows import run_id
from core.indexing.rollup import RunRecord
from core.metrics.project_metrics import ProjectMetrics
from core.sweeps.records import Trial

_NEW_OBJECTS = 50_000  # between two looks of the garbage collector


@contextlib.contextmanager
def calm_collector() -> Iterator[None]:
    """Let the garbage collector look less often: a pass makes records by the hundred thousand and no cycles, and going
    through them again and again takes a tenth of its time.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _NEW_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(slots=True)
class Batch:
    """Folders and runs of one root; `known` are the folders that the catalog has, `projects` tell the best metrics."""

    root: str
    known: Collection[str]
    projects: ProjectMetrics
    folders: list[KnownFolder] = field(default_factory=list)
    old_rows: list[dict[str, Any]] = field(default_factory=list)
    records: list[RunRecord] = field(default_factory=list)
    trials: dict[str, Trial | None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many checkpoints it writes."""
        return sum(len(record.checkpoints) for record in self.records)

    def write(self, engine: Engine) -> None:
        """Write all of it, or nothing."""
        with engine.begin() as connection:
            store_folders(connection, self.root, self.folders, self.known)
            sweeps.store_read(connection, self.root, self.trials)
            members = (item for record in self.records for item in record.checkpoints)
            writes.store_checkpoints(connection, self.old_rows, members)
            writes.store_runs(connection, self.root, [(record.row, record.findings) for record in self.records])
            ids = [run_id(self.root, str(record.row["path"])) for record in self.records]
            set_modes(connection, ids, self.projects)

"""A root with its catalog, and passes over it at a time that is set."""

from pathlib import Path

from core.base.records import Checkpoint, Root, Run
from core.catalog import writes
from core.catalog.engine import open_catalog
from core.catalog.filters import CheckpointFilter, FindingFilter, RunFilter
from core.catalog.queries import Reader
from core.catalog.tables import metadata
from core.indexing.options import Options, Progress
from core.indexing.refresh import refresh_root
from core.stores.local import LocalStore
from core.stores.store import Members
from tests.support.trees import START, START_NS, options

YEAR_NS = 365 * 86_400 * 1_000_000_000


class FixedClockStore(LocalStore):
    """A disk whose clock stands still, and some of whose folders cannot be listed."""

    now = START_NS + YEAR_NS
    refused: frozenset[str] = frozenset()

    def members(self, folder: str) -> Members:
        """Refuse, or list."""
        if folder in self.refused:
            raise PermissionError(13, "Permission denied", folder)
        return super().members(folder)

    def now_ns(self) -> int:
        """The time that was set."""
        return self.now


class Disk:
    """A root, its catalog, and passes over it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        root.mkdir(parents=True, exist_ok=True)
        self.store = FixedClockStore(str(root))
        self.engine = open_catalog(home)
        self.reader = Reader(self.engine, ["r00t"])

    def look(self, how: Options | None = None, *, deep: bool = True) -> Progress:
        """One pass."""
        progress = Progress()
        refresh_root(self.engine, self.store, "r00t", str(self.root), how or options(deep=deep), progress)
        with self.engine.begin() as connection:
            writes.store_root(connection, Root(id="r00t", path=str(self.root)), 1)
        return progress

    def runs(self) -> dict[str, Run]:
        """Every run by path."""
        return {run.path: run for run in self.reader.runs(RunFilter(), START, limit=None).items}

    def items(self) -> dict[str, Checkpoint]:
        """Every checkpoint by path."""
        return {item.path: item for item in self.reader.checkpoints(CheckpointFilter(), limit=None).items}

    def rules(self) -> list[tuple[str, str]]:
        """Every error's and warning's path and rule."""
        found = self.reader.findings(FindingFilter(severities=("error", "warning")))
        return sorted((item.finding.path, item.finding.rule) for item in found)

    def content(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table, without numbers that only tell in which order they came."""
        with self.engine.connect() as connection:
            return {
                table.name: sorted(
                    (
                        tuple(value for name, value in row.items() if name not in ("id", "series_order"))
                        for row in connection.execute(table.select()).mappings()
                    ),
                    key=repr,
                )
                for table in metadata.tables.values()
            }

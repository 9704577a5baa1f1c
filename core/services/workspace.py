"""The session that everything is asked of: settings, the catalog that they lead to, who acts, and when."""

import copy
import posixpath
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine

from core.base.ages import SECOND_US, Ages, turning_points
from core.base.direction import Direction
from core.base.errors import AmbiguousError, NotFoundError
from core.base.records import Checkpoint, IndexReport, Root, Run
from core.catalog.best_metrics import said_metrics
from core.catalog.engine import FILE_NAME, open_catalog
from core.catalog.filters import RunFilter
from core.catalog.in_memory import copy_into_memory, is_in_memory
from core.catalog.queries import Reader
from core.catalog.rows import run_id
from core.catalog.sweeps import SweepReader
from core.config.settings import Settings, load
from core.indexing.options import METRICS_SECONDS, REREAD_SECONDS, Progress
from core.indexing.passes import problem_texts, refresh_all, root_id, upgrade_text
from core.metrics.best import BestMetric, ToldBy
from core.metrics.project_metrics import ProjectMetrics, parse_project_metrics
from core.retention.tables import parse_retention
from core.runfolder.run_folder import Liveness, RunFolder
from core.services.missing_runs import why_no_run
from waypoint_resume.names import from_text, to_text

__all__ = [
    "METRICS_SECONDS",
    "REREAD_SECONDS",
    "Progress",
    "Workspace",
    "load",
    "problem_texts",
    "relative",
    "upgrade_text",
]


class Workspace:
    """Settings, the catalog they lead to, and who acts: `actor` stands in the records of what is done."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.actor = settings.actor
        self.retention = parse_retention(settings.retention)
        self.projects = parse_project_metrics(settings.metric)
        self._use(engine)

    @classmethod
    def open(cls, settings: Settings) -> "Workspace":
        """Open the home's catalog. CatalogError where it cannot be used, SettingsError for wrong tables."""
        return cls(settings, open_catalog(settings.home))

    def acting_as(self, actor: str) -> "Workspace":
        """The same for acts of somebody else; made for each act anew, as it does not follow to another catalog."""
        other = copy.copy(self)
        other.actor = actor
        return other

    def close(self) -> None:
        """Let go of the catalog's connections."""
        self.engine.dispose()

    @classmethod
    def open_in_memory(cls, settings: Settings) -> "Workspace":
        """Open a copy in memory of the home's catalog, for a home on a full disk. sqlite3.Error where it cannot be
        read.
        """
        return cls(settings, copy_into_memory(settings.home / FILE_NAME))

    def go_on_in_memory(self) -> None:
        """Leave the home's catalog as it is, and use a copy of it that is not kept. sqlite3.Error as above."""
        before = self.engine
        self._use(copy_into_memory(self.settings.home / FILE_NAME))
        before.dispose()

    def go_back_to_file(self) -> None:
        """Use the home's catalog again; what the copy in memory knew alone is forgotten. CatalogError.

        Who reads the copy at this moment reads on: it is gone with its last reader.
        """
        self._use(open_catalog(self.settings.home))

    def _use(self, engine: Engine) -> None:
        root_ids = [root_id(path) for path in self.settings.roots]
        self.reader, self.sweeps = Reader(engine, root_ids), SweepReader(engine, root_ids)
        self.engine = engine

    @property
    def is_in_memory(self) -> bool:
        """Whether the catalog is a copy in memory, which is not kept."""
        return is_in_memory(self.engine)

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def refresh(
        self,
        purpose: str = "shell",
        *,
        deep: bool = True,
        reread_seconds: float | None = REREAD_SECONDS,
        metrics_seconds: float | None = METRICS_SECONDS,
        watch: Callable[[str, Progress], None] = lambda _root, _progress: None,
    ) -> IndexReport:
        """One pass over every root, now; counts are those of the whole catalog afterwards. `reread_seconds` and
        `metrics_seconds` as in `refresh_all`.
        """
        report, _ = refresh_all(
            self.engine,
            self.settings,
            purpose,
            deep=deep,
            reread_seconds=reread_seconds,
            metrics_seconds=metrics_seconds,
            watch=watch,
        )
        totals = self.reader.overview(self.now())
        return replace(report, runs=totals.runs, checkpoints=totals.checkpoints)

    def root(self, root_id: str) -> Root:
        """A root by its id. NotFoundError for an unknown one."""
        for root in self.reader.roots():
            if root.id == root_id:
                return root
        raise NotFoundError(f"There is no root {to_text(root_id)!r}.")

    def find_run(self, text: str) -> Run:
        """A run named as people name it: relative to a root, or an absolute path inside one.

        NotFoundError for none, AmbiguousError where roots share the name.
        """
        found: list[Run] = []
        for root in self.reader.roots():
            name = relative(text, root.path)
            if name is None:
                continue
            try:
                found.append(self.reader.run(root.id, name, self.now()))
            except NotFoundError:
                continue
        if not found:
            why = why_no_run(self.engine, self.reader.roots(), text)
            hint = "Other roots: --root PATH, or WAYPOINT_ROOTS."
            raise NotFoundError(f"There is no run {to_text(text)!r} under {self._root_names()}. {why} {hint}")
        if len({self.absolute(run.root, run.path) for run in found}) == 1:  # roots inside each other: the inner one's
            return max(found, key=lambda run: len(self.root(run.root).path))
        if len(found) > 1:
            places = ", ".join(to_text(self.absolute(run.root, run.path)) for run in found)
            raise AmbiguousError(f"{to_text(text)!r} is a run in several roots: {places}. Give one of these paths.")
        return found[0]

    def _root_names(self) -> str:
        return ", ".join(to_text(root.path) for root in self.reader.roots()) or "no root"

    def absolute(self, root_id: str, path: str) -> str:
        """The absolute path of something in a root."""
        return posixpath.normpath(posixpath.join(self.root(root_id).path, path))

    def runs(self) -> tuple[Run, ...]:
        """Every run, by path."""
        return self.reader.runs(RunFilter(), self.now(), sort="path", descending=False, limit=None).items

    def members(self, root_id: str, run: str) -> tuple[Checkpoint, ...]:
        """Every checkpoint of a run."""
        return self.reader.members(root_id, run)

    def run_folder(self, root_id: str, run: str) -> RunFolder:
        """Where a run lies that is read (`acted_on`: is acted on). PlaceError where a link leads out of it."""
        return RunFolder.of(self.root(root_id), run, self.settings.decisions_dir)

    def named_metric(self, run: Run) -> BestMetric | None:
        """The metric by which the best is told, as somebody named it for a run or the settings for its project; None
        where it is guessed.
        """
        if run.best_metric is not None:
            return BestMetric(tag=run.best_metric[0], mode=Direction(run.best_metric[1]), told_by=ToldBy.RUN)
        if self.projects == ProjectMetrics():
            return None
        with self.engine.connect() as connection:
            return said_metrics(connection, [run_id(run.root, run.path)], self.projects).get(run_id(run.root, run.path))

    def acted_on(self, run: Run) -> RunFolder:
        """Where a run lies that is acted on, with that by which it is told to be live."""
        ages = Ages(live_window=self.settings.live_window, stale_after=self.settings.stale_after)
        alive_us, _ = turning_points(0, run.median_interval, ages)
        liveness = Liveness(live_window=alive_us / SECOND_US, inner=self.reader.runs_inside(run.root, run.path))
        return replace(self.run_folder(run.root, run.path), liveness=liveness)


def relative(text: str, root_path: str) -> str | None:
    """What a person typed, as a run's path in this root; None for an absolute path elsewhere."""
    name = posixpath.normpath(from_text(text))
    if not posixpath.isabs(name):
        return name
    root = posixpath.normpath(root_path)
    if name == root:
        return "."
    return name[len(root) + 1 :] if name.startswith(root.rstrip("/") + "/") else None

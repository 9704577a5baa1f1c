"""What a pass needs to know, and what it tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from core.base.ages import Ages
from core.base.errors import CoreError
from core.base.files import Problem
from core.indexing.stamp import Stamp, current_stamp
from core.metrics.project_metrics import ProjectMetrics
from waypoint_resume.names import short_id

SECOND_NS = 1_000_000_000
REREAD_SECONDS = 5.0
METRICS_SECONDS = 5.0


class CancelledError(CoreError):
    """The pass was asked to stop; what was written so far stays."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of a pass; times in seconds. `deep`: stat every file, also where no folder changed. `decisions_dir`:
    where people's decisions about read-only runs lie. `layout`: how the parts of paths are called; None: guessed.
    `stamp`: which code judges. For so long (`reread_seconds`) a pass reads again what older readers read, at least one
    checkpoint; None: all of it. `projects`: which metrics tell the best.
    """

    run_pattern: tuple[str, ...]
    write_grace: float
    ages: Ages
    deep: bool = True
    decisions_dir: Path | None = None
    layout: str | None = None
    stamp: Stamp = field(default_factory=current_stamp)
    reread_seconds: float | None = REREAD_SECONDS
    projects: ProjectMetrics = field(default_factory=ProjectMetrics)

    @cached_property
    def metrics_told_by(self) -> str:
        """The version of what tells which files hold metrics, and of which of their values are better."""
        return short_id(self.stamp.metrics, self.projects.text)


@dataclass(slots=True)
class Progress:
    """Counts of a pass, for whoever watches; `expected` is the number of folders of the last pass. `step` is called
    often and may raise CancelledError. `rejudged`, `reread` and `waiting` as in `IndexReport`.
    """

    folders: int = 0
    expected: int | None = None
    checkpoints: int = 0
    parsed: int = 0
    reused: int = 0
    rejudged: int = 0
    reread: int = 0
    waiting: int = 0
    changed: bool = False
    problems: list[Problem] = field(default_factory=list)
    step: Callable[[], None] = lambda: None

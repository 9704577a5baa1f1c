"""What a pass needs to know, and what it tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.ages import Ages
from core.errors import CoreError
from core.model import Problem

SECOND_NS = 1_000_000_000


class CancelledError(CoreError):
    """The pass was asked to stop; what was written so far stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of a pass; times in seconds. `deep`: stat every file, also where no folder changed. `decisions_dir`:
    where people's decisions about read-only runs lie.
    """

    run_pattern: tuple[str, ...]
    write_grace: float
    ages: Ages
    deep: bool = True
    decisions_dir: Path | None = None


@dataclass(slots=True)
class Progress:
    """Counts of a pass, for whoever watches; `expected` is the number of folders of the last pass. `step` is called
    often and may raise CancelledError.
    """

    folders: int = 0
    expected: int | None = None
    checkpoints: int = 0
    parsed: int = 0
    reused: int = 0
    changed: bool = False
    problems: list[Problem] = field(default_factory=list)
    step: Callable[[], None] = lambda: None

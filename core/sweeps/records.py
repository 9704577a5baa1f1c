"""What is known of a sweep and of its trials: frozen records of text and numbers.

Paths are relative to the root, as everywhere. A score is a finite number or not known; `direction` says which scores
are better.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.base.direction import Direction as Direction  # noqa: PLC0414 - who knows trials names it from here


class SweepKind(StrEnum):
    """Who wrote it. AutoKeras searches with KerasTuner, and writes what that writes."""

    KERAS_TUNER = "keras-tuner"
    RAY_TUNE = "ray-tune"


class TrialStatus(StrEnum):
    """How far a trial is. Only those that completed are compared."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class TrialMetric(NamedTuple):
    """A metric of a trial: its value as the tuner compares trials by it, and the direction, where the file tells."""

    name: str
    value: float
    direction: Direction | None = None


class Trial(NamedTuple):
    """One trial. `path` is its folder, which is a run where it holds checkpoints; `name` is the tuner's id of it.

    `params` are hyperparameters as flat text. `rank` counts from 1 among the completed trials of its sweep; equal
    scores share one. `needed` says why the tuner may go on from its checkpoint, `problem` why something is not known.
    """

    path: str
    kind: SweepKind
    name: str
    status: TrialStatus = TrialStatus.UNKNOWN
    score: float | None = None
    best_step: int | None = None
    params: tuple[tuple[str, str], ...] = ()
    metrics: tuple[TrialMetric, ...] = ()
    rank: int | None = None
    needed: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What trials are compared by. `direction` is None where no file tells it."""

    name: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A group of trials: the folder that they lie in, of one root. `ranked` is how many have a rank, `best` the path of
    the best trial and `best_score` its score; `problem` says what of the sweep is not known.
    """

    root: str
    path: str
    kind: SweepKind
    objective: Objective
    trials: int
    ranked: int = 0
    best: str | None = None
    best_score: float | None = None
    problem: str | None = None

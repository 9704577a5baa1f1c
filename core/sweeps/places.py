"""A trial beside the others of its sweep: what a policy about whole trials judges by. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.sweeps.records import Direction, Objective, Sweep, Trial, TrialStatus


class Peers:
    """The trials of a sweep; `restorable` are the paths of those whose checkpoints can be restored."""

    def __init__(self, sweep: Sweep, trials: Sequence[Trial], restorable: Collection[str]) -> None:
        self.sweep = sweep
        self.trials = {trial.path: trial for trial in trials}
        self._restorable = frozenset(restorable)
        self._sorted: dict[tuple[str | None, bool], list[float]] = {}

    def score(self, trial: Trial, name: str | None) -> float | None:
        """A completed trial's score by an objective's name; None where it is not known."""
        if trial.status is not TrialStatus.COMPLETED:
            return None
        if name == self.sweep.objective.name:
            return trial.score
        return next((metric.value for metric in trial.metrics if metric.name == name), None)

    def better(self, score: float, objective: Objective, *, restorable: bool) -> int:
        """How many have a better score: of all, or of those that can be restored."""
        scores = self._scores(objective.name, restorable=restorable)
        if objective.direction is Direction.MIN:
            return bisect_left(scores, score)
        return len(scores) - bisect_right(scores, score)

    def ranked(self, objective: Objective) -> int:
        """How many have a score."""
        return len(self._scores(objective.name, restorable=False))

    def _scores(self, name: str | None, *, restorable: bool) -> list[float]:
        """In rising order; a sweep of ten thousand trials is asked ten thousand times."""
        if (name, restorable) not in self._sorted:
            found = (
                self.score(trial, name)
                for trial in self.trials.values()
                if not restorable or trial.path in self._restorable
            )
            self._sorted[name, restorable] = sorted(score for score in found if score is not None)
        return self._sorted[name, restorable]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlace:
    """A trial and its peers; `changed` says why what is known of it may be old."""

    trial: Trial
    peers: Peers
    changed: str | None = None


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def score_text(name: str | None, score: float) -> str:
    """A score with the name of what it is: `val_loss 0.31`."""
    return f"{name or 'score'} {score:.6g}"

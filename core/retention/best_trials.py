"""The retention rule about whole trials of a sweep: the so many best stay. Pure.

It judges a run by its place in its sweep, not a checkpoint by its place in a series; so it is the one rule that may let
the latest restorable checkpoint go, of trials that are not among the best (`core.retention.plan`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from core.retention.policies import Kept, Policy, Series
from core.sweeps.places import TrialPlace, ordinal, score_text
from core.sweeps.records import Direction, Objective, TrialStatus
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True)
class KeepBestTrials:
    """All of the so many best trials of a sweep, and of what is no trial. Equal scores stay together.

    A trial takes a place if it is completed and can be restored. What is not known keeps a trial: its score, whether it
    is completed, which scores are better. `metric` and `mode` stand in for what the tuner's files do not tell.
    """

    judges_trials: ClassVar[bool] = True
    count: int
    metric: str | None = None
    mode: Direction | None = None

    def keep(self, series: Series, now: datetime) -> Kept:  # noqa: ARG002 - rules are called alike
        """See `Rule.keep`."""
        return {place: why for place, point in enumerate(series) if (why := self.why_stays(point.trial)) is not None}

    def why_stays(self, place: TrialPlace | None) -> str | None:
        """Why a trial stays; None for one that is not among the best."""
        if place is None:
            return "no trial of a sweep"
        objective = self._objective(place)
        score = place.peers.score(place.trial, objective.name)
        if score is None or (unsure := _why_unsure(place, objective.direction)) is not None:
            return _why_no_score(place) if score is None else unsure
        if place.peers.better(score, objective, restorable=True) >= self.count:
            return None
        among = f"one of the best {self.count:,} trials" if self.count > 1 else "the best trial"
        if place.peers.better(score, objective, restorable=False) >= self.count:
            among = f"fewer than {self.count:,} better trials" if self.count > 1 else "no better trial"
            return f"{among} of {_sweep(place)} can be restored: {self.rank_text(place)}"
        return f"{among} of {_sweep(place)}: {self.rank_text(place)}"

    def why_goes(self, place: TrialPlace) -> str:
        """What is said of a trial that is not among the best."""
        best = f"the best {self.count:,} stay" if self.count > 1 else "the best one stays"
        return f"trial {place.trial.name} of {_sweep(place)}: {self.rank_text(place)}; {best}"

    def rank_text(self, place: TrialPlace) -> str:
        """A trial's score and rank: `val_loss 0.73, 9th of 12`."""
        objective = self._objective(place)
        score = place.peers.score(place.trial, objective.name)
        if score is None or objective.direction is None:
            return "no rank"
        rank = place.peers.better(score, objective, restorable=False) + 1
        return f"{score_text(objective.name, score)}, {ordinal(rank)} of {place.peers.ranked(objective):,}"

    def _objective(self, place: TrialPlace) -> Objective:
        told = place.peers.sweep.objective
        if told.direction is not None or self.mode is None:
            return told
        return Objective(name=self.metric or told.name, direction=self.mode)


def rule_of(policy: Policy) -> KeepBestTrials | None:
    """A policy's rule about whole trials."""
    return next((rule for rule in policy.rules if isinstance(rule, KeepBestTrials)), None)


def _why_no_score(place: TrialPlace) -> str:
    """Why a trial stays that nothing can be compared by."""
    trial = place.trial
    problem = f" ({trial.problem})" if trial.problem else ""
    if trial.status is not TrialStatus.COMPLETED:
        return f"only completed trials are compared: the status of trial {trial.name} is {trial.status.value}{problem}"
    return f"the score of trial {trial.name} is not known{problem}"


def _why_unsure(place: TrialPlace, direction: Direction | None) -> str | None:
    """Why a trial with a score cannot be let go whatever its rank."""
    if (unsure := place.changed or place.trial.needed) is not None:
        return unsure
    return "no file tells which scores of the sweep are better (trials_mode)" if direction is None else None


def _sweep(place: TrialPlace) -> str:
    path = place.peers.sweep.path
    return to_text(path) if path else "the root"

"""Which trial of a sweep is better. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from core.sweeps.keras_tuner import is_score
from core.sweeps.records import Direction, Objective, Sweep, SweepKind, Trial, TrialStatus

_FIRST = ("multi_objective", "default_objective", "val_loss", "val_", "loss")


def ranked(
    root: str, path: str, trials: Sequence[Trial], named: str | None = None, problem: str | None = None
) -> tuple[Sweep, tuple[Trial, ...]]:
    """A sweep and its trials, each with its rank where that is known, the best first. `named` is the objective that the
    tuner's own files name, `problem` what of them is not known.
    """
    objective = Objective(name=named) if named is not None else objective_of(trials)
    found = with_ranks(trials, objective.direction)
    best = next((trial for trial in found if trial.rank == 1), None)
    sweep = Sweep(
        root=root,
        path=path,
        kind=found[0].kind if found else SweepKind.KERAS_TUNER,
        objective=objective,
        trials=len(found),
        ranked=sum(trial.rank is not None for trial in found),
        problem=problem,
    )
    return (sweep if best is None else replace(sweep, best=best.path, best_score=best.score)), found


def objective_of(trials: Sequence[Trial]) -> Objective:
    """The metric whose best value is the score in every completed trial, and its direction. Where several are and
    differ in their direction, and where none is, nothing is known.
    """
    found: set[tuple[str, Direction | None]] | None = None
    for trial in trials:
        if trial.status is TrialStatus.COMPLETED and trial.score is not None:
            here = {(one.name, one.direction) for one in trial.metrics if is_score(one, trial.score)}
            found = here if found is None else found & here
    directions = {direction for _, direction in found or ()}
    if not found or len(directions) > 1:
        return Objective()
    name = min((name for name, _ in found), key=lambda name: (_preference(name), name))
    return Objective(name=name, direction=directions.pop())


def with_ranks(trials: Sequence[Trial], direction: Direction | None) -> tuple[Trial, ...]:
    """Trials with their ranks, the best first, those without one last, by their names."""
    scores = sorted(one.score for one in trials if is_comparable(one) and one.score is not None)
    if direction is Direction.MAX:
        scores.reverse()
    places: dict[float, int] = {}
    for place, score in enumerate(scores, 1):
        places.setdefault(score, place)
    found = [
        trial._replace(
            rank=places[trial.score] if direction and is_comparable(trial) and trial.score is not None else None
        )
        for trial in trials
    ]
    return tuple(sorted(found, key=lambda one: (one.rank is None, one.rank or 0, len(one.name), one.name, one.path)))


def is_comparable(trial: Trial) -> bool:
    """Whether a trial's score is its last word."""
    return trial.status is TrialStatus.COMPLETED and trial.score is not None


def _preference(name: str) -> int:
    """Of metrics with equal values everywhere (`loss="mse"`, `metrics=["mse"]`), the one that people name first."""
    return next((place for place, start in enumerate(_FIRST) if name.startswith(start)), len(_FIRST))

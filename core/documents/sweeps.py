"""Sweeps and their trials as JSON: the answer of `sweeps`."""

from collections.abc import Mapping

from core.base.records import Run
from core.services.sweeps import TrialResult
from core.sweeps.records import Sweep, Trial
from waypoint_resume.names import to_text


def sweep_document(sweep: Sweep, root_path: str, sizes: Mapping[tuple[str, str], int]) -> dict[str, object]:
    """A sweep as JSON; sizes are bytes, paths relative to the root."""
    return {
        "root": to_text(root_path),
        "sweep": to_text(sweep.path) or ".",
        "kind": sweep.kind.value,
        "objective": sweep.objective.name,
        "direction": sweep.objective.direction,
        "trials": sweep.trials,
        "ranked": sweep.ranked,
        "bytes": sizes.get((sweep.root, sweep.path), 0),
        "best": None if sweep.best is None else {"run": to_text(sweep.best), "score": sweep.best_score},
        "problem": sweep.problem,
    }


def trial_document(trial: Trial, run: Run | None) -> dict[str, object]:
    """A trial as JSON; `run` is null where nothing of it lies on the disk but what the tuner wrote."""
    return {
        "run": None if run is None else to_text(run.path),
        "trial": trial.name,
        "status": trial.status.value,
        "score": trial.score,
        "rank": trial.rank,
        "best_step": trial.best_step,
        "params": dict(trial.params),
        "metrics": {metric.name: metric.value for metric in trial.metrics},
        "checkpoints": 0 if run is None else run.checkpoints,
        "bytes": 0 if run is None else run.bytes,
        "needed": trial.needed,
        "problem": trial.problem,
    }


def trial_result_document(found: TrialResult) -> dict[str, object]:
    """The trial that a run is."""
    trial = found.trial
    return {
        "sweep": to_text(found.sweep.path) or ".",
        "trial": trial.name,
        "status": trial.status.value,
        "score": trial.score,
        "rank": trial.rank,
    }

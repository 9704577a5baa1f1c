"""A KerasTuner trial, from its trial.json; AutoKeras writes the same.

Written by keras_tuner.engine.trial.Trial and read again by its Oracle:
https://github.com/keras-team/keras-tuner/blob/master/keras_tuner/src/engine/trial.py

Which metric is the objective stands in no file. A score is the best value of the objective's metric, and each metric
has its direction there; so the objective follows from all trials together (`core.sweeps.ranking`).
"""

from collections.abc import Iterator

from core.base.errors import FormatError
from core.formats.json_text import parse
from core.formats.json_values import finite, shortened, whole
from core.metrics.keras_tuner import mean_of
from core.sweeps.limits import MOST_BYTES, MOST_METRICS, params_of
from core.sweeps.records import Direction, SweepKind, Trial, TrialMetric, TrialStatus

ORACLE = "oracle.json"
_STATUS = {
    "RUNNING": TrialStatus.RUNNING,
    "IDLE": TrialStatus.WAITING,
    "INVALID": TrialStatus.FAILED,
    "STOPPED": TrialStatus.STOPPED,
    "COMPLETED": TrialStatus.COMPLETED,
    "FAILED": TrialStatus.FAILED,
}
_KEYS = {"trial_id", "hyperparameters", "status"}
_ALIKE = 1e-9  # a score is compared with a mean that was added up in another order
_BRACKET = "tuner/bracket"  # a hyperparameter that only Hyperband's trials have
_BEGINS_WITH = "tuner/trial_id"  # and the one that names the trial whose weights a trial begins with


def read_trial(content: bytes, path: str) -> Trial | None:
    """The trial in a folder, by its trial.json, of which `content` is at most the first MOST_BYTES + 1. None where
    another tool wrote it. What cannot be read is a trial with a problem: nothing of it is known.
    """
    name = path.rpartition("/")[2].partition("_")[2]
    nothing = Trial(path=path, kind=SweepKind.KERAS_TUNER, name=shortened(name))
    if len(content) > MOST_BYTES:
        return nothing._replace(problem=f"trial.json is larger than {MOST_BYTES:,} bytes")
    try:
        found = parse(content, "trial.json")
    except FormatError as error:
        return nothing._replace(problem=f"cannot be read: {error}")
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        return None
    inner = found["hyperparameters"]
    metrics = tuple(_metrics(found.get("metrics")))
    score = found.get("score")
    known = finite(score)
    return Trial(
        path=path,
        kind=SweepKind.KERAS_TUNER,
        name=shortened(str(found["trial_id"])),
        status=_STATUS.get(str(found["status"]), TrialStatus.UNKNOWN),
        score=known,
        best_step=whole(found.get("best_step")),
        params=params_of(inner.get("values") if isinstance(inner, dict) else None),
        metrics=_kept(metrics, known),
        problem=None if score is None or known is not None else f"its score is {shortened(str(score))}",
    )


def is_of_hyperband(trial: Trial) -> bool:
    """Whether Hyperband made a trial: its later trials begin with the weights of earlier ones."""
    return any(name == _BRACKET for name, _ in trial.params)


def begins_with(trial: Trial) -> str | None:
    """The id of the trial with whose weights Hyperband builds this one, whenever it is loaded."""
    return next((value for name, value in trial.params if name == _BEGINS_WITH), None)


def trials_in_brackets(content: bytes) -> frozenset[str]:
    """The ids of the trials in the brackets that Hyperband has not completed, by oracle.json. FormatError."""
    found = parse(content, ORACLE)
    brackets = found.get("brackets") if isinstance(found, dict) else None
    ids: set[str] = set()
    for bracket in brackets if isinstance(brackets, list) else ():
        rounds = bracket.get("rounds") if isinstance(bracket, dict) else None
        for trials in rounds if isinstance(rounds, list) else ():
            for one in trials if isinstance(trials, list) else ():
                if isinstance(one, dict):
                    ids |= {str(one[key]) for key in ("id", "past_id") if one.get(key) is not None}
    return frozenset(ids)


def _metrics(value: object) -> Iterator[TrialMetric]:
    """Each metric with the best mean over a trial's executions, as KerasTuner's MetricHistory tells it."""
    inner = value.get("metrics") if isinstance(value, dict) else None
    for name, history in inner.items() if isinstance(inner, dict) else ():
        if not isinstance(history, dict) or history.get("direction") not in tuple(Direction):
            continue
        direction = Direction(history["direction"])
        means = [mean for one in _list(history.get("observations")) if (mean := mean_of(one)) is not None]
        if means:
            yield TrialMetric(shortened(name), direction.best(means), direction)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _kept(metrics: tuple[TrialMetric, ...], score: float | None) -> tuple[TrialMetric, ...]:
    """As many as are kept, those first that may be the objective."""
    return tuple(sorted(metrics, key=lambda one: not is_score(one, score))[:MOST_METRICS])


def is_score(metric: TrialMetric, score: float | None) -> bool:
    """Whether a trial's score may be this metric's best value."""
    return score is not None and abs(metric.value - score) <= _ALIKE * max(abs(score), abs(metric.value))

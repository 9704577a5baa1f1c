"""A KerasTuner trial's hyperparameters and metrics, from its trial.json; AutoKeras writes the same. What a sweep makes
of its trials is told by `core.sweeps`.

https://github.com/keras-team/keras-tuner/blob/master/keras_tuner/src/engine/metrics_tracking.py: an observation has a
value of each execution of the trial; their mean counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.base.errors import FormatError
from core.formats.json_text import parse
from core.formats.json_values import finite
from core.metrics.columns import SeriesBuilder
from core.metrics.json_points import number
from core.metrics.limits import MOST_DOCUMENT_BYTES
from core.metrics.parameters import bounded, flat_parameters
from core.metrics.problems import Problems
from core.metrics.records import Position, Reading, XKind
from core.metrics.spec import MetricSource, Place
from core.metrics.whole_files import read_whole
from core.runs.trial_names import KERAS_TUNER_FILE
from core.stores.store import Store

_KEYS = {"trial_id", "hyperparameters"}


def recognises(place: Place) -> bool:
    """By its name."""
    return place.name == KERAS_TUNER_FILE


def read(store: Store, path: str, _position: Position | None) -> Reading:
    """All of it."""
    problems = Problems(path)
    content = read_whole(store, path, MOST_DOCUMENT_BYTES, problems)
    if content is None:
        return Reading(problems=problems.all())
    try:
        found = parse(content, KERAS_TUNER_FILE)
    except FormatError as error:
        problems.add_error(error)
        return Reading(problems=problems.all())
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        return Reading(is_foreign=True)
    inner, metrics = found["hyperparameters"], found.get("metrics")
    builder = SeriesBuilder(problems)
    told = metrics.get("metrics") if isinstance(metrics, dict) else None
    for name, history in told.items() if isinstance(told, dict) else ():
        observations = history.get("observations") if isinstance(history, dict) else None
        for one in observations if isinstance(observations, list) else ():
            step, mean = number(one.get("step")) if isinstance(one, dict) else None, mean_of(one)
            if step is not None and mean is not None:
                builder.add(bounded(name), XKind.EPOCH, step, mean)
    values = inner.get("values") if isinstance(inner, dict) else None
    return Reading(series=builder.series(), parameters=flat_parameters(values, problems), problems=problems.all())


def mean_of(observation: object) -> float | None:
    """The mean over a trial's executions; None where one of them is no finite number."""
    values: object = observation.get("value") if isinstance(observation, Mapping) else None
    numbers = [finite(one) for one in (values if isinstance(values, list) else [values])]
    known = [one for one in numbers if one is not None]
    return finite(sum(known) / len(known)) if known and len(known) == len(numbers) else None


SOURCE = MetricSource(
    name="keras-tuner",
    label="KerasTuner",
    files="`trial.json`",
    tells="hyperparameters; of each metric the mean over executions, by epoch",
    recognises=recognises,
    read=read,
)

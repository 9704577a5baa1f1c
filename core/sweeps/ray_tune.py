"""A Ray Tune trial, from params.json and the last line of result.json; its status from the experiment's state.

Layout of Ray 2: `EXPERIMENT/experiment_state-DATE.json` and `EXPERIMENT/TRIAL/{params.json,result.json,progress.csv,
checkpoint_00000N/}`; https://docs.ray.io/en/latest/tune/tutorials/tune_get_data_in_and_out.html. Beside them lie
pickles, which are never opened: the direction stands in none but those, so no file that we read tells it. The value of
a trial is the last one that it reported, as in Ray's `ResultGrid.get_best_result`.
"""

from collections.abc import Iterator
from typing import Any

from core.base.errors import FormatError
from core.formats.json_text import parse
from core.formats.json_values import finite, flat, shortened, whole
from core.runs.trial_names import RAY_OWN_RESULTS
from core.sweeps.limits import MOST_BYTES, MOST_METRICS, MOST_STATE_BYTES, params_of
from core.sweeps.records import SweepKind, Trial, TrialMetric, TrialStatus

STATE = "experiment_state-"
TAIL = 1 << 20  # bytes of result.json that are looked at for its last line
_STATUS = {
    "PENDING": TrialStatus.WAITING,
    "PAUSED": TrialStatus.WAITING,
    "RUNNING": TrialStatus.RUNNING,
    "RESTORING": TrialStatus.RUNNING,
    "TERMINATED": TrialStatus.COMPLETED,
    "ERROR": TrialStatus.FAILED,
}


def read_trial(params: bytes, tail: bytes, path: str) -> Trial:
    """The trial in a folder, without its status: by params.json and the end of result.json. What cannot be read is
    said.
    """
    trial = Trial(path=path, kind=SweepKind.RAY_TUNE, name=shortened(path.rpartition("/")[2]))
    problems: list[str] = []
    if len(params) > MOST_BYTES:
        problems.append(f"params.json is larger than {MOST_BYTES:,} bytes")
    else:
        try:
            trial = trial._replace(params=params_of(parse(params, "params.json")))
        except FormatError as error:
            problems.append(f"cannot be read: {error}")
    result = _last_result(tail)
    if result is None:
        problems.append("result.json holds no result")
    else:
        known = (TrialMetric(shortened(name), value) for name, value in _numbers(result))
        metrics = [metric for _, metric in zip(range(MOST_METRICS), known, strict=False)]
        name = result.get("trial_id")
        trial = trial._replace(
            name=shortened(name) if isinstance(name, str) and name else trial.name,
            best_step=whole(result.get("training_iteration")),
            metrics=tuple(metrics),
        )
    return trial._replace(problem="; ".join(problems) or None)


def read_state(content: bytes) -> tuple[str | None, dict[str, TrialStatus]]:
    """The metric of an experiment, where its state names one, and each trial's status by the name of its folder and by
    its id. FormatError.
    """
    if len(content) > MOST_STATE_BYTES:
        return None, {}
    found = parse(content, "the experiment's state")
    runner = found.get("runner_data") if isinstance(found, dict) else None
    metric = runner.get("_metric") if isinstance(runner, dict) else None
    statuses: dict[str, TrialStatus] = {}
    for one in _trials(found):
        status = _STATUS.get(str(one.get("status")), TrialStatus.UNKNOWN)
        for key in ("relative_logdir", "trial_id"):
            if isinstance(name := one.get(key), str):
                statuses[name] = status
    return shortened(metric) if isinstance(metric, str) and metric else None, statuses


def _trials(state: object) -> Iterator[dict[str, Any]]:
    """Each trial's record: JSON in the JSON, since Ray 2.7 with what changes while it runs beside it."""
    data = (state.get("trial_data") or state.get("checkpoints")) if isinstance(state, dict) else None
    for one in data if isinstance(data, list) else ():
        record = one[0] if isinstance(one, list) and one else one
        if isinstance(record, str):
            record = parse(record.encode("utf-8", "surrogatepass"), "a trial in the experiment's state")
        if isinstance(record, dict):
            yield record


def _last_result(tail: bytes) -> dict[str, Any] | None:
    """The last line that is whole: a kill cuts the one after it."""
    for line in reversed(tail.splitlines()[-2:]):
        try:
            found = parse(line, "result.json")
        except FormatError:
            continue
        if isinstance(found, dict):
            return found
    return None


def _numbers(result: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in flat({key: value for key, value in result.items() if key not in RAY_OWN_RESULTS}):
        number = finite(value)
        if number is not None:
            yield name, number

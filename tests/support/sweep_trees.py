"""Sweeps as tuners write them, with chosen scores: folders of trials, each with one checkpoint that can be restored."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.trees import START_NS, save


def trial_json(
    name: str,
    score: float | None,
    *,
    status: str = "COMPLETED",
    objective: str = "val_loss",
    direction: str = "min",
    params: Mapping[str, object] | None = None,
) -> str:
    """A trial.json of KerasTuner 1.4."""
    metrics = {} if score is None else {objective: _history(score, direction), "loss": _history(0.125, "min")}
    values = {"units": 32, "lr": 0.001} if params is None else dict(params)
    return json.dumps(
        {
            "trial_id": name,
            "hyperparameters": {"space": [], "values": values},
            "metrics": {"metrics": metrics},
            "score": score,
            "best_step": 0,
            "status": status,
            "message": None,
        }
    )


def _history(value: float, direction: str) -> dict[str, object]:
    return {"direction": direction, "observations": [{"value": [value], "step": 0}]}


def put(path: Path, text: str, at_ns: int = START_NS) -> Path:
    """A text in a file of a chosen time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))
    return path


def keras_tuner_sweep(folder: Path, scores: Mapping[str, float | None], **trial: str) -> Path:
    """A sweep with a trial for each score, by its id."""
    put(folder / "oracle.json", json.dumps({"ongoing_trials": {}, "start_order": list(scores)}))
    put(folder / "tuner0.json", "{}")
    for number, (name, score) in enumerate(scores.items(), 1):
        put(folder / f"trial_{name}" / "trial.json", trial_json(name, score, **trial))  # type: ignore[arg-type]
        save(folder / f"trial_{name}", number, name="saved")
    return folder


def ray_sweep(folder: Path, losses: Mapping[str, float], *, metric: str | None = "loss") -> Path:
    """An experiment of Ray Tune 2 with a trial for each loss, as far as it is text."""
    state = []
    for number, (name, loss) in enumerate(losses.items(), 1):
        trial = folder / f"train_{name}_{number}_lr=0.1_2026-01-31_09-30-00"
        put(trial / "params.json", json.dumps({"lr": 0.1 * number, "nested": {"layers": [1, 2]}}))
        put(trial / "params.pkl", "never opened")
        lines = [_result(name, step, loss + 3 - step, trial.name) for step in (1, 2, 3)]
        put(trial / "result.json", "".join(f"{line}\n" for line in lines))
        put(trial / "progress.csv", "loss\n")
        save(trial / "checkpoint_000002", 3, name="saved")
        record = {"trial_id": name, "status": "TERMINATED", "relative_logdir": trial.name}
        state.append([json.dumps(record), json.dumps({"last_result": {}})])
    document = {"trial_data": state, "runner_data": {"_metric": metric}, "stats": {}}
    put(folder / "experiment_state-2026-01-31_09-30-00.json", json.dumps(document))
    put(folder / "tuner.pkl", "never opened")
    return folder


def _result(name: str, step: int, loss: float, folder: str) -> str:
    own = {"timestamp": 1, "training_iteration": step, "trial_id": name, "pid": 7, "done": step == 3}
    return json.dumps({"loss": loss, "eval": {"accuracy": step / 4}, **own, "experiment_tag": folder})

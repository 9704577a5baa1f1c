"""A search of AutoKeras 3.0.0 (KerasTuner 1.4.8, Keras 3.15.1, TensorFlow), file by file as a real one wrote it.

Recorded of `AutoModel(DenseBlock, ClassificationHead, max_trials=2, tuner="random").fit(…, epochs=1)`, in a venv of its
own. What its JSON holds stands here as it was; checkpoints are those of the sample runs, also of a Dense network.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from core.retention.best_trials import KeepBestTrials
from core.retention.policies import Policy
from core.services import retention
from core.services.sweeps import runs_of
from core.sweeps.records import Direction, SweepKind
from tests.conftest import Opener
from tests.support.sweep_trees import put
from tests.support.trees import START_NS

SAMPLE = Path(__file__).parents[2] / "sample_runs/churn-mlp"
WEIGHTS, MODEL = SAMPLE / "weights/cp-0001-0.441.weights.h5", SAMPLE / "checkpoints/cp-0001-0.441.keras"
SPACE = [
    ("dense_block_1/units_0", 32, [16, 32, 64, 128, 256, 512, 1024], True),
    ("dense_block_1/dropout", 0.0, [0.0, 0.25, 0.5], True),
    ("classification_head_1/dropout", 0, [0.0, 0.25, 0.5], True),
    ("optimizer", "adam", ["adam", "sgd", "adam_weight_decay"], False),
    ("learning_rate", 0.001, [0.1, 0.01, 0.001, 0.0001, 2e-05, 1e-05], True),
]
TRIALS: dict[str, tuple[list[object], list[float]]] = {
    "0": ([16, 0.5, 0.0, "adam", 0.0001], [0.4166666567325592, 0.8294537663459778, 0.3125, 0.8136560320854187]),
    "1": ([512, 0.0, 0.0, "sgd", 0.0001], [0.2916666567325592, 0.7132660746574402, 0.1875, 0.7231336832046509]),
}
PIPELINE = {"inputs": [[{"module": "autokeras.preprocessors.encoders", "class_name": "CategoricalToNumerical"}]]}


def space(values: list[object]) -> Mapping[str, object]:
    """Hyperparameters as KerasTuner writes them."""
    told = [
        {
            "class_name": "Choice",
            "config": {"name": name, "default": default, "conditions": [], "values": choices, "ordered": ordered},
        }
        for name, default, choices, ordered in SPACE
    ]
    return {"space": told, "values": dict(zip((row[0] for row in SPACE), values, strict=True))}


def trial(name: str) -> str:
    """A trial.json: its score is that of val_loss, and so in no key of its own."""
    values, measured = TRIALS[name]
    metrics = {
        metric: {"direction": direction, "observations": [{"value": [value], "step": 0}]}
        for (metric, direction), value in zip(
            [("accuracy", "max"), ("loss", "min"), ("val_accuracy", "max"), ("val_loss", "min")], measured, strict=True
        )
    }
    told = {"trial_id": name, "hyperparameters": space(values), "metrics": {"metrics": metrics}, "score": measured[-1]}
    return json.dumps({**told, "best_step": 0, "status": "COMPLETED", "message": None})


def search(folder: Path) -> None:
    """The folder `directory/project_name` after the search."""
    oracle: dict[str, object] = {"ongoing_trials": {}, "hyperparameters": space([row[1] for row in SPACE])}
    oracle |= {"start_order": ["0", "1"], "end_order": ["0", "1"], "run_times": {"0": 1, "1": 1}, "retry_queue": []}
    oracle |= {"seed": 1, "seed_state": 11, "tried_so_far": [], "id_to_hash": {}, "display": {"trial_number": {}}}
    put(folder / "oracle.json", json.dumps(oracle))
    put(folder / "tuner0.json", '{"finished": false}')
    put(folder / "graph", json.dumps({"blocks": [{"module": "autokeras.blocks.basic", "class_name": "DenseBlock"}]}))
    put(folder / "best_pipeline", json.dumps(PIPELINE))
    for name in TRIALS:
        put(folder / f"trial_{name}/trial.json", trial(name))
        put(folder / f"trial_{name}/pipeline", json.dumps(PIPELINE))
        shutil.copyfile(WEIGHTS, folder / f"trial_{name}/checkpoint.weights.h5")
    shutil.copyfile(MODEL, folder / "best_model.keras")
    for path in folder.rglob("*"):
        os.utime(path, ns=(START_NS, START_NS))


def test_a_search_of_autokeras_is_a_sweep_and_its_best_model_is_nobodys_trial(
    tmp_path: Path, workspace: Opener
) -> None:
    search(tmp_path / "root/small")
    opened = workspace(tmp_path / "root")
    assert opened.refresh().problems == ()
    (sweep,) = opened.sweeps.sweeps()
    assert (sweep.path, sweep.kind, sweep.problem) == ("small", SweepKind.KERAS_TUNER, None)
    assert sweep.objective is not None
    assert (sweep.objective.name, sweep.objective.direction) == ("val_loss", Direction.MIN)
    found = opened.sweeps.trials(sweep.root, "small")
    assert [(one.name, one.score, one.rank) for one in found] == [
        ("1", 0.7231336832046509, 1),
        ("0", 0.8136560320854187, 2),
    ]
    assert dict(found[0].params)["optimizer"] == "sgd"
    runs = runs_of(opened, sweep.root, "small")
    assert sorted(runs) == ["small/trial_0", "small/trial_1"]
    every = [opened.find_run(name) for name in ("small", *runs)]
    assert [run.checkpoints for run in every] == [1, 1, 1]
    assert {run.errors + run.warnings for run in every} == {0}
    made = retention.plan(opened, every, Policy(rules=(KeepBestTrials(1),)))
    assert {one.run: [item.path for item in one.items] for one in made.runs} == {
        "small": [],
        "small/trial_0": ["checkpoint.weights.h5"],
        "small/trial_1": [],
    }

"""What a TensorBoard callback writes of a trial beside it makes no run of its own, and a run's own logs stay its."""

from pathlib import Path

import pytest

from core.catalog.filters import RunFilter
from core.runs.trial_names import trial_of_log
from tests.client.test_client_training import opened
from tests.support.event_bytes import VERSION
from tests.support.sweep_trees import keras_tuner_sweep
from tests.support.trees import save


@pytest.mark.parametrize(
    ("folder", "trial"),
    [
        ("tuner/tb/00/execution0/train", "tuner/trial_00"),
        ("tuner/00/execution1", "tuner/trial_00"),
        ("tuner/tb/01/execution0", None),
        ("tuner/tb/00/run0", None),
        ("other/tb/00/execution0", None),
        ("execution0/train", None),
    ],
)
def test_a_log_is_a_trials_by_its_place(folder: str, trial: str | None) -> None:
    assert trial_of_log(folder, {"tuner/trial_00"}) == trial


def test_logs_of_trials_are_no_runs(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    keras_tuner_sweep(root / "tuner", {"00": 0.5, "01": 0.4})
    places = ["tuner/tb/00/execution0/train", "tuner/tb/01/execution0/validation", "tuner/tb/07/execution0/train"]
    saved = "tuner/tb/00/execution1"  # not events alone
    for place in (*places, saved):
        (root / place).mkdir(parents=True)
        (root / place / "events.out.tfevents.1700000000.host.1.0.v2").write_bytes(VERSION)
    save(root / saved, 3)
    workspace = opened(tmp_path)
    for deep in (False, True):
        workspace.refresh(deep=deep)
        names = {run.path for run in workspace.reader.runs(RunFilter(), workspace.now(), limit=None).items}
        assert names == {"tuner/trial_00", "tuner/trial_01", "tuner/tb/07/execution0", saved}
    workspace.close()

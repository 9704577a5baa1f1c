"""Six epochs in one go, and three, a kill, a manifest, and three more: the same weights and losses, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.resume.history import ManifestState
from core.settings import load
from core.workspace import Workspace

JOB = Path(__file__).with_name("train_job.py")
KILLED_IN, STEPS = 3, 4
RUNS = {
    "keras": ("manager", "keras", "weights", "h5", "orbax"),
    "tf_keras": ("manager", "keras", "weights", "h5", "tf-weights", "saved-model"),
    "module": ("module",),
}
Trained = Callable[[str], Path]


def job(*arguments: object, killed: bool = False) -> str:
    """Run the training; what it said on stderr."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOINT_")}
    command = [sys.executable, str(JOB), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean, timeout=300, check=False)
    assert done.returncode == (-signal.SIGKILL if killed else 0), done.stderr[-3000:]
    return done.stderr


def result(folder: Path, name: str) -> dict[str, Any]:
    """What a training wrote at its end."""
    found: dict[str, Any] = json.loads((folder / f"result-{name}.json").read_text())
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A folder for a framework: `whole` was trained in one go, `runs` was killed in its fourth epoch, and so was its
    copy `foreign/runs`, in which no job goes on.
    """
    made: dict[str, Path] = {}

    def get(framework: str) -> Path:
        if framework not in made:
            folder = tmp_path_factory.mktemp(framework)
            (folder / "whole").mkdir()
            (folder / "runs").mkdir()
            job(framework, folder / "whole", "-")
            job(framework, folder / "runs", "-", KILLED_IN, killed=True)
            shutil.copytree(folder / "runs", folder / "foreign" / "runs")
            made[framework] = folder
        return made[framework]

    return get


def opened(folder: Path) -> Workspace:
    """A workspace over the runs of a folder, as the dashboard opens it."""
    settings = load(roots_override=[folder / "runs"]).model_copy(update={"home": folder / "home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    return workspace


def hand_over(folder: Path, run: str) -> tuple[Workspace, str]:
    """Write the manifest of a run's latest checkpoint with the dashboard's own code; its path in the run."""
    workspace = opened(folder)
    found = workspace.find_run(run)
    [choice] = [choice for choice in workspace.choices(found.root, found.path) if choice.chosen is not None]
    assert choice.chosen is not None
    proposal = workspace.propose(choice.chosen)
    accepted = [warning.id for warning in proposal.warnings]
    manifest, _ = workspace.resume(choice.chosen, proposal, note="", accepted=accepted)
    return workspace, manifest.checkpoint.path


def state(workspace: Workspace, run: str) -> ManifestState:
    """What became of the run's newest manifest."""
    found = workspace.find_run(run)
    return workspace.manifests(found.root, found.path)[0].state


CASES = [(framework, run) for framework, runs in RUNS.items() for run in runs]


@pytest.mark.parametrize(("framework", "run"), CASES, ids=[f"{framework}-{run}" for framework, run in CASES])
def test_a_resumed_training_ends_where_an_unbroken_one_does(trained: Trained, framework: str, run: str) -> None:
    folder = trained(framework)
    workspace, picked = hand_over(folder, run)
    assert state(workspace, run) is ManifestState.PENDING
    said = job(framework, folder / "runs", run)
    whole, resumed = result(folder / "whole", "-"), result(folder / "runs", run)
    assert (resumed["source"], resumed["step"]) == (picked, KILLED_IN * STEPS)
    assert resumed["losses"] == whole["losses"][KILLED_IN * STEPS :]
    assert resumed["values"] == whole["values"]
    assert f"Restored {picked}, step {KILLED_IN * STEPS} (the manifest " in said
    assert not any("restarts" in warning for warning in resumed["warnings"])
    assert state(workspace, run) is ManifestState.FINISHED
    workspace.close()


REFUSALS = {
    ("keras", "tf_keras"): {
        "manager": "does not fit the model",
        "keras": "tf-keras (Keras 2) wrote epoch-3.keras, and the model is made of Keras 3",
        "weights": "does not fit the model",
        "h5": "tf-keras (Keras 2) wrote epoch-3.h5, and the model is made of Keras 3",
        "tf-weights": "does not fit the model",
        "saved-model": "is a SavedModel, which training goes on from in tf-keras only",
    },
    ("tf_keras", "keras"): {
        "manager": "does not fit the model",
        "keras": "Keras 3 wrote epoch-3.keras, and the model is made of tf-keras (Keras 2)",
        "weights": "does not fit the model",
        "h5": "Keras 3 wrote epoch-3.h5, and the model is made of tf-keras (Keras 2)",
        "orbax": "Keras 3 wrote 2, and the model is made of tf-keras (Keras 2)",
    },
}


@pytest.mark.parametrize(("model", "writer"), REFUSALS, ids=["keras-3-refuses", "tf-keras-refuses"])
def test_what_the_other_keras_wrote_is_refused_and_nothing_is_loaded(trained: Trained, model: str, writer: str) -> None:
    folder = trained(writer) / "foreign"
    for run in REFUSALS[model, writer]:
        hand_over(folder, run)[0].close()
    job(model, folder / "runs", "refused", *REFUSALS[model, writer])
    for run, (said, is_unchanged) in json.loads((folder / "runs" / "result-refused.json").read_text()).items():
        assert REFUSALS[model, writer][run] in said, run
        assert is_unchanged, run

"""The script in docs/resume.md works as it stands: it restores what was picked, not what was taken back."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config.settings import load
from core.resume.history import ManifestState
from core.resume.manifest import Mode
from core.services.manifests import run_manifests, withdraw_manifest
from core.services.resume import propose, resume_from
from core.services.workspace import Workspace

SCRIPT = re.search(r"```python\n(.*?)```", Path("docs/resume.md").read_text(encoding="utf-8"), re.DOTALL)


def trained_run(folder: Path) -> tuple[Any, Any]:
    """A run with two saves of a model that learned something in between; returns the model and its optimizer."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    for _ in range(2):
        model.fit(tf.ones((4, 2)), tf.ones((4, 1)), verbose=0)
        checkpoint.save(str(folder / "checkpoints" / "ckpt"))
    return model, model.optimizer


def follow(run: Path, model: Any) -> None:  # noqa: ANN401 - Keras has no types
    """Run the script as a training job would, for one epoch of one step at a time."""
    assert SCRIPT is not None
    data = {"X": np.ones((4, 2)), "Y": np.ones((4, 1)), "STEPS": 1, "EPOCHS": 3}
    exec(SCRIPT[1], {"RUN": str(run), "model": model, **data})


def test_a_job_restores_what_was_picked_and_its_manifest_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "docs")
    run = tmp_path / "runs" / "a"
    model, optimizer = trained_run(run)
    workspace = Workspace.open(load(roots_override=[tmp_path / "runs"]).model_copy(update={"home": tmp_path / "home"}))
    workspace.refresh()
    found = workspace.find_run("a")
    older = next(item for item in workspace.members(found.root, "a") if item.path.endswith("ckpt-1"))
    proposal = propose(workspace, older, Mode.REWIND)
    accepted = [warning.id for warning in proposal.warnings]
    newest = run / "checkpoints" / "ckpt-2.index"

    def hand_over() -> str:
        """The run was just trained, so that it looks live."""
        return resume_from(workspace, older, proposal, note="", accepted=accepted, confirm="a")[0].id

    withdraw_manifest(workspace, found.root, "a", hand_over())
    optimizer.iterations.assign(77)
    follow(run, model)
    assert int(optimizer.iterations) == 3  # the newest had two
    assert newest.exists()
    assert run_manifests(workspace, found.root, "a")[0].state is ManifestState.WITHDRAWN

    hand_over()
    optimizer.iterations.assign(77)
    follow(run, model)
    assert int(optimizer.iterations) == 3  # one was restored, two were trained
    assert not newest.exists()
    assert run_manifests(workspace, found.root, "a")[0].state is ManifestState.FINISHED
    workspace.close()


def test_without_a_manifest_and_a_checkpoint_it_trains_from_the_start(tmp_path: Path) -> None:
    model, optimizer = trained_run(tmp_path / "elsewhere")
    optimizer.iterations.assign(0)
    follow(tmp_path / "new", model)
    assert int(optimizer.iterations) == 3


def test_the_script_of_the_first_page_goes_on_after_a_kill(tmp_path: Path) -> None:
    script = re.search(r"```py\n(.*?)```", Path("docs/resume.md").read_text(encoding="utf-8"), re.DOTALL)
    assert script is not None
    (tmp_path / "train.py").write_text(script[1])
    command = [sys.executable, "train.py"]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "runs/first/epoch-05.keras").exists():
        assert started.poll() is None
        time.sleep(0.05)
    started.kill()
    started.wait()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = re.search(r"Restored (epoch-\d\d)\.keras, step (\d+) \(no manifest, the newest that fits\)", done.stderr)
    assert told is not None, done.stderr[-3000:]
    epochs = int(told[1].removeprefix("epoch-"))
    assert int(told[2]) == 32 * epochs
    assert f"position        step {32 * epochs}, {epochs} epochs done" in done.stderr
    assert f"Epoch {epochs + 1}/30" in done.stdout
    assert f"Epoch {epochs}/30" not in done.stdout
    assert (tmp_path / "runs/first/epoch-30.keras").exists()

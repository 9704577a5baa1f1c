"""The script in docs/resume.md works as it stands: it restores what was picked, and leaves what was taken back."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from core.settings import load
from core.workspace import Workspace

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


def follow(run: Path, model: Any, optimizer: Any) -> None:  # noqa: ANN401 - Keras has no types
    """Run the script as a training job would."""
    assert SCRIPT is not None
    exec(SCRIPT[1], {"RUN": str(run), "model": model, "optimizer": optimizer})


def test_a_job_restores_what_was_picked_unless_it_was_taken_back(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    model, optimizer = trained_run(run)
    workspace = Workspace.open(load(roots_override=[tmp_path / "runs"]).model_copy(update={"home": tmp_path / "home"}))
    workspace.refresh()
    found = workspace.find_run("a")
    older = next(item for item in workspace.members(found.root, "a") if item.path.endswith("ckpt-1"))
    proposal = workspace.propose(older)
    manifest, _ = workspace.resume(older, proposal, note="", accepted=[warning.id for warning in proposal.warnings])

    follow(run, model, optimizer)
    assert int(optimizer.iterations) == 1

    optimizer.iterations.assign(77)
    workspace.withdraw(found.root, "a", str(manifest.id))
    follow(run, model, optimizer)
    assert int(optimizer.iterations) == 77
    workspace.close()


def test_without_a_manifest_nothing_happens(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        follow(tmp_path, None, None)

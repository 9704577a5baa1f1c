"""Keras on other backends than TensorFlow, where it is missing: fresh starts, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

JOB = """
import sys

sys.modules["tensorflow"] = None  # as where it is not installed: importing it fails
import keras
import numpy as np

from waypoint_resume import ResumeError, resume

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
try:
    start = resume(sys.argv[1], model=model, steps_per_epoch=1)
except ResumeError as error:
    sys.exit(f"refused: {error}")
model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0, initial_epoch=start.epoch, epochs=2, callbacks=[start.guard])
model.save(f"{sys.argv[1]}/epoch-2.keras")
print(start.source, start.epoch, int(model.optimizer.iterations))
"""


def run_job(backend: str, run: Path) -> subprocess.CompletedProcess[str]:
    """A job of one layer on a backend, told to train until two epochs of one step are done."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOINT_")}
    clean |= {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", JOB, str(run)]
    return subprocess.run(command, capture_output=True, text=True, env=clean, timeout=120, check=False)


def test_a_fresh_start_on_jax_needs_no_tensorflow_and_the_next_one_goes_on(tmp_path: Path) -> None:
    for expected in ("None 0 2", "epoch-2.keras 2 2"):
        done = run_job("jax", tmp_path / "run")
        assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize(
    "backend", ["numpy"]
)  # Keras brings it; any other that is no backend of ours goes the same way
def test_a_backend_that_cannot_be_restored_into_is_refused_and_nothing_is_taken(tmp_path: Path, backend: str) -> None:
    done = run_job(backend, tmp_path / "run")
    assert f"refused: Keras runs on {backend} here, and this client restores on tensorflow and jax" in done.stderr
    assert list((tmp_path / "run").iterdir()) == []

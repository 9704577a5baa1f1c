"""Whole processes: a script that `python -m waypoint_resume run` resumes, and one that forgot its guard."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.jobs import job_server

SCRIPT = """
import os, signal, sys
import keras, numpy as np
X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
run, kill = sys.argv[1:]
class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs):
        if int(self.model.optimizer.iterations) == int(kill):
            os.kill(os.getpid(), signal.SIGKILL)
saves = keras.callbacks.ModelCheckpoint(run + "/models/e-{epoch}.weights.h5", save_weights_only=True)
model.fit(X, X.sum(1), batch_size=8, epochs=4, shuffle=False, verbose=0, callbacks=[saves, Kill()])
print(int(model.optimizer.iterations), b"".join(item.numpy().tobytes() for item in model.weights).hex())
sys.exit(7)
"""
FORGETFUL = """
import sys
import keras, numpy as np
from waypoint_resume import resume
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
model.compile("adam", "mse")
start = resume(sys.argv[1], model=model, steps_per_epoch=4)
model.fit(np.zeros((8, 3)), np.zeros((8, 1)), verbose=0)
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python with the client on its path, which rounds as the programs of the server do."""
    path = os.pathsep.join([str(Path(__file__).parents[2] / "client"), os.environ.get("PYTHONPATH", "")])
    given = {**os.environ, **job_server("keras").environment, "PYTHONPATH": path.rstrip(os.pathsep), "WAYPOINT_RUN": ""}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=given, check=False)


def test_a_script_without_a_line_of_ours_resumes_and_one_that_forgot_its_guard_is_told(tmp_path: Path) -> None:
    script, run = tmp_path / "train.py", tmp_path / "run"
    script.write_text(SCRIPT)
    launch = ("-m", "waypoint_resume", "run", "--", sys.executable, str(script))
    whole = job_server("keras").run(script, tmp_path / "whole", 0)
    assert python(*launch, str(run), "10").returncode == -signal.SIGKILL
    resumed = python(*launch, str(run), "0")
    assert resumed.returncode == whole.returncode == 7
    assert resumed.stdout == whole.stdout
    assert "Restored models/e-2.weights.h5, step 8" in resumed.stderr
    forgetful = tmp_path / "forgetful.py"
    forgetful.write_text(FORGETFUL)
    told = job_server("keras").run(forgetful, run)
    assert told.returncode == 0
    assert "trained without start.guard, start.check() or start.finish()" in told.stderr
    assert "start.epoch was never read" in told.stderr

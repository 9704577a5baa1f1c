"""What `python -m waypoint_resume run` says before the command starts."""

import subprocess
import sys
from pathlib import Path

from tests.client.test_client_claim import hand_over
from tests.support.resume_cases import a_checkpoint, on_disk


def test_a_manifest_that_waits_is_told_before_the_command_starts(tmp_path: Path) -> None:
    hand_over(tmp_path, on_disk(tmp_path, a_checkpoint(7)))
    command = [sys.executable, "-c", "print('ran')"]
    told = {}
    for run in ("exp/a", "exp"):
        launch = [sys.executable, "-m", "waypoint_resume", "run", "--run", str(tmp_path / run), "--", *command]
        done = subprocess.run(launch, capture_output=True, text=True, check=True)
        assert done.stdout == "ran\n"
        told[run] = done.stderr
    assert told["exp/a"].startswith(f"ckpts/ckpt-7 was handed over to {tmp_path / 'exp/a'}. fit() goes on from it;")
    assert told["exp"].startswith("a/ckpts/ckpt-7 was handed over to ")  # found below, too


LOOP = """
import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import tensorflow as tf
checkpoint = tf.train.Checkpoint(step=tf.Variable(0))
checkpoint.write(sys.argv[1] + "/elsewhere/ckpt")
print("elsewhere")
tf.train.CheckpointManager(checkpoint, sys.argv[1] + "/exp/a/ckpts", 2).save(8)
print("saved")
"""


def test_a_loop_that_would_not_follow_a_manifest_is_refused_before_it_saves(tmp_path: Path) -> None:
    hand_over(tmp_path, on_disk(tmp_path, a_checkpoint(7)))
    before = sorted(path.name for path in (tmp_path / "exp" / "a" / "ckpts").iterdir())
    outcome = []
    for options in ([], ["--ignore-manifest"]):
        launch = [sys.executable, "-m", "waypoint_resume", "run", "--run", str(tmp_path / "exp/a"), *options, "--"]
        command = [*launch, sys.executable, "-c", LOOP, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        outcome.append((done.returncode, done.stdout, "does not follow it" in done.stderr))
        if not options:
            assert "--ignore-manifest" in done.stderr
            assert sorted(path.name for path in (tmp_path / "exp" / "a" / "ckpts").iterdir()) == before
    assert outcome == [(1, "elsewhere\n", True), (0, "elsewhere\nsaved\n", False)]

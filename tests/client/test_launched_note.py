"""What `python -m waypoint_resume run` says before the command starts."""

import subprocess
import sys
from pathlib import Path

from tests.resume_cases import a_checkpoint, on_disk
from tests.test_client_claim import hand_over


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

"""A kill at any instant of handing over leaves the old manifest or the new one, and a fork whole or not at all."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


@pytest.mark.soak
def test_a_kill_while_a_manifest_or_a_fork_is_written_loses_nothing(tmp_path: Path, more: int) -> None:
    seed, rounds, stride = random.randrange(10**9), 20 if more == 1 else 100, 3 if more == 1 else 1
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill_resume", tmp_path, str(rounds), str(stride), str(seed)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    ends = json.loads(done.stdout)
    assert ends["random kills"] == rounds
    for action, calls in {"continue": 12, "rewind": 24, "fork": 45, "fork of a file": 39}.items():
        assert ends[f"{action}: kills"] > calls / stride, ends
        assert min(ends[f"{action}: old"], ends[f"{action}: new"]) > 0, ends

"""A kill at any instant of a quarantine, its undoing or its purge loses nothing and doubles nothing."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


@pytest.mark.soak
def test_after_a_kill_every_file_is_in_its_place_or_in_quarantine(tmp_path: Path, more: int) -> None:
    seed, stride = random.randrange(10**9), 3 if more == 1 else 1
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill_quarantine", tmp_path, str(20 * more), str(stride), str(seed)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    ends = json.loads(done.stdout)
    assert ends["random kills"] == 20 * more
    assert ends["quarantine: kills"] > 150 / stride
    assert ends["undo: kills"] > 100 / stride
    assert ends["purge: kills"] > 36 / stride
    # Both ends were met, so that kills came before and after the point from which there is no way back.
    assert min(ends["quarantine: undone"], ends["undo: done"], ends["undo: undone"], ends["purge: purged"]) > 0

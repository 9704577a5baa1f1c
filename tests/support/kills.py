"""Programs that kill what they watch, in processes of their own: pytest's has threads, which a fork would lose."""

import json
import random
import subprocess
import sys
from pathlib import Path


def ends_of(program: str, folder: Path, rounds: int, stride: int) -> dict[str, int]:
    """Run `tests.PROGRAM` in an empty folder: so many random kills, and one before every stride-th call to the file
    system. How often each end was found, 0 for those that were not.
    """
    seed = random.randrange(10**9)
    done = subprocess.run(
        [sys.executable, "-m", f"tests.support.{program}", folder, str(rounds), str(stride), str(seed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    found: dict[str, int] = json.loads(done.stdout)
    assert found["random kills"] == rounds
    return found

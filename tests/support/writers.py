"""Programs that write files for the tests, each in a process of its own: the frameworks disturb each other."""

import subprocess
import sys
from collections.abc import Sequence


def run_together(commands: Sequence[Sequence[str]]) -> None:
    """Run Python programs side by side; AssertionError with the end of what one printed, should it fail."""
    running = [
        subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    errors = [process.communicate(timeout=300)[1] for process in running]
    for process, error in zip(running, errors, strict=True):
        assert process.returncode == 0, error[-3000:]

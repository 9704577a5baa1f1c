"""The Pythons of this machine: on PATH, and those that pyenv keeps."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def find_python(version: str) -> str | None:
    """The path of a Python such as 3.9; None where this machine has none that starts."""
    for path in _candidates(version):
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=60)
        if re.match(rf"Python {re.escape(version)}\.", asked.stdout or asked.stderr):  # Python 2 says it on stderr
            return path
    return None


def _candidates(version: str) -> Iterator[str]:
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    yield from sorted(map(str, kept.glob(f"{version}.*/bin/python")), reverse=True)
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield on_path  # pyenv's shim is there for a Python that is not switched on, too: it does not start

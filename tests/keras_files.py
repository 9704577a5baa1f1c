"""What several tests read: files that Keras wrote, the corpus, and cuts of a file."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from core.fs.local import LocalStorage

_KEPT: list[TemporaryDirectory[str]] = []


@functools.cache
def folder() -> Path:
    """The folder that write_keras_files.py filled, once for all tests of a process."""
    kept = TemporaryDirectory(prefix="waypoint-tests-")
    _KEPT.append(kept)
    program = Path(__file__).with_name("write_keras_files.py")
    command = [sys.executable, str(program), kept.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return Path(kept.name)


@functools.cache
def expected() -> dict[str, Any]:
    """What Keras says that it saved."""
    found: dict[str, Any] = json.loads((folder() / "expected.json").read_text())
    return found


def storage() -> LocalStorage:
    """That folder as a root."""
    return LocalStorage(str(folder()))


def corpus(name: str) -> LocalStorage:
    """A folder of the corpus as a root; skips where there is no corpus."""
    root = Path(os.environ.get("WAYPOINT_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not (root / name).is_dir():
        pytest.skip(f"no corpus at {root.name}/{name} (set WAYPOINT_CORPUS)")
    return LocalStorage(str(root / name))


def names(root: Path) -> list[str]:
    """All files below a folder, relative to it."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def cuts(length: int, count: int) -> Iterator[int]:
    """Lengths to cut a file at: every one near its two ends, and `count` spread between."""
    ends = 40
    yield from range(min(ends, length))
    yield from range(ends, max(ends, length - ends), max(1, length // count))
    yield from range(max(ends, length - ends), length)

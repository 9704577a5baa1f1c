"""What several tests read: files that Keras wrote, the corpus, and cuts of a file."""

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.base.records import Checkpoint
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.spec import Reading, Unit
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderTask
from core.runs.walk import look
from core.stores.local import LocalStore
from tests.support.written import written_folder


def folder() -> Path:
    """The folder that write_keras_files.py and write_orbax_files.py filled, once for all tests of a process."""
    keras = [("write_keras_files.py", kind) for kind in ("keras", "tf_keras")]
    return written_folder(*keras, ("write_orbax_files.py",))


@functools.cache
def expected() -> dict[str, Any]:
    """What Keras, tf-keras and JAX say that they saved."""
    found: dict[str, Any] = {}
    for path in folder().glob("expected-*.json"):
        found |= json.loads(path.read_text())
    return found


def store() -> LocalStore:
    """That folder as a root."""
    return LocalStore(str(folder()))


def checkpoints(root: Path) -> dict[str, Checkpoint]:
    """Every checkpoint below a folder, as a scan finds it, by its path."""
    place, waiting = LocalStore(str(root)), [""]
    found: dict[str, Checkpoint] = {}
    while waiting:
        listing = look(place, waiting.pop())
        waiting += [f"{listing.folder}/{name}" if listing.folder else name for name in listing.subfolders]
        task = FolderTask(root="r", run="", listing=listing, known=(), now_ns=0, grace_ns=0)
        found |= {one.path: one for one in read_folder(place, task).checkpoints}
    return found


@functools.cache
def written() -> dict[str, Checkpoint]:
    """Every checkpoint that was written for the tests."""
    return checkpoints(folder())


def reading(root: Path, checkpoint: Checkpoint) -> Reading:
    """One checkpoint with its variables."""
    inside = checkpoint.path.removeprefix(checkpoint.folder).lstrip("/")
    files = {file.name: file for file in checkpoint.files}
    unit = Unit(checkpoint.folder, inside, checkpoint.path, checkpoint.format, files)
    found = read_unit(LocalStore(str(root)), unit, BundleCache())
    assert found is not None
    return found


def corpus(name: str) -> LocalStore:
    """A folder of the corpus as a root; skips where there is no corpus."""
    root = Path(os.environ.get("WAYPOINT_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
    if not (root / name).is_dir():
        pytest.skip(f"no corpus at {root.name}/{name} (set WAYPOINT_CORPUS)")
    return LocalStore(str(root / name))


def names(root: Path) -> list[str]:
    """All files below a folder, relative to it."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def cuts(length: int, count: int) -> Iterator[int]:
    """Lengths to cut a file at: every one near its two ends, and `count` spread between."""
    ends = 40
    yield from range(min(ends, length))
    yield from range(ends, max(ends, length - ends), max(1, length // count))
    yield from range(max(ends, length - ends), length)

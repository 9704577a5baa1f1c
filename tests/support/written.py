"""Folders that frameworks filled for tests: written once, kept in .cache/tests, and copied for each process of tests.

What is kept is known by the programs' source, the version of Python and those of all that is installed; of each group
of programs the newest is kept. A folder takes its name when it is full, so one that a killed run left is never read.
"""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import sys
import time
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.writers import run_together

_HERE = Path(__file__).parent
_CACHE = _HERE.parents[1] / ".cache" / "tests"
_KEPT: list[TemporaryDirectory[str]] = []
# TensorFlow's and Orbax' files of text that may hold absolute paths.
_NAMING = ("checkpoint", "commit_success.txt")
_OWN_CODE = re.compile(r"^\s*(?:from|import) (?:core|tests|pages|waypoint_resume)\b", re.MULTILINE)


@functools.cache
def written_folder(*programs: tuple[str, ...]) -> Path:
    """A folder of this process with what programs wrote: each a file of this folder, and what it is told after the
    folder to write into. They run side by side. All is as if it had been written there a moment ago.

    AssertionError if a program fails; ValueError for one that imports code of this checkout, which is not in the key.
    """
    made = TemporaryDirectory(prefix="waypoint-tests-")
    _KEPT.append(made)
    name = Path(programs[0][0]).stem
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = _CACHE / f"{name}-{_key(programs)}"
        if not kept.exists():
            _write(programs, name, kept)
        shutil.copytree(kept, made.name, symlinks=True, dirs_exist_ok=True)
    _name_anew(Path(made.name), _unfinished(name))
    _renew(Path(made.name))
    return Path(made.name)


def _key(programs: tuple[tuple[str, ...], ...]) -> str:
    """What tells one content from another, as a short hash."""
    sources = [(_HERE / program[0]).read_text(encoding="utf-8") for program in programs]
    for program, source in zip(programs, sources, strict=True):
        if _OWN_CODE.search(source):
            raise ValueError(f"{program[0]} imports code of this checkout: what it wrote cannot be kept")
    told = repr((programs, sources, sys.version, _installed(), str(_CACHE)))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@functools.cache
def _installed() -> tuple[str, ...]:
    """Every installed distribution with its version."""
    return tuple(sorted(f"{item.name} {item.version}" for item in metadata.distributions()))


def _unfinished(name: str) -> Path:
    """Where programs write, and so what the files say of their own place."""
    return _CACHE / f"{name}-unfinished"


def _write(programs: tuple[tuple[str, ...], ...], name: str, kept: Path) -> None:
    """Fill a folder, then let it have its name; what was kept of other versions, or half written, goes."""
    for old in _CACHE.glob(f"{name}-*"):
        shutil.rmtree(old)
    unfinished = _unfinished(name)
    unfinished.mkdir()
    run_together([[str(_HERE / file), str(unfinished), *told] for file, *told in programs])
    unfinished.rename(kept)


def _name_anew(folder: Path, old: Path) -> None:
    """Let the files that name the folder in which they were written name this one."""
    for path in folder.rglob("*"):
        if path.name in _NAMING:
            stat, text = path.stat(), path.read_text(encoding="utf-8")
            path.write_text(text.replace(str(old), str(folder)), encoding="utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _renew(folder: Path) -> None:
    """Move all times on so that the newest is now: a scan judges what is live by them."""
    places = [folder, *folder.rglob("*")]
    stats = {place: place.lstat() for place in places}
    later = time.time_ns() - max(stat.st_mtime_ns for stat in stats.values())
    for place, stat in stats.items():
        os.utime(place, ns=(stat.st_atime_ns + later, stat.st_mtime_ns + later), follow_symlinks=False)

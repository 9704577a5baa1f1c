"""Copies of checkpoints as new runs: a folder that appears whole or not at all, with its files in the same places.

A new run grows in a temp folder beside its place, `.<name>.<hex>.waypoint-tmp`, which scans skip, and is renamed when
all of it is on the disk. The one that makes it holds its `.waypoint/decisions.lock`: what nobody holds was left by a
kill, and the next run of that name removes it.

Hard links are for files that are never written in place, so that a job that goes on from a linked copy never changes
its parent's. Only a bundle's shards are such (TensorFlow 2.21): they are written under other names and renamed. Its
index is opened and cut to nothing where the same prefix is saved again (MergeV2Checkpoints), and so are Keras' files.
"""

import contextlib
import errno
import itertools
import os
import re
import secrets
import shutil
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import BusyError, PlaceError
from core.resume.errors import NameTakenError, RunNameError
from core.runfolder.places import inside, locked
from core.runs.walk import SKIPPED
from waypoint_resume.access import take_access
from waypoint_resume.atomic import TEMP_END, make_folder, sync_folder
from waypoint_resume.names import from_text, to_text

MAX_NAME = 200  # bytes: a file system's 255 less what the temp folder's name adds
_BLOCK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What link answers where there are no hard links, or the kernel forbids them for files of others.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
# What rename answers where something came into the new run's place.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How many files share their bytes with the source, how many were copied, and the bytes of those."""

    linked: int = 0
    copied: int = 0
    bytes: int = 0


def require_name(name: str) -> None:
    """RunNameError for what is no name of a run's folder: one component, not hidden, at most 200 bytes, looked into."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        why = "one name, without '/' and NUL, that does not begin with '.'"
    elif len(os.fsencode(name)) > MAX_NAME:
        why = f"at most {MAX_NAME} bytes"
    elif name in SKIPPED:
        why = f"none of {', '.join(sorted(SKIPPED))}, which no scan looks into"
    else:
        return
    raise RunNameError(f"{to_text(name)!r} cannot be the name of a run's folder; allowed: {why}.")


def free_name(name: str, ending: str, is_taken: Callable[[str], bool]) -> str:
    """A name, as text, for a new run: another's `name` with an ending, cut so that it is valid, and a number where that
    is taken; `is_taken` is asked for names as they stand on the disk.
    """
    room = MAX_NAME - len("-9999")
    ending = _cut(ending, room // 2)
    whole = (_cut(name.lstrip("."), room - len(ending.encode())) + ending).lstrip(".")
    numbered = (whole if number == 1 else f"{whole}-{number}" for number in itertools.count(1))
    return next(found for found in numbered if not is_taken(from_text(found)))


@contextlib.contextmanager
def new_run(folder: Path, name: str, start: contextlib.AbstractContextManager[object] | None = None) -> Iterator[Path]:
    """A temp folder that becomes `folder/name` at the end, and is removed on an error. The parent's lock is held, or
    `start` takes it: it is entered only until the folder is made and locked, for copies take long.

    RunNameError, NameTakenError before and at the end; OSError. `.waypoint` in it is there, and locked.
    """
    require_name(name)
    target = folder / name
    temp = folder / f".{name}.{secrets.token_hex(8)}{TEMP_END}"
    with contextlib.ExitStack() as held:
        with start or contextlib.nullcontext():
            _require_free(target)
            _remove_stale(folder, name)
            make_folder(temp, fsync=False)
            held.callback(shutil.rmtree, temp, ignore_errors=True)  # finds nothing after the rename
            held.enter_context(locked(temp))
        yield temp
        _sync_tree(temp)
        _move_in(temp, target)
    sync_folder(folder)


def copy_files(
    source: Path,
    target: Path,
    names: Iterable[str],
    *,
    links: Callable[[str], bool],
    watch: Callable[[int], None] = lambda _done: None,
) -> Copied:
    """Bring files to the same relative paths below another folder, synced, with their times, and with their permissions
    besides what the folder grants its group: the new run's job may be another user's. Their names are durable when
    `new_run` ends.

    `source` has no links on its way; `names` are relative to it. Those that `links` allows become hard links where that
    is possible. `watch` is told the bytes that are done, linked ones among them. Raises FileExistsError, OSError,
    PlaceError for a name that leads out of the source.
    """
    linked = copied = size = done = 0
    for name in names:
        place = target / name
        make_folder(place.parent, fsync=False)
        real = inside(source, name)
        if links(name) and _linked(real, place):
            linked += 1
            done += place.stat().st_size
            watch(done)
            continue
        for count in _copy(real, place):
            done, size = done + count, size + count
            watch(done)
        copied += 1
    return Copied(linked=linked, copied=copied, bytes=size)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _copy(source: Path, target: Path) -> Iterator[int]:
    """Copy one plain file; gives the bytes of each block that was written."""
    with open(os.open(source, _READ), "rb", buffering=0) as old:
        found = os.fstat(old.fileno())
        if not modes.S_ISREG(found.st_mode):
            raise PlaceError(f"{to_text(str(source))} is no plain file.")
        with open(os.open(target, _NEW, 0o600), "wb", buffering=0) as new:
            while block := old.read(_BLOCK):
                view = memoryview(block)
                while view:  # a nearly full disk may take a part
                    view = view[new.write(view) :]
                yield len(block)
            take_access(new.fileno(), target.parent, own=modes.S_IMODE(found.st_mode))
            os.utime(new.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(new.fileno())


def _move_in(temp: Path, target: Path) -> None:
    """Rename over nothing: one over a file, a link or a folder with something in it fails by itself."""
    _require_free(target)
    try:
        os.rename(temp, target)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise _taken(target) from error


def _cut(text: str, size: int) -> str:
    """The first bytes of a text in UTF-8, without a part of a character."""
    return text.encode()[:size].decode(errors="ignore")


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise _taken(target)


def _taken(target: Path) -> NameTakenError:
    return NameTakenError(f"{to_text(str(target))} is there already: choose another name. Nothing was written.")


def _remove_stale(folder: Path, name: str) -> None:
    """Remove the temp folders of this name that nobody holds."""
    stale = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}{re.escape(TEMP_END)}")
    for found in [folder / entry for entry in os.listdir(folder) if stale.fullmatch(entry)]:
        if not found.is_symlink():
            with contextlib.suppress(BusyError), locked(found, wait=0):
                shutil.rmtree(found, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    """Make the names in a folder and in those below it durable."""
    for place, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(place))

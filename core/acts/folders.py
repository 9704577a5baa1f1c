"""The folders that a batch's files lie in: as they are, mirrored in quarantine, and made again by undo."""

import contextlib
import os
import stat as modes
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from core.acts.journal import FILES, JournalFolder, JournalItem
from waypoint_resume.atomic import make_folder, make_like
from waypoint_resume.names import folders_above, from_text, join, to_text

Folders = Mapping[str, JournalFolder]
_ENTER = 0o700  # whoever makes a folder must be able to fill it


def path_folders(run: Path, items: Iterable[JournalItem]) -> tuple[JournalFolder, ...]:
    """The folders on the way to some items' files, parents first, and those that the items own and leave empty."""
    files = {file.name for item in items for file in item.files}
    going = {name for item in items for name in _owned(run, item, files)}
    names = {parent for name in files for parent in folders_above(name)} | going
    return tuple(_folder(run, name, name in going) for name in sorted(names))


def mirror(files: Path, folder: JournalFolder) -> None:
    """A folder in quarantine that lets in whom its original does."""
    make_like(files / folder.name, mode=folder.mode, group=folder.gid)


def remake(run: Path, name: str, former: JournalFolder | None) -> None:
    """Make a folder that is not there, if it can be as it was; one that exists stays as it is."""
    if os.path.lexists(run / name):
        return
    make_folder(run / name)
    if former is not None:
        _own(run / name, former)
        os.chmod(run / name, former.mode | _ENTER)


def finish_folders(run: Path, item: JournalItem, going: Sequence[JournalFolder], files: Collection[str]) -> None:
    """The folders that an item owned, as they were, if nothing but a batch's files is in them; also the empty ones."""
    for folder in going:
        remake(run, folder.name, folder)
    owned = _owned(run, item, files)
    for folder in going:
        if folder.name in owned:
            _own(run / folder.name, folder)
            with contextlib.suppress(OSError):  # somebody else's, that never went
                os.chmod(run / folder.name, folder.mode)
                os.utime(run / folder.name, ns=(folder.mtime_ns, folder.mtime_ns))


def remove_empty(batch: Path) -> None:
    """Remove the folders below a batch's `files` that hold nothing, and `files` itself."""
    for folder, _, _ in os.walk(batch / FILES, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def is_way(base: Path, name: str) -> bool:
    """Whether nothing but folders stands on the way to a file, as far as there is a way."""
    for parent in folders_above(name):
        try:
            found = os.lstat(base / parent)
        except FileNotFoundError:
            return True
        if not modes.S_ISDIR(found.st_mode):
            return False
    return True


def is_in(name: str, path: str) -> bool:
    """Whether something is, or lies below, a path; '.' is the run's folder."""
    return path in (".", name) or name.startswith(f"{path}/")


def _owned(run: Path, item: JournalItem, files: Collection[str]) -> set[str]:
    """The folders at and below an item's path that hold nothing but files that go."""
    path = from_text(item.path)
    inside = [file.name for file in item.files if "/" in file.name and is_in(file.name, path)]
    tops = {name.partition("/")[0] if path == "." else path for name in inside}
    owned: set[str] = set()
    for folder, below, names in (found for top in tops for found in os.walk(run / top, topdown=False)):
        name = os.path.relpath(folder, run)
        if all(join(name, one) in files for one in names) and all(join(name, one) in owned for one in below):
            owned.add(name)
    return owned


def _folder(run: Path, name: str, goes: bool) -> JournalFolder:
    found = os.lstat(run / name)
    return JournalFolder(
        path=to_text(name),
        mode=modes.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        goes=goes,
    )


def _own(place: Path, folder: JournalFolder) -> None:
    with contextlib.suppress(OSError):
        os.chown(place, folder.uid, folder.gid)

"""One folder at a time: what lies in it, and which subfolders belong to it.

A SavedModel's `variables` and `assets`, an Orbax checkpoint's whole tree, and TensorFlow's temp folders are absorbed
into the listing of the folder that they are part of, so that every unit lies in exactly one listing.
"""

import hashlib
import marshal
import re
import time
from collections.abc import Collection
from operator import itemgetter

from core.formats.registry import SPECS
from core.formats.spec import FolderShape
from core.fs.storage import Members, Storage
from core.model import FileStat, Format, Listing, Problem
from core.scan.trial_names import is_trial
from waypoint_resume.atomic import is_temp
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN, NAMED

SKIPPED = frozenset({".git", ".venv", "node_modules", "site-packages", ".waypoint"})
OWN_FILES = frozenset({"resume_manifest.json"})
_TEMP_FOLDER = re.compile(r".*_temp(?:_[0-9a-f]{32})?")
_TEMP_PART = re.compile(r"part-\d+-of-\d+\..+", re.DOTALL)
_RUN_ID = re.compile(rb"^run_(?:id|uuid)[ \t]*:[ \t]*\S", re.MULTILINE)
_META_LIMIT = 64 * 1024
_DEEPEST = 64
_by_name = itemgetter(0)
_SIGNED = 4  # the first fields of FileStat: name, size, mtime_ns, inode


def look(storage: Storage, folder: str) -> Listing:
    """List a folder. OSError where the folder itself cannot be listed; problems of its members stand in the listing."""
    times, listed_at = [("", storage.folder_time(folder))], time.monotonic()
    members = storage.members(folder)
    files, problems = list(members.files), list(members.problems)
    subfolders: list[str] = []
    names = {file[0] for file in files}
    shapes = [(spec.format, spec.as_folder) for spec in SPECS if spec.as_folder is not None]
    own = {name for _, shape in shapes for name in shape.absorbed(storage, folder, names, members.subfolders)}
    for name in members.subfolders:
        if name in SKIPPED or is_temp(name):
            continue
        if name in own or _is_temp(storage, join(folder, name), name):
            _absorb(storage, folder, name, files, times, problems, _DEEPEST)
        else:
            subfolders.append(name)
    return Listing(
        folder=folder,
        files=tuple(sorted(files, key=_by_name)),
        subfolders=tuple(sorted(subfolders)),
        folder_times=tuple(times),
        is_run_marker=_is_marker(storage, folder, members, names),
        is_named_run=_is_named(storage, folder, members),
        problems=tuple(problems),
        outside=frozenset(members.outside),
        confirmed=frozenset(form for form, shape in shapes if _is_confirmed(storage, shape, names, folder)),
        listed_at=listed_at,
    )


def folder_formats(listing: Listing) -> frozenset[Format]:
    """The formats of which the folder itself is a checkpoint: a SavedModel, an Orbax step, finished or not, or a bundle
    without a name in a folder that is named as a save.
    """
    names = {file.name for file in listing.files}
    return frozenset(
        spec.format
        for spec in SPECS
        if spec.as_folder is not None
        and (spec.as_folder.confirm is None or spec.format in listing.confirmed)
        and spec.as_folder.is_one(names, listing.folder)
    )


def _is_confirmed(storage: Storage, shape: FolderShape, names: Collection[str], folder: str) -> bool:
    return shape.confirm is not None and shape.is_one(names, folder) and shape.confirm(storage, folder)


def signature(listing: Listing) -> str:
    """Changes when a file comes, goes, is renamed, rewritten or replaced. 32 hexadecimal digits."""
    columns = tuple(zip(*listing.files, strict=True))[:_SIGNED]
    if listing.outside:
        columns = (*columns, tuple(sorted(listing.outside)))
    # marshal is the fastest way to bytes; its version 2 writes equal values as equal bytes
    return hashlib.blake2b(marshal.dumps(columns, 2), digest_size=16).hexdigest()


def _is_temp(storage: Storage, place: str, name: str) -> bool:
    """Whether a folder is a save's temporary one, by its name and by all that it holds: people use that ending too."""
    if not _TEMP_FOLDER.fullmatch(name):
        return False
    try:
        members = storage.members(place)
    except OSError:
        return False
    return not members.subfolders and all(_TEMP_PART.fullmatch(file.name) for file in members.files)


def _absorb(
    storage: Storage,
    folder: str,
    below: str,
    files: list[FileStat],
    times: list[tuple[str, int]],
    problems: list[Problem],
    depth: int,
) -> None:
    place = join(folder, below)
    try:
        times.append((below, storage.folder_time(place)))
        members = storage.members(place)
    except FileNotFoundError:
        return
    except OSError as error:
        problems.append(Problem(path=to_text(place), problem=error.strerror or str(error)))
        return
    files.extend(file._replace(name=f"{below}/{file.name}") for file in members.files)
    problems.extend(members.problems)
    if members.subfolders and depth == 0:
        problems.append(Problem(path=to_text(place), problem=f"more than {_DEEPEST} folders deep: not read further"))
        return
    for name in members.subfolders:
        _absorb(storage, folder, f"{below}/{name}", files, times, problems, depth - 1)


def _is_named(storage: Storage, folder: str, members: Members) -> bool:
    """Whether a job has named this folder as its run."""
    if HIDDEN not in members.subfolders:
        return False
    try:
        return any(file.name == NAMED for file in storage.members(join(folder, HIDDEN)).files)
    except OSError:
        return False


def _is_marker(storage: Storage, folder: str, members: Members, names: set[str]) -> bool:
    """Whether this folder says of itself that it is a run (design.md, run discovery, rule 2)."""
    if "resume_manifest.json" in names or any(name in (".waypoint", ".guild") for name in members.subfolders):
        return True
    if is_trial(folder, names):
        return True
    if "meta.yaml" not in names:
        return False
    try:
        with storage.open(join(folder, "meta.yaml")) as file:
            return _RUN_ID.search(file.read(_META_LIMIT)) is not None
    except OSError:
        return False

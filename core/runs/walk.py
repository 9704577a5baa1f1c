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
from typing import NamedTuple

from core.base.facts import Format
from core.base.files import FileStat, Listing, OutwardLink, Problem
from core.formats.registry import SPECS
from core.formats.spec import FolderShape
from core.runs.trial_names import is_trial
from core.stores.local import told_permission
from core.stores.store import Members, Store
from waypoint_resume.atomic import is_temp
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN, NAMED

SKIPPED = frozenset({".git", ".venv", "node_modules", "site-packages", ".waypoint"})
OWN_FILES = frozenset({"resume_manifest.json"})
_TEMP_FOLDER = re.compile(r".*_temp(?:_[0-9a-f]{32})?")
_TEMP_PART = re.compile(r"part-\d+-of-\d+\..+", re.DOTALL)
_RUN_ID = re.compile(rb"^run_(?:id|uuid)[ \t]*:[ \t]*\S", re.MULTILINE)
_DELETED = re.compile(rb"^lifecycle_stage[ \t]*:[ \t]*['\"]?deleted['\"]?[ \t]*\r?$", re.MULTILINE)
_TRASH = ".trash"  # where MLflow's store of files moves an experiment that was deleted
_META = "meta.yaml"
_META_LIMIT = 64 * 1024
_DEEPEST = 64
_by_name = itemgetter(0)
_SIGNED = 4  # the first fields of FileStat: those of its identity


def look(store: Store, folder: str) -> Listing:
    """List a folder. OSError where the folder itself cannot be listed; problems of its members stand in the listing."""
    times, listed_at = [("", store.folder_time(folder))], time.monotonic()
    members = store.members(folder)
    files, problems, outside = list(members.files), list(members.problems), [*members.outside]
    inner_links = list(members.inner_links)
    subfolders: list[str] = []
    names = {file[0] for file in files}
    shapes = [(spec.format, spec.as_folder) for spec in SPECS if spec.as_folder is not None]
    own = {name for _, shape in shapes for name in shape.absorbed(store, folder, names, members.subfolders)}
    for name in members.subfolders:
        if name in SKIPPED or is_temp(name):
            continue
        if name in own or _is_temp(store, join(folder, name), name):
            _absorb(store, folder, name, _Absorbed(files, times, problems, outside, inner_links), _DEEPEST)
        else:
            subfolders.append(name)
    mlflow = _mlflow_run(store, folder, names)
    return Listing(
        folder=folder,
        files=tuple(sorted(files, key=_by_name)),
        subfolders=tuple(sorted(subfolders)),
        folder_times=tuple(times),
        is_run_marker=mlflow is not None or _is_marker(folder, members, names),
        is_named_run=_is_named(store, folder, members),
        problems=tuple(problems),
        outside=tuple(sorted(link for link in outside if link.name not in SKIPPED)),
        inner_links=tuple(sorted(name for name in inner_links if name not in SKIPPED)),
        is_deleted_run=bool(mlflow),
        confirmed=frozenset(form for form, shape in shapes if _is_confirmed(store, shape, names, folder, members)),
        listed_at=listed_at,
    )


def closed(folder: str, error: PermissionError) -> Listing:
    """The listing of a folder that may not be looked into: nothing, and whose right is missing."""
    never = ("", 0)  # no time that a folder has, so that it is looked at again each time
    return Listing(folder=folder, files=(), subfolders=(), folder_times=(never,), closed=told_permission(error))


def folder_formats(listing: Listing) -> frozenset[Format]:
    """The formats of which the folder itself is a checkpoint: a SavedModel, an Orbax step, finished or not, or a bundle
    without a name in a folder that is named as a save.
    """
    names = {file.name for file in listing.files}
    return frozenset(
        spec.format
        for spec in SPECS
        if spec.as_folder is not None
        and (spec.format in listing.confirmed or spec.as_folder.confirm is None)
        and (
            spec.as_folder.is_one(names, listing.folder)
            or (spec.format in listing.confirmed and spec.as_folder.is_remnant is not None)
        )
    )


def _is_confirmed(store: Store, shape: FolderShape, names: Collection[str], folder: str, members: Members) -> bool:
    if shape.is_remnant is not None and shape.is_remnant(store, folder, names, members.subfolders):
        return True
    return shape.confirm is not None and shape.is_one(names, folder) and shape.confirm(store, folder)


def signature(listing: Listing) -> str:
    """Changes when a file comes, goes, is renamed, rewritten or replaced. 32 hexadecimal digits."""
    columns = tuple(zip(*listing.files, strict=True))[:_SIGNED]
    if listing.outside:
        columns = (*columns, tuple(map(tuple, listing.outside)))
    if listing.closed is not None:
        columns = (*columns, ("closed",))
    if listing.inner_links:
        columns = (*columns, listing.inner_links)
    # marshal is the fastest way to bytes; its version 2 writes equal values as equal bytes
    return hashlib.blake2b(marshal.dumps(columns, 2), digest_size=16).hexdigest()


def _is_temp(store: Store, place: str, name: str) -> bool:
    """Whether a folder is a save's temporary one, by its name and by all that it holds: people use that ending too."""
    if not _TEMP_FOLDER.fullmatch(name):
        return False
    try:
        members = store.members(place)
    except OSError:
        return False
    return not members.subfolders and all(_TEMP_PART.fullmatch(file.name) for file in members.files)


class _Absorbed(NamedTuple):
    """What a listing gathers from the folders that it absorbs."""

    files: list[FileStat]
    times: list[tuple[str, int]]
    problems: list[Problem]
    outside: list[OutwardLink]
    inner_links: list[str]


def _absorb(store: Store, folder: str, below: str, found: _Absorbed, depth: int) -> None:
    place = join(folder, below)
    try:
        found.times.append((below, store.folder_time(place)))
        members = store.members(place)
    except FileNotFoundError:
        return
    except OSError as error:
        found.problems.append(Problem(path=to_text(place), problem=error.strerror or str(error)))
        return
    found.files.extend(file._replace(name=f"{below}/{file.name}") for file in members.files)
    found.outside.extend(link._replace(name=f"{below}/{link.name}") for link in members.outside)
    found.inner_links.extend(f"{below}/{name}" for name in members.inner_links)
    found.problems.extend(members.problems)
    if members.subfolders and depth == 0:
        too_deep = f"more than {_DEEPEST} folders deep: not read further"
        found.problems.append(Problem(path=to_text(place), problem=too_deep))
        return
    for name in members.subfolders:
        _absorb(store, folder, f"{below}/{name}", found, depth - 1)


def _is_named(store: Store, folder: str, members: Members) -> bool:
    """Whether a job has named this folder as its run."""
    if HIDDEN not in members.subfolders:
        return False
    try:
        return any(file.name == NAMED for file in store.members(join(folder, HIDDEN)).files)
    except OSError:
        return False


def _is_marker(folder: str, members: Members, names: set[str]) -> bool:
    """Whether this folder says of itself that it is a run, beside MLflow's file."""
    if "resume_manifest.json" in names or any(name in (".waypoint", ".guild") for name in members.subfolders):
        return True
    return is_trial(folder, names)


def _mlflow_run(store: Store, folder: str, names: set[str]) -> bool | None:
    """Whether MLflow marks the run that a folder is as deleted, itself or its experiment; None where it is no run of
    MLflow's. Of its YAML two lines are looked at.
    """
    if _META not in names:
        return None
    try:
        text = store.read(join(folder, _META), _META_LIMIT)
    except OSError:
        return None
    if _RUN_ID.search(text) is None:
        return None
    return _DELETED.search(text) is not None or _TRASH in folder.split("/")

"""One folder at a time: what lies in it, and which subfolders belong to it.

A SavedModel's `variables` and `assets`, an Orbax checkpoint's whole tree, and TensorFlow's temp folders are absorbed
into the listing of the folder that they are part of, so that every unit lies in exactly one listing.
"""

import hashlib
import marshal
import re
import time
from collections.abc import Collection, Sequence
from operator import itemgetter

from core.fs.storage import Members, Storage
from core.model import FileStat, Listing, Problem
from core.scan.trial_names import is_trial
from waypoint_resume.atomic import is_temp
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN, NAMED

SKIPPED = frozenset({".git", ".venv", "node_modules", "site-packages", ".waypoint"})
SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
ORBAX_MARK = "_CHECKPOINT_METADATA"
ORBAX_TEMP = ".orbax-checkpoint-tmp"
ORBAX_TREE = "_METADATA"
_ORBAX_OWN = frozenset({ORBAX_MARK, "commit_success.txt"})
_ARRAY = ".zarray"
_MSGPACK = "checkpoint"  # in which T5X and early Orbax keep a tree beside its arrays
_NUMBERED = re.compile(r"(?:.*_)?\d+", re.DOTALL)  # how a CheckpointManager names its steps
NAMELESS_INDEX = ".index"  # of a bundle whose prefix ends in a slash
_SAVE_WORDS = frozenset("checkpoint ckpt cp chkpt model weights step global epoch iter iteration batch save".split())  # noqa: SIM905
_MOST_ITEMS = 64
OWN_FILES = frozenset({"resume_manifest.json"})
_SAVED_MODEL_FOLDERS = frozenset({"variables", "assets", "assets.extra", "debug"})
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
    owner = _absorbs(folder.rpartition("/")[2], names)
    if owner is not None and _is_unmarked_step(storage, folder, names, members.subfolders):
        owner = None
    for name in members.subfolders:
        if name in SKIPPED or is_temp(name):
            continue
        if owner is None or name in owner or _is_temp(storage, join(folder, name), name):
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
        listed_at=listed_at,
    )


def folder_units(names: Collection[str], folder: str) -> bool:
    """Whether the folder itself is a checkpoint: a SavedModel, an Orbax step, finished or not, or a bundle without a
    name (its prefix ended in a slash) in a folder that is named as a save.
    """
    if is_orbax(names, folder) or any(name in names for name in SAVED_MODEL_FILES):
        return True
    return NAMELESS_INDEX in names and is_named_as_save(folder.rpartition("/")[2])


def is_named_as_save(name: str) -> bool:
    """Whether a folder's name is that of one save of several, such as `ckpt-3` or `step_100`."""
    words = frozenset(re.split(r"[^a-z]+", name.lower())) - {""}
    return any(letter.isdigit() for letter in name) and words <= _SAVE_WORDS


def is_orbax(names: Collection[str], folder: str) -> bool:
    """Whether a folder is an Orbax step or a tree that Orbax saved, by its files and those that it absorbed."""
    if ORBAX_MARK in names or ORBAX_TREE in names or ORBAX_TEMP in folder.rpartition("/")[2]:
        return True
    inside = [name for name in names if "/" in name]
    if any(name.endswith(f"/{ORBAX_TREE}") and name.count("/") == 1 for name in inside):
        return True
    return _MSGPACK in names and any(name.endswith(f"/{_ARRAY}") for name in inside)


def signature(listing: Listing) -> str:
    """Changes when a file comes, goes, is renamed, rewritten or replaced. 32 hexadecimal digits."""
    columns = tuple(zip(*listing.files, strict=True))[:_SIGNED]
    if listing.outside:
        columns = (*columns, tuple(sorted(listing.outside)))
    # marshal is the fastest way to bytes; its version 2 writes equal values as equal bytes
    return hashlib.blake2b(marshal.dumps(columns, 2), digest_size=16).hexdigest()


def _absorbs(folder_name: str, names: set[str]) -> frozenset[str] | None:
    """Names of the subfolders that belong to this folder; None means all."""
    if ORBAX_MARK in names or ORBAX_TREE in names or ORBAX_TEMP in folder_name:
        return None
    if any(name in names for name in SAVED_MODEL_FILES):
        return _SAVED_MODEL_FOLDERS
    return frozenset()


def _is_unmarked_step(storage: Storage, folder: str, names: set[str], subfolders: Sequence[str]) -> bool:
    """Whether a folder is a step of early Orbax or T5X, which have no mark: its name ends with a number, and it holds
    trees and nothing else, or arrays beside their tree.
    """
    if not subfolders or not _NUMBERED.fullmatch(folder.rpartition("/")[2]):
        return False
    inner = [join(folder, name) for name in subfolders[:_MOST_ITEMS]]
    if _MSGPACK in names and names <= {_MSGPACK, *_ORBAX_OWN}:
        return any(_has(storage, place, _ARRAY) for place in inner)
    if not names <= _ORBAX_OWN:
        return False
    items = [place for place in inner if _has(storage, place, ORBAX_TREE)]
    # What was saved by itself into a folder of this one bears its own mark: then this one is a run, not a step.
    return bool(items) and not any(_has(storage, place, ORBAX_MARK) for place in items)


def _has(storage: Storage, folder: str, name: str) -> bool:
    try:
        storage.stat(join(folder, name))
    except OSError:
        return False
    return True


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

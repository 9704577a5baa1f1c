"""What state files name, and the answer that TensorFlow would draw from one.

Source: tensorflow/python/checkpoint/checkpoint_management.py; tests compare with tf.train.latest_checkpoint.
"""

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.base.names import real_path
from core.base.records import Checkpoint, StateFile
from core.formats.path_pattern import expression, is_pattern
from core.formats.registry import formats_where
from core.formats.state_file import NAME, base_of, is_misspelled

NAMEABLE = formats_where(lambda spec: spec.in_state_files)  # what a state file can name


_INDEX = ".index"


def is_nameable(item: Checkpoint) -> bool:
    """Whether a state file can name a checkpoint: no folder's bundle without a name can be found by one."""
    return item.format in NAMEABLE and item.path != item.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `tf.train.latest_checkpoint` gives for a folder: a path relative to the root, None, or an error."""

    latest: str | None = None
    error: str | None = None


def target(state: StateFile, written: str, root_path: str) -> str | None:
    """A path written in a state file, relative to the root; None where it leads out of the root.

    A job may have been told the root by another name than Waypoint: one of them may be a link to the other.
    """
    folder = posixpath.dirname(state.path)
    if not posixpath.isabs(written):
        inside = posixpath.normpath(posixpath.join(folder, written))
        return None if inside == ".." or inside.startswith("../") else inside
    wanted = posixpath.normpath(written)
    for root in (posixpath.normpath(root_path), real_path(root_path)):
        if wanted.startswith(root.rstrip("/") + "/"):
            return wanted[len(root) :].lstrip("/")
    return None


def named_prefixes(state: StateFile, root_path: str) -> frozenset[str]:
    """Every checkpoint inside the root that a state file names, relative to the root."""
    inside = (target(state, path, root_path) for path in (state.latest, *state.history) if path)
    return frozenset(path for path in inside if path is not None)


def needed_prefixes(state: StateFile, root_path: str) -> frozenset[str]:
    """What a state file names, relative to the root, that has to stay for it: all that does not lie beside it, and what
    one of another name than `checkpoint` (`best_dev_checkpoint`) names as its latest: somebody chose it, no rotation.
    Where the run was copied or moved, that is the one of this name beside it too.
    """
    folder = posixpath.dirname(state.path)
    found = {path for path in named_prefixes(state, root_path) if posixpath.dirname(path) != folder}
    if state.latest is not None and posixpath.basename(state.path) != NAME:
        chosen = (target(state, state.latest, root_path), posixpath.join(folder, base_of(state.latest)))
        found.update(path for path in chosen if path is not None)
    return frozenset(found)


def tensorflow_answer(state: StateFile, root_path: str, existing: Collection[str]) -> Answer:
    """What TensorFlow would answer; `existing` are the prefixes in the root that have an index (or are V1 files).

    A path out of the root is not looked at: the answer is then unknown and says so.
    """
    if state.error is not None:
        return Answer(error=state.error)
    if state.unreadable is not None or state.latest is None:
        return Answer()
    inside = target(state, state.latest, root_path)
    if inside is None:
        return Answer(error=f"The state file names {state.latest}, outside of the root: not looked at")
    written = (
        state.latest
        if posixpath.isabs(state.latest)
        else posixpath.join(root_path, posixpath.dirname(state.path), state.latest)
    )
    if is_pattern(written):  # TensorFlow takes the path for a glob pattern
        pattern = expression(posixpath.normpath(written) + _INDEX)  # with it: a last backslash quotes the dot
        places = (posixpath.join(root_path, prefix) + _INDEX for prefix in existing)
        matches = pattern is not None and any(pattern.fullmatch(place) for place in places)
        return Answer(latest=inside if matches else None)
    # Any file will do, `ckpt-2.index` too: it is found, and cannot be restored.
    found = posixpath.join(posixpath.dirname(inside), base_of(inside)) if is_misspelled(state.latest) else inside
    return Answer(latest=inside if found in existing and not state.latest.endswith("/") else None)


def lies_here_too(state: StateFile, written: str, root_path: str, existing: Collection[str]) -> bool:
    """Whether a path leads to another folder although a checkpoint of that name lies beside the state file.

    The run was moved, or copied: with an absolute path its next job would go on with, and rotate, the files of the
    original. A relative path, or one of Windows, leads nowhere.
    """
    here = posixpath.join(posixpath.dirname(state.path), base_of(written))
    inside = target(state, written, root_path)
    if here not in existing or inside == here:
        return False
    has_folder = "/" in written.rstrip("/") or "\\" in written
    return posixpath.isabs(written) or (has_folder and inside is not None and inside not in existing)


def meant(state: StateFile, written: str, existing: Collection[str]) -> str | None:
    """The checkpoint beside the state file that a path means which names one of its files, or ends in a slash."""
    here = posixpath.join(posixpath.dirname(state.path), base_of(written))
    return here if is_misspelled(written) and here in existing else None


def prefixes(checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
    """What TensorFlow's state files can name: bundles that have an index, and V1 files."""
    return frozenset(item.path for item in checkpoints if item.format in NAMEABLE)


def wanted_prefixes(states: Sequence[StateFile], root_path: str) -> frozenset[str]:
    """Every prefix inside the root that some state files name, or would name if their run had been moved here."""
    found: set[str] = set()
    for state in states:
        folder = posixpath.dirname(state.path)
        written = (path for path in (state.latest, *state.history) if path)
        found |= named_prefixes(state, root_path)
        found |= {posixpath.join(folder, base_of(path)) for path in written}
    return frozenset(found)

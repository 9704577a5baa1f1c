"""A save that a kill ended between TensorFlow's only part of it and the last rename.

TensorFlow writes a bundle as `PREFIX_temp/part-00000-of-00001`, and only then gives it its name. Where that part is the
only one it is a bundle itself, with every tensor and its checksum, which tf.train.Checkpoint restores by the part's
prefix. So the first save of a training is not lost: where nothing else can be restored, a start goes on from its part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.checkpoints import Found, found_at
from waypoint_resume.eligible import manager_prefix
from waypoint_resume.live import Live
from waypoint_resume.run_tree import RunTree

PART = "part-00000-of-00001"
WHY_KILLED = "no manifest, and nothing else can be restored"
_FILES = frozenset({f"{PART}.index", f"{PART}.data-00000-of-00001"})
_TEMP = "_temp"


def killed_saves(tree: RunTree, live: Live) -> list[Found]:
    """The only parts of saves that were not renamed, the newest first; with a manager those of its own saves."""
    found = [item for item in _parts_in(tree) if _is_of_manager(tree.run / item.path, tree.run, live)]
    return sorted(found, key=lambda item: (item.saved, item.path), reverse=True)


def name_of_save(path: str) -> str:
    """The path that a checkpoint would have had: `ckpt-1` of a part in `ckpt-1_temp`; that of any other is its own."""
    folder, _, name = path.rpartition("/")
    return folder.rpartition(_TEMP)[0] or path if name == PART else path


def is_killed_save(path: str) -> bool:
    """Whether a path is that of a part in a save's temporary folder."""
    return name_of_save(path) != path


def told_of_killed(path: str) -> str:
    """What a start says that goes on from a part."""
    return (
        f"{path} is what a kill left of the save of {name_of_save(path)}, before TensorFlow gave it its name. It is "
        "whole, and nothing else can be restored: training goes on from it, and it stays where it is."
    )


def _parts_in(tree: RunTree) -> Iterator[Found]:
    for here, _, _ in tree.walk():
        for folder in tree.temp_saves(here):
            if _is_only_part(tree.names_in(folder)):
                yield found_at(tree.run, folder / PART, "tf-bundle", folder / f"{PART}.index")


def _is_only_part(names: set[str]) -> bool:
    """Whether the part is there and no other is; what a write of it was about to replace it with is none."""
    return names >= _FILES and all(name.startswith(f"{PART}.") for name in names)


def _is_of_manager(part: Path, run: Path, live: Live) -> bool:
    if live.manager is None:
        return True
    place, own = manager_prefix(run, live.manager)
    save = Path(name_of_save(str(part)))
    return save.parent == place and own.fullmatch(save.name) is not None

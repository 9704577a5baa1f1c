"""A save that a kill ended between TensorFlow's only part of it and the last rename.

TensorFlow writes a bundle as `PREFIX_temp/part-00000-of-00001`, and only then gives it its name. Where that part is the
only one it is a bundle itself, with every tensor and its checksum, which tf.train.Checkpoint restores by the part's
prefix. So the first save of a training is not lost: where nothing else can be restored, a start goes on from its part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.checkpoints import PART, Found, found_at, is_killed_save, name_of_save
from waypoint_resume.claim import Decision
from waypoint_resume.eligible import manager_prefix
from waypoint_resume.identity import identity_of
from waypoint_resume.kept import drop_kept, keep_files, kept_in
from waypoint_resume.live import Live
from waypoint_resume.run_tree import RunTree

WHY_KILLED = "no manifest, and nothing else can be restored"
_OWN = "killed-save"  # how the ids of copies begin
_FILES = frozenset({f"{PART}.index", f"{PART}.data-00000-of-00001"})


def killed_saves(tree: RunTree, home: Path, live: Live) -> list[Found]:
    """The only parts of saves that were not renamed, the newest first; with a manager those of its own saves. Then the
    copies in the `home` of those that a start went on from, for a job that saves under one name writes over its part.
    """
    found = [item for item in _parts_in(tree) if _is_of_manager(item.path, tree.run, live)]
    found.sort(key=lambda item: (item.saved, item.path), reverse=True)
    copies = [item for item in kept_in(home) if is_killed_save(item.path)]
    own = [item for item in copies if item.is_whole() and _is_of_manager(item.path, tree.run, live)]
    return [*found, *(Found(item.path_from(tree.run), item.format, 0.0) for item in own)]


def keep_killed(decision: Decision, path: str) -> str | None:
    """Keep a copy of the part that a start goes on from, until another save stands. Says why not where it cannot."""
    try:
        own = f"{_OWN}-{identity_of(decision.run, path).digest}"
    except OSError as error:
        return f"{path} is not kept aside ({error})."
    return keep_files(decision, path, "tf-bundle", [f"{path}.{name.partition('.')[2]}" for name in sorted(_FILES)], own)


def drop_killed(home: Path) -> None:
    """Another save stands: the copies go."""
    for item in kept_in(home):
        if is_killed_save(item.path):
            drop_kept(item)


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


def _is_of_manager(part: str, run: Path, live: Live) -> bool:
    if live.manager is None:
        return True
    place, own = manager_prefix(run, live.manager)
    save = run / name_of_save(part)
    return save.parent == place and own.fullmatch(save.name) is not None

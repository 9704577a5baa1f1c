"""A fresh start: only where nothing lies that training could go on from, or all of it is proven damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoint_files import files_of
from waypoint_resume.checkpoints import Found, is_killed_save
from waypoint_resume.claim import Decision
from waypoint_resume.damage import SHARD, bundle_prefix, damage_of, is_pointer, packed_part
from waypoint_resume.errors import MismatchError, ResumeError, os_errors_as_resume_errors
from waypoint_resume.files import LONG, read_record
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.ids import uuid7
from waypoint_resume.inventory import DOT_BUNDLE, ORBAX_UNFINISHED, RENAMED_INDEX, RENAMED_SHARD, lying_in
from waypoint_resume.journal import CLEARING, JOURNAL, REWOUND
from waypoint_resume.layout import is_inner
from waypoint_resume.lock import decisions_lock
from waypoint_resume.manifest import FORMATS
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.run_tree import RunTree
from waypoint_resume.setting_aside import Reason, SettingAside
from waypoint_resume.unseen import (
    PACKED,
    TEMP_SAVE,
    closed_folders_in,
    dead_links_in,
    packed_reason,
    remains_in,
    temp_reason,
)

_WAY_OUT = (
    "Restore one of them with what wrote it, or name another folder. With fresh=True the job starts anew: all of this "
    f"is set aside first, and {on_the_dashboards_machine('undo RUN')} brings it back."
)


@dataclass
class PassedOver:
    """A checkpoint that a start did not take, and why, as a clause. `error` is None for one that is proven damaged."""

    path: str
    reason: str
    error: ResumeError | None

    def __str__(self) -> str:
        cannot = ", it cannot be restored" if self.error is None else ""
        return f"{self.path} is passed over{cannot}: {self.reason}"


def judge_failure(path: Path, name: str, kind: str, error: Exception) -> PassedOver:
    """What an exception of a framework over a checkpoint means: damage only where the file's structure says so."""
    said = str(error).partition("\n")[0] or type(error).__name__
    if "Failed to find any matching files" in str(error) and _index_of(path, kind).is_file():
        said = (
            f"TensorFlow takes a character in {path} for a pattern (as in [1] or \\), and finds nothing there: rename "
            "the folder or the file, or name the run through a link without such characters"
        )
        return _whole(name, f"{said}.")
    other = _judged(path, name, kind)
    if other is not None:
        return other
    return _whole(name, f"it does not fit: {type(error).__name__}: {said}")


def _behind_links(tree: RunTree) -> list[PassedOver]:
    """Linked folders of the run that hold checkpoints elsewhere: no start looks for them behind the link."""
    found = []
    for here, folders, _ in tree.walk():
        for path in (here / name for name in folders if (here / name).is_symlink()):
            target = Path(os.path.realpath(path))
            if target.is_relative_to(tree.run) or next(lying_in(target), None) is None:
                continue
            name = path.relative_to(tree.run).as_posix()
            found.append(_whole(name, f"it is a link to {target}, where checkpoints lie: name that folder as the run."))
    return found


def require_nothing_lost(tree: RunTree, passed: Sequence[PassedOver], told: list[str]) -> None:
    """ResumeError where a fresh start would stand beside whole checkpoints; what is damaged is told."""
    run = tree.run
    known = {os.path.dirname(item.path) if is_killed_save(item.path) else item.path for item in passed}
    whole = [item for item in passed if item.error is not None]
    for found in lying_in(run, tree):
        if found.path in known:
            continue
        known.add(found.path)
        other = _unused(run / found.path, found.path, found.format)
        if other.error is None:
            told.append(str(other))
        else:
            whole.append(other)
    for name, target, is_named in dead_links_in(tree):
        unseen = f"it is a link to {target}, where nothing is: mount or mend it, or take the link away."
        whole += [_whole(name, unseen)] if is_named else []
        told += [] if is_named else [f"{name} is passed over: it is a link to {target}, where nothing is"]
    for name, why, is_named in closed_folders_in(tree):
        whole += [_whole(name, f"it cannot be listed: {why}.")] if is_named else []
        told += [] if is_named else [f"{name} is passed over: it cannot be listed: {why}"]
    told += remains_in(tree, known)
    raise_for_whole(run, [*whole, *_behind_links(tree)], _WAY_OUT)


def raise_for_whole(run: Path, passed: Sequence[PassedOver], way_out: str) -> None:
    """ResumeError with each one's reason where checkpoints that are not proven damaged were passed over."""
    whole = [item for item in passed if item.error is not None]
    if not whole:
        return
    lines = [f"{item.path}: {item.reason}" for item in whole]
    mismatch = next((item.error for item in whole if isinstance(item.error, MismatchError)), None)
    if mismatch is not None:
        others = [line for line, item in zip(lines, whole) if item.error is not mismatch]
        raise MismatchError(mismatch.name, mismatch.differences, [*mismatch.more, *others, way_out])
    raise ResumeError(
        "\n  ".join([f"{run}: no fresh start beside checkpoints that it would not use; nothing was loaded:", *lines])
        + f"\n{way_out}"
    )


def _unused(path: Path, name: str, kind: str) -> PassedOver:
    """Something that this job does not look at: why, or that it is damaged."""
    other = _judged(path, name, kind)
    if other is not None:
        return other
    if kind == ORBAX_UNFINISHED:
        reason = "it is a whole Orbax save that was never renamed: renamed to its step it can be restored."
    elif kind == PACKED:
        reason = packed_reason(path)
    elif kind == TEMP_SAVE:
        reason = temp_reason(path, name)
    elif kind == DOT_BUNDLE:
        reason = (
            "its name is a dot, which no path can tell from its folder: rename its files (..index to ckpt.index …)."
        )
    elif kind == RENAMED_SHARD:
        reason = "it is a shard under another name, and its index is there: let its name end with …-of-NNNNN again."
    elif kind == RENAMED_INDEX:
        reason = "it is a bundle's index under another name: give it the name of its shards, and .index."
    else:
        reason = f"it is of a kind ({kind}) that this job does not restore, or bears a name that hides it."
    return _whole(name, reason)


def _judged(path: Path, name: str, kind: str) -> PassedOver | None:
    """What its own bytes say of a checkpoint: that it is damaged, that it lies elsewhere, that it cannot be read."""
    try:
        if any(is_pointer(part) for part in _parts_of(path, kind)):
            return _whole(name, "it is a pointer of Git LFS: git lfs pull brings its content.")
        if (packed := packed_part(_prefix_of(path, kind))) is not None:
            return _whole(name, f"{packed}.")
        damage = None if kind in (RENAMED_INDEX, RENAMED_SHARD, DOT_BUNDLE, PACKED) else damage_of(path, kind)
    except OSError as problem:
        return _whole(name, f"it cannot be read: {problem.strerror or problem}.")
    return None if damage is None else PassedOver(name, damage, None)


def _prefix_of(path: Path, kind: str) -> str:
    """The prefix of the bundle that a checkpoint of these formats is, or holds; else its own path."""
    inner = path / "variables" / "variables" if kind == "saved-model" else path
    return bundle_prefix(inner) if kind == "tf-bundle" else str(inner)


def _whole(name: str, reason: str) -> PassedOver:
    return PassedOver(name, reason, ResumeError(f"{name}: {reason}"))


def _index_of(path: Path, kind: str) -> Path:
    """The file of a checkpoint that its reader opens first."""
    if kind == "tf-bundle":
        return Path(f"{bundle_prefix(path)}.index")
    return path / "variables" / "variables.index" if kind == "saved-model" else path


def _parts_of(path: Path, kind: str) -> list[Path]:
    """The files of a checkpoint any of which may be a pointer to its content."""
    parts = [_index_of(path, kind)]
    if not kind.startswith("orbax"):  # of many files, and never taken for damaged by what is in them
        with contextlib.suppress(ValueError):  # a list of shards that names other places
            parts += [path.parent / name for name in files_of(path.parent, Found(path.name, kind, 0.0))]
    return parts


class ClearingWay(SettingAside):
    """Everything that a fresh start could save over; or, beside weights that are taken alone (the reason's pick), all
    else of the same run.
    """

    def items(self) -> Iterator[dict[str, Any]]:
        """The checkpoints of any format, and shards without an index."""
        seen: set[str] = set()
        tree = RunTree(self.run)
        for found in lying_in(self.run, tree):
            if not self._is_in_the_way(found.path):
                continue
            files = [name for name in files_of(self.run, found) if name not in seen]
            seen.update(files)
            known = found.format if found.format in FORMATS else None
            kind = "checkpoint" if known else "leftover"
            yield self.item_of(kind, to_text(found.path), known, "in the way of a fresh start", files)
        for here, _, names in tree.walk():
            for name in (name for name in names if SHARD.fullmatch(name)):
                path = (here / name).relative_to(self.run).as_posix()
                if path not in seen and self._is_in_the_way(path):
                    yield self.item_of("leftover", to_text(path), None, "in the way of a fresh start", [path])

    def _is_in_the_way(self, path: str) -> bool:
        """Whether a training that begins with the pick's weights could save over it: it lies beside the pick, or in a
        folder that is a part of the run by its name. Other folders may be other trainings'.
        """
        if self.reason.pick is None:
            return True
        folder = os.path.dirname(path)
        beside = folder == os.path.dirname(self.reason.pick)
        return path != self.reason.pick and (beside or all(map(is_inner, filter(None, folder.split("/")))))


def clear_the_way(decision: Decision, beside: Found | None = None) -> tuple[str, ...]:
    """Set aside all that a fresh start could save over, and return its paths, relative to the run; with `beside`, whose
    weights are taken alone, all but that one. One that a kill left half-done is completed. ResumeError where something
    cannot be moved; then nothing was.
    """
    moved: list[str] = []
    own = frozenset[str]() if beside is None else frozenset(files_of(decision.run, beside))
    pick, form = (None, None) if beside is None else (beside.path, beside.format)
    with os_errors_as_resume_errors(decision.run), decisions_lock(decision.home):
        begun = [path.parent.name for path in half_done_clearings(decision.run)]
        for batch in [*begun, str(uuid7())]:
            reason = Reason(
                id=batch, by=decision.job, note=CLEARING, job=decision.job, pick=pick, format=form, files=own
            )
            clearing = ClearingWay(decision.run, reason)
            if batch in begun or any(item["files"] for item in clearing.items()):
                decision.batch = batch
                moved += [item["path"] for item in clearing.carry_out()["items"]]
    return tuple(moved)


def half_done_clearings(run: Path) -> list[Path]:
    """The journals of those whose job was killed while it moved files."""
    paths = sorted((run / HIDDEN / REWOUND).glob(f"*/{JOURNAL}"))
    records = ((path, read_record(path, LONG) or {}) for path in paths)
    return [path for path, found in records if (found.get("stage"), found.get("note")) == ("moving", CLEARING)]

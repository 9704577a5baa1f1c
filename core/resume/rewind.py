"""The plan of a rewind: what the job sets aside when it claims, right before it loads. Version 1; docs/resume.md.

`<home>/.waypoint/rewound/<manifest id>.plan.json` is whole on the disk before its manifest is. It holds what was known
when somebody chose. `since_ns` is the time of the newest file that was known then: a checkpoint with a newer file was
saved later, and the job sets it aside too, but for what `stays` names and what lies in an inner run.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.base.errors import CoreError, PlaceError
from core.base.facts import Format
from core.base.records import Checkpoint
from core.formats.registry import spec_of
from core.resume import restoring
from core.resume.modes import Aside
from core.runfolder.places import hidden_folder, read_small, relative_to_run
from waypoint_resume.atomic import write_atomic
from waypoint_resume.journal import PLAN_SPEC, REWOUND
from waypoint_resume.names import join, to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.spec import read_document

VERSION = 1
_END = ".plan.json"
_LIMIT = 1 << 28


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanItem(_Part):
    """A checkpoint, or a file that BackupAndRestore wrote beside one; paths are text, relative to the run, the files in
    the order in which they go.
    """

    kind: Literal["checkpoint", "leftover"]
    path: str
    format: Format | None
    reason: str
    files: tuple[str, ...]


class RewindPlan(_Part):
    """The whole document; `since_ns` is a time since the epoch. `stays` are the checkpoints that were known and are not
    planned, `inner` the folders of runs inside this one; text, relative to the run.
    """

    version: int
    manifest: str
    since_ns: int
    items: tuple[PlanItem, ...]
    stays: tuple[str, ...]
    inner: tuple[str, ...]


def make_plan(
    folder: Path,
    manifest_id: str,
    checkpoint: Checkpoint,
    asides: Sequence[Aside],
    known_ns: int,
    *,
    stays: Sequence[Checkpoint],
    inner: Collection[str] = (),
) -> RewindPlan:
    """What goes when a job claims this manifest; BackupAndRestore's files are looked for in `folder`, the run's.
    `known_ns` is the time of the newest file of the run that is known, `stays` are the checkpoints that are known and
    do not go, `inner` the folders of other runs inside this one, relative to it.
    """
    items = [_item(aside) for aside in asides]
    named = {path for item in items for path in item.files}
    picked = {_local(checkpoint, file.name) for file in checkpoint.files}
    backups = {aside.checkpoint.folder: aside for aside in asides if restoring.is_backup(aside.checkpoint)}
    items += [item for aside in backups.values() for item in _beside(folder, aside) if item.path not in named | picked]
    since_ns = max(0, min(known_ns, time.time_ns()))  # a file from the future would hide all that comes later
    return RewindPlan(
        version=VERSION,
        manifest=manifest_id,
        since_ns=since_ns,
        items=tuple(items),
        stays=tuple(sorted(to_text(relative_to_run(item.path, item.run)) for item in stays)),
        inner=tuple(sorted(map(to_text, inner))),
    )


def write_plan(home: Path, plan: RewindPlan) -> Path:
    """Write a plan, synced. Only under the lock of `home`."""
    hidden_folder(home, REWOUND)
    path = plan_path(home, plan.manifest)
    write_atomic(path, plan.model_dump_json(indent=1).encode() + b"\n")
    return path


def read_plan(home: Path, manifest_id: str) -> RewindPlan:
    """The plan of a manifest. FileNotFoundError where there is none, CoreError where it cannot be understood."""
    path = plan_path(home, manifest_id)
    try:
        document, problems = read_document(read_small(path, _LIMIT), _LIMIT, PLAN_SPEC)
        if not problems and document["manifest"] == manifest_id:
            return RewindPlan.model_validate(document)
        reason = str(problems[0]) if problems else f"it is about the manifest {document['manifest']}"
    except FileNotFoundError:
        raise
    except (OSError, PlaceError) as error:
        reason = str(error)
    raise CoreError(f"{to_text(str(path))} cannot be understood: {reason}. Hand the checkpoint over again.")


def plan_path(home: Path, manifest_id: str) -> Path:
    """Where a manifest's plan lies in one of its run's homes."""
    return home / HIDDEN / REWOUND / f"{manifest_id}{_END}"


def _item(aside: Aside) -> PlanItem:
    checkpoint = aside.checkpoint
    names = sorted((file.name for file in checkpoint.files), key=spec_of(checkpoint.format).moving_order)
    return PlanItem(
        kind="checkpoint",
        path=to_text(relative_to_run(checkpoint.path, checkpoint.run)),
        format=checkpoint.format,
        reason=aside.reason,
        files=tuple(_local(checkpoint, name) for name in names),
    )


def _beside(folder: Path, aside: Aside) -> Iterator[PlanItem]:
    """Files of BackupAndRestore that belong to no checkpoint of its: its metadata, its state file."""
    for name in restoring.backup_names(aside.checkpoint):
        path = relative_to_run(join(aside.checkpoint.folder, name), aside.checkpoint.run)
        place = folder / path
        if place.is_file() and not place.is_symlink():
            text = to_text(path)
            yield PlanItem(kind="leftover", path=text, format=None, reason=aside.reason, files=(text,))


def _local(checkpoint: Checkpoint, name: str) -> str:
    """A checkpoint's file, relative to its run, as text."""
    return to_text(relative_to_run(join(checkpoint.folder, name), checkpoint.run))

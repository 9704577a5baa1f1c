"""The three ways to go on from a checkpoint: which are possible, what each does, and what a rewind sets aside. Pure."""

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.base.records import Checkpoint, Run
from core.base.sizes import size_text
from core.formats.registry import spec_of
from core.resume import restoring
from core.resume.cautions import name, named, newer, reasons
from core.resume.copies import free_name
from core.resume.manifest import Mode
from core.runs.series_order import COPIED_WITHIN_NS, times_are_useless
from waypoint_resume.names import from_text, join, to_text

# Two saves of the same moment, where no pace tells how far apart those of different moments are.
_TOGETHER = timedelta(microseconds=COPIED_WITHIN_NS // 1000)
_NOTHING_NEWER = "Nothing is newer, and nothing would override it."
_UNUSUAL = re.compile(r"[^\w.+=-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A checkpoint that a rewind sets aside, and why, as a sentence's end."""

    checkpoint: Checkpoint
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a mode does, in a sentence or two; where it is not possible, why."""

    mode: Mode
    possible: bool
    consequence: str


def outlooks(
    checkpoint: Checkpoint,
    members: Sequence[Checkpoint],
    run: Run,
    taken: Collection[str] = (),
    *,
    is_writable: bool = True,
    weights_only: bool = False,
) -> tuple[Outlook, Outlook, Outlook]:
    """Continue, rewind and fork, in this order; `members` as for `propose`, `taken` as for `fork_name`. Where the run's
    folder is not `is_writable` the job may run as somebody who can write there. `weights_only`: a training begins anew
    with the weights alone, and would save over all that lies there.
    """
    asides = set_aside(checkpoint, members, weights_only=weights_only)
    later = [item for item in newer(checkpoint, members) if item.restorable]
    new = to_text(join(posixpath.dirname(run.path), from_text(fork_name(checkpoint, taken))))
    stays = "stay as they are" if run.path == "." else f"{to_text(run.path)} stays as it is"
    cannot: dict[Mode, str] = {}
    does = {
        Mode.CONTINUE: "Goes on from the latest; nothing is moved.",
        Mode.REWIND: " ".join([_rewound(asides), *_needed(is_writable=is_writable)]),
        Mode.FORK: f"The new run {new} gets a copy; {stays}, byte for byte.",
    }
    if not checkpoint.restorable:
        cannot = dict.fromkeys(Mode, f"It cannot be restored: {reasons(checkpoint)}.")
    elif (unnamed := _unnameable(checkpoint)) is not None:
        cannot = dict.fromkeys(Mode, unnamed)
    elif weights_only and (refused := restoring.refused_by_client(checkpoint)) is not None:
        cannot = dict.fromkeys(Mode, f"Nothing takes its weights alone: {refused}.")
    else:
        if weights_only and asides:
            cannot[Mode.CONTINUE] = (
                f"The new training counts from 0, and would save over {named([aside.checkpoint for aside in asides])}: "
                "fork leaves them, rewind sets them aside."
            )
        elif weights_only:
            does[Mode.CONTINUE] = "A new training begins in this run; nothing is moved."
        elif later:
            others = "rewind sets them aside" if run.path == "." else "rewind sets them aside, fork leaves them"
            cannot[Mode.CONTINUE] = f"Newer ones can be restored ({named(later)}): {others}."
        elif not checkpoint.is_latest and newer(checkpoint, members):
            does[Mode.CONTINUE] = "Goes on from the latest that can be restored; nothing is moved."
        if not asides:
            cannot[Mode.REWIND] = "Nothing else lies there." if weights_only else _NOTHING_NEWER
        if run.path == ".":
            cannot[Mode.FORK] = "The run is its root: there is no place beside it."
    looks = [Outlook(mode=mode, possible=mode not in cannot, consequence=cannot.get(mode, does[mode])) for mode in Mode]
    return looks[0], looks[1], looks[2]


def _unnameable(checkpoint: Checkpoint) -> str | None:
    """Why no path can name a checkpoint to a job; None where one does. TensorFlow saves as `.`, into `..index`."""
    index = f"{posixpath.basename(checkpoint.path)}.index"
    if index not in {"..index", "...index"} or index not in {file.name for file in checkpoint.files}:
        return None
    return (
        f"No path names it to a job, for its name is dots alone: rename {index} to ckpt.index, and its data likewise."
    )


def proposed(looks: Sequence[Outlook], asides: Sequence[Aside], run: Run, *, weights_only: bool = False) -> Mode:
    """The mode that is right for most: nothing is moved under a live job, nothing overrides the pick, and a training
    that begins anew with its weights (`weights_only`) gets a run of its own.
    """
    possible = {look.mode for look in looks if look.possible}
    has_backup = any(restoring.is_backup(aside.checkpoint) for aside in asides)
    order = [Mode.CONTINUE, Mode.REWIND, Mode.FORK]
    if weights_only:
        order = [Mode.FORK, Mode.CONTINUE, Mode.REWIND]
    elif run.status == "live":
        order = [Mode.CONTINUE, Mode.FORK, Mode.REWIND]
    elif has_backup:
        order = [Mode.REWIND, Mode.CONTINUE, Mode.FORK]
    return next((mode for mode in order if mode in possible), Mode.CONTINUE)


def set_aside(
    checkpoint: Checkpoint, members: Sequence[Checkpoint], *, weights_only: bool = False
) -> tuple[Aside, ...]:
    """What a rewind to a checkpoint sets aside: what comes after it, and BackupAndRestore's data, which would override
    it whatever their age. What other callbacks saved at the same time as the pick belongs to it and stays, and so does
    what is only listed: no job goes on from it. With `weights_only` all others go, for a training that counts from 0
    would save over them.
    """
    if weights_only:
        known = (item for item in members if spec_of(item.format).is_resumable)
        others = (item for item in known if item.path != checkpoint.path)
        return tuple(Aside(checkpoint=item, reason="a training that counts anew would save over it") for item in others)
    later = newer(checkpoint, members)
    found = [Aside(checkpoint=item, reason=f"newer than {name(checkpoint)}") for item in later]
    useless = times_are_useless(members)
    for item in members:
        if item.path == checkpoint.path or item in later or not spec_of(item.format).is_resumable:
            continue
        if restoring.is_backup(item):
            if not restoring.is_backup(checkpoint):
                reason = f"BackupAndRestore's, would override {name(checkpoint)}"
                found.append(Aside(checkpoint=item, reason=reason))
        elif item.series != checkpoint.series and _comes_after(item, checkpoint, later, members, useless=useless):
            found.append(Aside(checkpoint=item, reason=f"saved after {name(checkpoint)}"))
    return tuple(found)


def fork_name(checkpoint: Checkpoint, taken: Collection[str] = ()) -> str:
    """A name, as text, for a fork's folder beside the run that is none of those taken (as they stand on the disk)."""
    step = checkpoint.facts.step
    start = name(checkpoint) if step is None else str(step.value)
    ending = f"-from-{_UNUSUAL.sub('-', start)}"
    return free_name(posixpath.basename(to_text(checkpoint.run)), ending, lambda found: found in taken)


def _comes_after(
    item: Checkpoint, pick: Checkpoint, later: Sequence[Checkpoint], members: Sequence[Checkpoint], *, useless: bool
) -> bool:
    """Whether a checkpoint of another series belongs to what came after the pick.

    Callbacks save one after the other: what lies closer to the pick than to the next of the pick's series was saved
    with it. Where there is no next one the pace of earlier saves stands in for it, and the step must be a later one.
    """
    steps = item.facts.step, pick.facts.step
    is_later = steps[0] is not None and steps[1] is not None and steps[0].value > steps[1].value
    if useless:
        return is_later
    distance = item.saved_at - pick.saved_at
    if distance <= timedelta():
        return False
    following = [other.saved_at - pick.saved_at for other in later if other.saved_at > pick.saved_at]
    if following:
        return distance >= min(following) / 2
    return is_later and distance >= (_pace(pick, members) or _pace(item, members) or _TOGETHER * 2) / 2


def _pace(item: Checkpoint, members: Sequence[Checkpoint]) -> timedelta | None:
    """The time since the save before it in its series; None for the first."""
    gaps = [item.saved_at - other.saved_at for other in members if other.series == item.series]
    return min((gap for gap in gaps if gap > timedelta()), default=None)


def _needed(*, is_writable: bool) -> Iterator[str]:
    """What a rewind needs of the job and its surroundings."""
    if not is_writable:
        yield "The job must be able to write in the run's folder, which cannot be written from here."


def _rewound(asides: Sequence[Aside]) -> str:
    """The sentence of a rewind: what goes, the checkpoints and BackupAndRestore's data each with their bytes."""
    backups = [aside.checkpoint for aside in asides if restoring.is_backup(aside.checkpoint)]
    items = [aside.checkpoint for aside in asides if not restoring.is_backup(aside.checkpoint)]
    subjects = [_counted(items)] if items else []
    if backups:
        size = size_text(sum(item.bytes for item in backups))
        subjects.append(f"BackupAndRestore's data ({size}){'' if items else ', which would override it,'}")
    are = "are" if len(subjects) > 1 or len(items) > 1 else "is"
    return f"{' and '.join(subjects)} {are} set aside when the job claims it, and can be brought back."


def _counted(items: Sequence[Checkpoint]) -> str:
    size = size_text(sum(item.bytes for item in items))
    count = f"{len(items):,} checkpoint{'s' if len(items) != 1 else ''}"
    steps = sorted(item.facts.step.value for item in items if item.facts.step is not None)
    if len(steps) < len(items):
        return f"{count} ({size})"
    if steps[0] == steps[-1]:
        return f"Step {steps[0]:,} ({count}, {size})"
    return f"Steps {steps[0]:,}–{steps[-1]:,} ({count}, {size})"

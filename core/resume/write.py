"""Writing a manifest: nothing is handed over that a restore would choke on, and no former manifest is ever lost.

In this order, under a lock: the files are looked at once more, the plan of a rewind is written, the log gets its line,
the former manifest is linked into `.waypoint/manifests/`, and the new one is renamed over it. A kill in between leaves
the old one or the new one, and never one that rewinds without its plan.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from core.base.errors import NotRestorableError, ReadOnlyError
from core.base.names import printable
from core.base.records import Checkpoint
from core.resume.cautions import reasons
from core.resume.content import listed_files, require_unchanged
from core.resume.errors import ConfirmError, ManifestError, ModeError, NotAcceptedError
from core.resume.manifest import Check, Manifest, ManifestCheckpoint, ManifestFile, Mode, Scalar, parse, to_json
from core.resume.propose import Proposal
from core.resume.rewind import make_plan, write_plan
from core.runfolder.places import hidden_folder, log, read_small, relative_to_run
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import link_aside, remove_stale, write_atomic
from waypoint_resume.ids import uuid7
from waypoint_resume.manifest import LIMIT, VERSION
from waypoint_resume.names import to_text
from waypoint_resume.places import MANIFEST

FORMER = "manifests"


def write_manifest(  # noqa: PLR0913 - all that is handed over has a name
    run_folder: RunFolder,
    checkpoint: Checkpoint,
    proposal: Proposal,
    *,
    actor: str,
    note: str,
    accepted: Sequence[str],
    now: datetime,
    overrides: Mapping[str, Scalar] | None = None,
    confirm: str = "",
    inner: Collection[str] = (),
) -> tuple[Manifest, Path]:
    """Hand a checkpoint over in its own run: the manifest and where it was written. `accepted` are the ids of accepted
    warnings, `confirm` the run's path as text, which the rewind of a live run needs, `inner` the runs inside this one,
    relative to it, which a rewind leaves alone.

    Raises NotRestorableError with the reasons, NotAcceptedError with every warning left, ModeError, ConfirmError,
    ChangedError naming files that are not what was indexed, ReadOnlyError, BusyError, PlaceError, ManifestError (actor
    or note too long, an override of a wrong kind).
    """
    if proposal.mode is Mode.FORK:
        raise ValueError("a fork is written by core.resume.fork")
    require_accepted(checkpoint, proposal, accepted)
    folder = run_folder.folder
    if proposal.mode is Mode.REWIND:
        _require_confirmed(run_folder, proposal, confirm)
    require_unchanged(folder, checkpoint)
    files = listed_files(folder, checkpoint)
    try:
        with run_folder.locked() as home:
            require_unchanged(folder, checkpoint)
            manifest = manifest_of(
                checkpoint, proposal, files, run=checkpoint.run, actor=actor, note=note, now=now, overrides=overrides
            )
            if manifest.mode is Mode.REWIND:
                asides, known_ns = proposal.asides, proposal.known_ns
                stays = proposal.stays
                plan = make_plan(folder, manifest.id, checkpoint, asides, known_ns, stays=stays, inner=inner)
                about = {"manifest": manifest.id, "items": [item.path for item in plan.items]}
                log(home, actor=manifest.created_by, event="plan rewind", now=now, about=about)
                write_plan(home, plan)
            replace_manifest(home, manifest, actor=actor, now=now)
    except PermissionError as error:
        raise ReadOnlyError(f"{to_text(str(error.filename or folder))} cannot be written: {error.strerror}.") from error
    return manifest, home / MANIFEST


def replace_manifest(home: Path, manifest: Manifest, *, actor: str, now: datetime) -> None:
    """Put a manifest in its place and keep the former one. Only for the one that holds the lock of `home`."""
    target = home / MANIFEST
    remove_stale(target)
    kept = _former(home)
    about = {"manifest": manifest.id, "checkpoint": manifest.checkpoint.path, "former": kept.name if kept else None}
    log(home, actor=manifest.created_by, event="write manifest", now=now, about=about)
    try:
        if kept is not None:
            link_aside(target, kept)
        write_atomic(target, to_json(manifest).encode())
    except OSError as error:
        failed = {"manifest": manifest.id, "error": str(error)}
        log(home, actor=actor, event="write manifest failed", now=now, about=failed)
        raise


def require_accepted(checkpoint: Checkpoint, proposal: Proposal, accepted: Sequence[str]) -> None:
    """NotRestorableError, ModeError or NotAcceptedError for what must not be handed over as proposed."""
    if (proposal.root, proposal.path) != (checkpoint.root, checkpoint.path):
        raise ValueError("the proposal is about another checkpoint")
    name = to_text(checkpoint.path)
    if not checkpoint.restorable:
        raise NotRestorableError(f"{name} cannot be restored: {reasons(checkpoint)}.")
    look = proposal.outlook(proposal.mode)
    if not look.possible:
        others = " or ".join(other.mode.value for other in proposal.outlooks if other.possible)
        raise ModeError(
            f"{name}: {look.mode.value} is not possible. {look.consequence} Possible: {others or 'nothing'}."
        )
    left = [caution for caution in proposal.warnings if caution.id not in accepted]
    if left:
        lines = [f"{caution.id}: {caution.text}" for caution in left]
        raise NotAcceptedError("\n  ".join([f"Not accepted for {name}:", *lines]))


def _require_confirmed(run_folder: RunFolder, proposal: Proposal, confirm: str) -> None:
    run = to_text(run_folder.run)
    if (proposal.is_live or run_folder.has_job()) and confirm != run:
        raise ConfirmError(
            f"The run {run!r} is live: a rewind would take checkpoints from under its job. Make sure that it has ended,"
            f" and confirm with the run's name {run!r}, not {confirm!r}."
        )


def manifest_of(  # noqa: PLR0913 - the fields that come from elsewhere
    checkpoint: Checkpoint,
    proposal: Proposal,
    files: tuple[ManifestFile, ...],
    *,
    run: str,
    actor: str,
    note: str,
    now: datetime,
    overrides: Mapping[str, Scalar] | None = None,
    checks: Sequence[Check] = (),
) -> Manifest:
    """The manifest, read back from its own text: what is written is what `parse` takes. `run` is the one that takes it.

    ManifestError names what it does not take.
    """
    facts, items = checkpoint.facts, proposal.restore.items
    whole = to_text(relative_to_run(checkpoint.path, checkpoint.run))
    unchanged = Check(name="unchanged", ok=True, detail=f"{_have(files)} the size and time that was indexed")
    chosen = ManifestCheckpoint.model_construct(
        path=items[0] if items is not None and len(items) == 1 else whole,
        format=checkpoint.format,
        contents=facts.contents,
        step=facts.step.value if facts.step else None,
        epoch=facts.epoch.value if facts.epoch else None,
        saved_at=checkpoint.saved_at,
        files=files,
        variables_fingerprint=facts.fingerprint,
    )
    draft = Manifest.model_construct(
        version=VERSION,
        id=str(uuid7()),
        created_at=now,
        created_by=printable(actor),
        note=printable(note),
        run=to_text(run),
        checkpoint=chosen,
        restore=proposal.restore,
        mode=proposal.mode,
        overrides=dict(overrides or {}),
        checks=(*proposal.checks, unchanged, *checks),
        warnings_accepted=tuple(caution.id for caution in proposal.warnings),
    )
    return parse(to_json(draft))


def _have(files: Sequence[ManifestFile]) -> str:
    return "1 file has" if len(files) == 1 else f"{len(files):,} files have"


def _former(home: Path) -> Path | None:
    """Under which name the manifest that is about to be replaced is kept; None when there is none.

    Its id names it; one that cannot be read, or whose id already names other bytes, is named by its hash.
    """
    target = home / MANIFEST
    if not os.path.lexists(target):
        return None
    data = read_small(target, LIMIT)
    digest = hashlib.sha256(data).hexdigest()[:16]
    folder = hidden_folder(home, FORMER)
    try:
        name = parse(data).id
    except ManifestError:
        return folder / f"unreadable-{digest}.json"
    kept = folder / f"{name}.json"
    if os.path.lexists(kept) and read_small(kept, LIMIT) != data:
        return folder / f"{name}-{digest}.json"
    return kept

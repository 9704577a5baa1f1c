"""Checkpoints read to their last byte: doing it, keeping what came of it, and the last result."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.base.records import Checkpoint
from core.catalog import verified
from core.catalog.rows import from_us, to_us
from core.catalog.verified import VerifiedRow
from core.health.subject import identity
from core.services.workspace import Workspace
from core.verify import run as running
from core.verify.results import Outcome, Verification, from_document, to_document
from core.verify.run import Progress

__all__ = ["Outcome", "Progress", "Verification", "keep_verification", "verification", "verify"]


def verify(
    workspace: Workspace,
    checkpoint: Checkpoint,
    watch: Callable[[Progress], None] = lambda _progress: None,
    *,
    restore: bool = False,
) -> Verification:
    """Read every byte of a checkpoint now and keep the result; with `restore` the library that restores it reads every
    value as well.
    """
    found = running.verify(workspace.root(checkpoint.root).path, checkpoint, watch=watch, restore=restore)
    keep_verification(workspace, checkpoint, found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The last verification of a checkpoint; `holds` is False when one of its files changed since."""

    verification: Verification
    finished_at: datetime
    holds: bool


def keep_verification(workspace: Workspace, checkpoint: Checkpoint, result: Verification) -> None:
    """Keep a verification; the next pass judges the run anew. One that was cancelled or failed says nothing and is not
    kept.
    """
    if result.outcome not in (Outcome.VERIFIED, Outcome.DAMAGED):
        return
    row = VerifiedRow(identity(result.files), to_us(result.finished_at), json.dumps(to_document(result)))
    with workspace.engine.begin() as connection:
        verified.store_verification(connection, checkpoint, row)


def verification(workspace: Workspace, checkpoint: Checkpoint) -> Kept | None:
    """The last verification of a checkpoint."""
    with workspace.engine.connect() as connection:
        row = verified.load_verification(connection, checkpoint)
    if row is None:
        return None
    holds = row.identity == identity(checkpoint.files)
    found = from_document(json.loads(row.detail))
    return Kept(verification=found, finished_at=from_us(row.finished_us), holds=holds)

"""Manifests of a state as a table, what may be done with one, and what came of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from core.services.manifests import Claim, Manifest, ManifestEntry, reinstate_manifest, withdraw_manifest
from pages.parts.frame import acting, links, reads, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import shown
from pages.parts.tables import tables
from pages.parts.tables.tables import Column

Placed = tuple[str, str, ManifestEntry]  # root id, run, manifest
_WIDTH = 110  # pixels of what may be long, so that all columns are seen
# What a person accepted, in a few words; a test holds these ids against those of core.resume.cautions.
ACCEPTED = {
    "newer-not-restorable": "newer ones cannot be restored",
    "closed-folders": "a newer one may lie where nobody may look",
    "contents-unknown": "contents not known",
    "findings": "findings about its files",
    "written-by-keras-2": "written by Keras 2",
    "optimizer-restarts": "optimizer starts anew",
    "weights-alone": "the weights alone, everything else begins anew",
    "optimizer-needs-build": "optimizer must be built before the restore",
    "legacy-hdf5": "Keras 3 may refuse the file",
    "optimizer-not-tried": "optimizer's return not tried",
    "step-unknown": "step not known",
    "epoch-unknown": "epoch not known for sure",
    "other-series": "other series are not handed over",
    "best-metric": "best metric so far not known to a new job",
    "run-is-live": "the run was live",
    "backup-pairs": "BackupAndRestore may pair weights and epoch wrongly",
    "backup-overrides": "BackupAndRestore may override it",
    "not-in-the-file": "random state, data position and callbacks are in no checkpoint",
}


def table(entries: Sequence[Placed], now: datetime, *, key: str) -> None:
    """Manifests of one state, the newest first; a name opens its run. `key` is the state."""
    of_jobs = _of_jobs(now) if any(item[2].claim for item in entries) else ()
    columns = (
        Column[Placed](head="run", cell=lambda item: shown(links.run_name(item[1])), name=True),
        Column[Placed](head="checkpoint", cell=lambda item: shown(item[2].manifest.checkpoint.path)),
        Column[Placed](head="step", cell=lambda item: fmt.number(item[2].manifest.checkpoint.step), right=True),
        Column[Placed](head="mode", cell=lambda item: mode(item[2].manifest)),
        *of_jobs,
        Column[Placed](head="by", cell=lambda item: shown(item[2].manifest.created_by)),
        Column[Placed](head="note", cell=lambda item: shown(item[2].manifest.note), width=_WIDTH if of_jobs else None),
        Column[Placed](head="handed over", cell=lambda item: fmt.ago(item[2].manifest.created_at, now)),
    )
    opens = (links.RUN, lambda item: links.run_query(item[0], item[1]))
    tables.show(columns, entries[: tables.PAGE_ROWS], key=key, alt="Manifests, one a row", opens=opens)
    if len(entries) > tables.PAGE_ROWS:
        st.caption(f"The newest {tables.PAGE_ROWS:,} of {len(entries):,}.")


def mode(manifest: Manifest) -> str:
    """How the job goes on, in a few words."""
    return f"{manifest.mode.value}, weights alone" if manifest.restore.weights_only else manifest.mode.value


def _of_jobs(now: datetime) -> tuple[Column[Placed], ...]:
    """The columns about who took it."""

    def told(item: Placed) -> Claim:
        return item[2].claim or Claim()

    return (
        Column[Placed](head="job", cell=lambda item: shown(told(item).job or fmt.NONE), width=_WIDTH),
        Column[Placed](head="host", cell=lambda item: shown(told(item).host or fmt.NONE), width=_WIDTH),
        Column[Placed](head="claimed", cell=lambda item: fmt.ago(told(item).claimed_at, now)),
        Column[Placed](head="finished", cell=lambda item: fmt.ago(told(item).finished_at, now)),
    )


def withdraw(root: str, run: str, manifest_id: str, is_claimed: bool) -> None:
    """Take a manifest back; for the callback of a button. `is_claimed`: a job has claimed it."""
    take = partial(withdraw_manifest, service.workspace(), root, run, manifest_id)
    act(take, "Withdrawn: jobs leave it alone.", undo=partial(reinstate, root, run, manifest_id, is_claimed))


def reinstate(root: str, run: str, manifest_id: str, is_claimed: bool) -> None:
    """Undo that; `is_claimed`: a job had claimed it."""
    again = "it is claimed again, and its job goes on when it is started again"
    if not is_claimed:
        again = "it is pending again, and the next job that reads it resumes from there"
    act(lambda: reinstate_manifest(service.workspace(), root, run, manifest_id), f"Undone: {again}.")


def act(action: Callable[[], object], done: str, *, undo: Callable[[], None] | None = None) -> None:
    """Do something with manifests, and answer with what came of it; for the callback of a button."""
    acting.act(action, done, undo=undo, looks=False)
    reads.pending_count.clear()

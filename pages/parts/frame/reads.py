"""What pages read: the records that the URL names, and the files of one checkpoint, kept for a while."""

from dataclasses import dataclass, replace
from typing import NoReturn

import streamlit as st

from core.base.errors import CoreError, NotFoundError
from core.base.facts import Facts, Variable
from core.base.files import Problem
from core.base.records import Checkpoint, Root, Run
from core.services import manifests
from core.services.checkpoints import inspect
from core.services.manifests import ManifestEntry, ManifestState, all_manifests
from core.services.missing_runs import why_no_run
from core.services.resume import Heartbeat, run_heartbeat
from core.services.survey import (
    PlacedBatch,
    RunKey,
    Survey,
    batch_stamps,
    may_have_batches,
    newest_first,
    placed_batches,
)
from core.services.sweeps import Sweep
from pages.parts.frame import frame, links, service
from waypoint_resume.names import short_id, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A checkpoint's files as read just now: its facts and variables, or why they cannot be read."""

    facts: Facts | None
    variables: tuple[Variable, ...] = ()
    error: str | None = None


def asked_run() -> tuple[Root, Run]:
    """The root and run that the URL names; otherwise the page says "not found" and stops."""
    workspace = service.workspace()
    root_id, path = links.asked("root"), links.asked("run")
    if not root_id or not path:
        frame.not_found("The link names no run.")
    try:
        root = workspace.root(root_id)
    except NotFoundError:
        frame.not_found(f"No root {root_id[:80]!r} is configured.")
    try:
        return root, workspace.reader.run(root_id, path, workspace.now())
    except NotFoundError:
        why = why_no_run(workspace.engine, [root], path)
        frame.not_found(f"No run {to_text(path)[:200]!r} was found below {to_text(root.path)}. {why}")


def asked_sweep() -> Sweep:
    """The sweep that the URL names; otherwise the page says "not found" and stops."""
    root, path = links.asked("root"), links.asked("sweep")
    found = service.workspace().sweeps.sweep(root, "" if path == "." else path) if root and path else None
    if found is None:
        frame.not_found(f"No sweep {to_text(path)[:200]!r} was found.")
    return found


def asked_checkpoint(root: Root, run: Run) -> Checkpoint:
    """The checkpoint of this run that the URL names; otherwise the page says "not found" and stops."""
    path = links.asked("path")
    try:
        checkpoint = service.workspace().reader.checkpoint(root.id, path)
    except NotFoundError:
        _no_checkpoint(path, run)
    if checkpoint.run != run.path:
        _no_checkpoint(path, run)
    return checkpoint


def inspection(checkpoint: Checkpoint) -> Inspection:
    """What the checkpoint's files hold; read again when one of them changed."""
    stamps = tuple((file.name, file.size, file.mtime_ns, file.inode) for file in checkpoint.files)
    return _inspect(short_id(checkpoint.root, checkpoint.path, repr(stamps)), checkpoint)


def pending(root: str, run: str) -> ManifestEntry | None:
    """The manifest of a run that waits for its job."""
    entry = unfinished(root, run)
    return entry if entry is not None and entry.state is ManifestState.PENDING else None


def unfinished(root: str, run: str) -> ManifestEntry | None:
    """The manifest of a run that waits for its job, or that a job claimed and has not finished."""
    try:
        return manifests.unfinished(service.workspace(), root, run)
    except CoreError:
        return None  # the run's folder went away: the next look at the disk says so


def heartbeat(root: str, run: str) -> Heartbeat | None:
    """Whether a job lives in a run; None too where the run's folder went away: the next look at the disk says so."""
    try:
        return run_heartbeat(service.workspace(), root, run)
    except (CoreError, OSError):
        return None


def survey() -> Survey:
    """What is known of disk space, with the batches that lie there now: a job sets aside without a word."""
    workspace, known = service.workspace(), service.current().survey
    places = {*may_have_batches(workspace), *((one.root, one.run) for one in known.batches)}
    found: list[PlacedBatch] = []
    problems = list(known.problems)
    for place in places:
        here, unread = batches(place)
        found += here
        problems += [problem for problem in unread if problem not in problems]
    return replace(known, batches=newest_first(found), problems=tuple(problems))


def batches(place: RunKey) -> tuple[list[PlacedBatch], list[Problem]]:
    """The batches of a run, and what cannot be understood among them; read again when one of them changed."""
    return _batches(place, batch_stamps(service.workspace(), place))


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def pending_count(roots: tuple[str, ...]) -> int:  # noqa: ARG001 - the cache compares it
    """How many manifests of these roots wait for a job, as of a minute ago: it is asked of every run's folder."""
    return sum(item[2].state.value == "pending" for item in all_manifests(service.workspace()))


# For a minute at most: what lies in a batch can go without its journal.
@st.cache_resource(ttl=60, max_entries=10_000, show_spinner=False)
def _batches(place: RunKey, stamps: object) -> tuple[list[PlacedBatch], list[Problem]]:  # noqa: ARG001 - as below
    return placed_batches(service.workspace(), [place])


@st.cache_resource(max_entries=32, show_spinner="Reading the checkpoint's files…")
def _inspect(key: str, _checkpoint: Checkpoint) -> Inspection:  # noqa: ARG001 - the cache compares it
    try:
        facts, variables = inspect(service.workspace(), _checkpoint)
    except CoreError as error:
        return Inspection(facts=None, error=str(error))
    except OSError as error:
        return Inspection(facts=None, error=f"{to_text(str(error.filename or ''))}: {error.strerror}")
    return Inspection(facts=facts, variables=variables)


def _no_checkpoint(path: str, run: Run) -> NoReturn:
    frame.not_found(f"No checkpoint {to_text(path)[:200]!r} was found in the run {to_text(run.path)}.")

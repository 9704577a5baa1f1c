"""What a start is to follow: the lease taken, the manifest claimed. Imports no TensorFlow."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import make_folder
from waypoint_resume.checkpoints import USELESS_SPAN, find_checkpoints
from waypoint_resume.claim import CLAIMS, ENDING_FIELDS, Decision, claim, claimant
from waypoint_resume.clock import disk_now, moment_text, seconds_of
from waypoint_resume.damage import damage_of
from waypoint_resume.errors import ResumeError, RunIsBusy, os_errors_as_resume_errors
from waypoint_resume.file_names import read_name
from waypoint_resume.files import LONG, read_record, write_record
from waypoint_resume.fit_mark import mark_in
from waypoint_resume.handed_over import find_handed
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.jobs import job_id
from waypoint_resume.journal import CLEARING, JOURNAL, REWOUND
from waypoint_resume.kept_state import find_state
from waypoint_resume.layout import decided_below, run_of
from waypoint_resume.lease import Lease
from waypoint_resume.lock import decisions_lock
from waypoint_resume.manifest import check_files, takes_weights_only
from waypoint_resume.names import from_text
from waypoint_resume.places import HIDDEN, MANIFEST, NAMED, decision_homes, hidden_folder, writable_home
from waypoint_resume.requests import RequestBox
from waypoint_resume.temps import clean_hidden
from waypoint_resume.version import __version__
from waypoint_resume.waiting import wait_for_run, wait_seconds


def decide(
    run_dir: str | os.PathLike[str],
    *,
    take_over: bool = False,
    fresh: bool = False,
    weights_only: bool = False,
    wait: float | None = None,
    require: Callable[[Mapping[str, Any]], None] = lambda _manifest: None,
    follows: bool = True,
) -> Decision:
    """Take the run's lease and claim its manifest. Imports no TensorFlow, loads nothing.

    `fresh`: the job begins anew, so that a manifest that hands it a checkpoint is refused instead of claimed.
    `weights_only`: it begins with the weights of a checkpoint alone. Without `follows` only the lease is taken: a
    manifest is for the job's next start.
    While another job holds the run it waits up to `wait` seconds (WAYPOINT_WAIT if None), and says so; then RunIsBusy.
    ResumeError for a manifest that cannot be followed, which is then not claimed: nor is one about which `require`
    raises it.
    """
    decision = undecided(run_dir)
    with os_errors_as_resume_errors(decision.run):
        wait_for_run(
            lambda: _decide_now(
                decision, require if follows else None, take_over=take_over, fresh=fresh, weights_only=weights_only
            ),
            decision.run,
            wait_seconds(wait),
        )
    return decision


def _decide_now(
    decision: Decision,
    require: Callable[[Mapping[str, Any]], None] | None,
    *,
    take_over: bool,
    fresh: bool,
    weights_only: bool,
) -> None:
    with decisions_lock(decision.home):
        lease = Lease(decision.home)
        lease.take(take_over=take_over)
        decision.lease, decision.requests = lease, RequestBox(decision.home, decision_homes(decision.run))
        try:
            _name_run(decision)
            clean_hidden(decision.home)
            decision.requests.refuse_older()
            if require is not None:
                _follow(decision, require, fresh=fresh, weights_only=weights_only)
        except BaseException:
            lease.release()
            decision.lease = None
            raise


def _name_run(decision: Decision) -> None:
    """Leave the sign that a job has named this folder as its run, so that it is one run for the dashboard too."""
    path = decision.home / HIDDEN / NAMED
    if not path.exists():
        named = {"version": 1, "job": decision.job, "client": __version__, "decisions": decided_below(decision.run)}
        write_record(path, {**named, "named_at": moment_text(disk_now(path.parent))})


def undecided(run_dir: str | os.PathLike[str]) -> Decision:
    """Return the run, the home of its decisions and the job, with nothing taken yet."""
    named = Path(os.path.abspath(run_dir))
    real = Path(os.path.realpath(named))
    with os_errors_as_resume_errors(real):
        if not real.is_dir():
            make_folder(real)
        run = run_of(real)
        decision = Decision(run=run, home=writable_home(run, decision_homes(run)), job=job_id(), named=named)
    if (decision.home / HIDDEN).is_symlink():
        raise ResumeError(f"{decision.home / HIDDEN} is a link: no decisions are kept behind it. Nothing was loaded.")
    return decision


def _follow(
    decision: Decision, require: Callable[[Mapping[str, Any]], None], *, fresh: bool, weights_only: bool
) -> None:
    handed = find_handed(decision.run)
    manifest = None if handed is None else handed.manifest
    if fresh and manifest is not None:
        raise ResumeError(
            f"fresh=True, and the manifest {manifest['id']} hands this job a checkpoint, "
            f"{manifest['checkpoint']['path']}: withdraw it, or leave fresh=True out. Nothing was changed."
        )
    _require_whole(decision.run, manifest, clears=fresh or weights_only or takes_weights_only(manifest))
    if handed is None or manifest is None:
        return
    decision.base, homes = handed.base, decision_homes(handed.base)
    decision.claim_home = decision.home if handed.base == decision.run else writable_home(handed.base, homes)
    with contextlib.ExitStack() as stack:
        if decision.claim_home != decision.home:
            stack.enter_context(decisions_lock(decision.claim_home))
        _take(decision, require, manifest, handed.claim)


def _take(
    decision: Decision,
    require: Callable[[Mapping[str, Any]], None],
    manifest: dict[str, Any],
    held: dict[str, Any] | None,
) -> None:
    """Claim a manifest, or take the claim over that a dead job left."""
    home = decision.claim_home or decision.home
    if held is None:
        require(manifest)
        check_files(decision.run, manifest)
        _require_latest(decision, manifest)
        decision.claim = claim(home, manifest["id"], decision.job, manifest["checkpoint"]["path"])
        if decision.claim is None:
            raise RunIsBusy(f"Another job claimed the manifest {manifest['id']} a moment ago.")
    else:
        _require_not_undone(decision.run, manifest, held)
        # The lease is ours, so the job that claimed it is dead or was taken over: its claim is ours as well.
        own = claimant(uuid.uuid4().hex, decision.job)
        first = held.get("claimed_at") if seconds_of(held.get("claimed_at")) is not None else manifest["created_at"]
        kept = {name: value for name, value in held.items() if name not in (*ENDING_FIELDS, "restart")}
        decision.claim = {**kept, "manifest": manifest["id"], **own, "claimed_at": first}
        decision.is_restart = True
        write_record(hidden_folder(home, CLAIMS) / f"{manifest['id']}.claim", decision.claim)
    decision.manifest = manifest


def _require_latest(decision: Decision, manifest: Mapping[str, Any]) -> None:
    """ResumeError if something was saved beside the pick after it was handed over, which this job would save over."""
    if manifest["mode"] == "rewind":
        return  # sets it aside
    picked = manifest["checkpoint"]
    name = from_text(picked["path"])
    places = [home / MANIFEST for home in decision_homes(decision.base or decision.run)]
    handed = max(path.stat().st_mtime for path in places if path.exists())
    beside = [
        item.path
        for item in find_checkpoints(decision.run)
        if item.saved > handed - USELESS_SPAN  # some disks tell times in seconds
        and (item.format, os.path.dirname(item.path)) == (picked["format"], os.path.dirname(name))
        and read_name(os.path.basename(item.path)).order > read_name(os.path.basename(name)).order
        and not _is_damaged(decision.run / item.path, item.format)  # a save that a kill cut is nothing to be lost
        and not _is_of_another(decision, item.path, name)
    ]
    if beside:
        raise ResumeError(
            f"{', '.join(sorted(beside))}: saved after {picked['path']} was handed over, and this job would save over "
            "it. Hand over again: continue from the newest, or go back by a rewind or a fork. Nothing was claimed."
        )


def _is_of_another(decision: Decision, path: str, picked: str) -> bool:
    """Whether what is kept beside two checkpoints tells that callbacks under other names saved them."""
    one, other = (mark_in(find_state(decision, item, None).state) for item in (path, picked))
    return one is not None and other is not None and one.is_apart_from(other)


def _is_damaged(path: Path, kind: str) -> bool:
    with contextlib.suppress(OSError):
        return damage_of(path, kind) is not None
    return False


def _require_whole(run: Path, manifest: Mapping[str, Any] | None, *, clears: bool) -> None:
    """ResumeError while a rewind is half-done that this start does not complete: it would save over a half of it."""
    for path in sorted((run / HIDDEN / REWOUND).glob(f"*/{JOURNAL}")):
        is_own = manifest is not None and manifest["id"] == path.parent.name and manifest["mode"] == "rewind"
        found = read_record(path, LONG) or {}
        stage, is_own = found.get("stage"), is_own or (clears and found.get("note") == CLEARING)
        if stage == "undoing" or (stage == "moving" and not is_own):
            raise ResumeError(
                f"A rewind of {run} was left half-done ({stage}), and this job would save over a half of it. End that "
                f"first: {on_the_dashboards_machine(f'undo {run.name} {path.parent.name[-8:]}')}. Nothing was loaded."
            )


def _require_not_undone(run: Path, manifest: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """ResumeError if what a rewind set aside was brought back: this job would save over it."""
    journal = read_record(run / HIDDEN / REWOUND / str(manifest["id"]) / JOURNAL, LONG)
    if held.get("rewound_at") and journal is not None and journal.get("stage") in (None, "undone"):
        raise ResumeError(
            f"What the manifest {manifest['id']} set aside was brought back since, and this job would save over it. "
            "Withdraw the manifest, or hand a checkpoint over again. Nothing was loaded."
        )

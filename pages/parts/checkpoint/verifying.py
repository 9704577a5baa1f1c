"""Verifying: the last result, the button, and how far it is. The work is done by the server's verifier."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.base.records import Checkpoint, Root
from core.services import verifying
from core.services.checkpoints import spec_of
from core.services.verifying import Outcome, Verification
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.service import VerifyJob, VerifyState
from pages.parts.frame.text import md, shown
from pages.parts.tables import lists

EVERY = 1.0  # seconds between looks at a verification that runs
SHOWN = 10  # bad tensors that are listed
MEANING = (
    "Reads every byte once, in the background, and compares it with the checksums that were saved with it; weights and "
    "optimizer state must hold no NaN and no infinite value."
)
STARTED = "Being verified, in the background. Its place tells how far it is."
_KEPT = (Outcome.VERIFIED, Outcome.DAMAGED)


def of_checkpoint(root: Root, checkpoint: Checkpoint, now: datetime) -> None:
    """The last result of a checkpoint, and the button or the progress."""
    spec = spec_of(checkpoint.format)
    with frame.section("Verify"), st.container(border=True):
        if not spec.is_verified:
            st.markdown(f":material/help: Not told: {md(spec.not_verified)}.")
            return
        job = next(iter(_jobs(root, [checkpoint])), None)
        if job is not None and job.state is not VerifyState.DONE:
            _watched(root, (checkpoint,))
            return
        _result(checkpoint, job, now)
        label = f"Verify every byte ({fmt.size(checkpoint.bytes)})"
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(label, key="verify", icon=":material/verified:"):
                service.current().verifier.submit(root.path, checkpoint)
                st.toast(STARTED, icon=":material/verified:")
                st.rerun()
        st.caption(MEANING)


def of_run(root: Root, members: Sequence[Checkpoint]) -> None:
    """Verify all that a run can restore: the button with their bytes, or how far it is."""
    whole = tuple(item for item in members if item.restorable)
    if not whole:
        return
    jobs = _jobs(root, members)
    with frame.section("Verify"), st.container(border=True):
        if any(job.state is not VerifyState.DONE for job in jobs):
            _watched(root, tuple(members))
            return
        if jobs:
            _summary(jobs)
        total = fmt.size(sum(item.bytes for item in whole))
        what = "the one that can be restored" if len(whole) == 1 else f"all {len(whole):,} that can be restored"
        if st.button(f"Verify {what} ({total})", key="verify_all", icon=":material/verified:"):
            for item in whole:
                service.current().verifier.submit(root.path, item)
            st.toast(STARTED, icon=":material/verified:")
            st.rerun()
        st.caption(MEANING)


def _watched(root: Root, checkpoints: tuple[Checkpoint, ...]) -> None:
    """Progress, looked at again and again while it goes on."""
    st.fragment(_progress, run_every=EVERY)(root, checkpoints)


def _progress(root: Root, checkpoints: tuple[Checkpoint, ...]) -> None:
    jobs = [job for job in _jobs(root, checkpoints) if job.state is not VerifyState.DONE]
    if not jobs:
        st.rerun()
    running = next((job for job in jobs if job.state is VerifyState.RUNNING), None)
    waiting = [job for job in jobs if job.state is VerifyState.WAITING]
    if running is None:
        ahead = sum(job.state is not VerifyState.DONE for job in service.current().verifier.jobs()) - len(waiting)
        st.progress(0.0, text=f"Waits for {fmt.count(ahead, 'other verification')}." if ahead else "Starts…")
    else:
        _bar(running, waiting, name=len(checkpoints) > 1)
    if st.button("Cancel" if len(jobs) == 1 else f"Cancel all {len(jobs):,}", key="verify_cancel"):
        for job in reversed(jobs):
            service.current().verifier.cancel(job.id)
        st.rerun()


def _bar(running: VerifyJob, waiting: Sequence[VerifyJob], *, name: bool) -> None:
    done, total = running.progress.bytes_done, running.progress.bytes_total
    ahead = sum(job.checkpoint.bytes for job in waiting)
    left = running.progress.seconds_left
    if left is not None and done:
        left += ahead * running.progress.seconds / done
    item = running.checkpoint
    about = f"{md(links.local(item.path, item.run))}: " if name else ""
    text = f"{about}{fmt.size(done)} of {fmt.size(total)}" if total else f"{about}starts reading…"
    text += f", about {fmt.span(left)} left" if left is not None else ""
    text += f"; then {len(waiting):,} more ({fmt.size(ahead)})" if waiting else ""
    st.progress(min(1.0, done / total) if total else 0.0, text=text)


def _result(checkpoint: Checkpoint, job: VerifyJob | None, now: datetime) -> None:
    """The newest of what is kept and what the verifier just did."""
    kept = verifying.verification(service.workspace(), checkpoint)
    newest = None if job is None else job.verification
    if newest is not None and newest.outcome not in _KEPT:
        st.warning(f"Not verified, {fmt.ago(newest.finished_at, now)}: {md(newest.detail)}", icon=":material/warning:")
        newest = None
    if newest is None or (kept is not None and kept.finished_at > newest.finished_at):
        newest = None if kept is None else kept.verification
    if newest is None:
        known = " Its structure is whole; its bytes were not all read." if checkpoint.restorable else ""
        st.markdown(f":material/help: Not verified yet.{known}")
        return
    when = f"{fmt.ago(newest.finished_at, now)} ({fmt.exact(newest.finished_at)})"
    is_same = newest.holds_for(checkpoint.files)
    if newest.outcome is Outcome.VERIFIED:
        since = "" if is_same else " Its files changed since, so that this says nothing about them."
        look, icon = (st.success, ":material/verified:") if is_same else (st.warning, ":material/history:")
        look(f"Verified {when}. {md(newest.detail)}{since}", icon=icon)
    else:
        since = "" if is_same else " Its files changed since: verify it again."
        st.error(f"Damaged, found {when}. {md(newest.detail)}{since}", icon=":material/error:")
    _bad(newest)


def _bad(found: Verification) -> None:
    for problem in found.problems[:SHOWN]:
        with st.container(gap=None):
            st.markdown(f"**{md(problem.name.removesuffix(lists.TF_ENDING))}**")
            st.text(shown(problem.detail))
    if found.problem_count > SHOWN:
        st.caption(f"and {found.problem_count - SHOWN:,} more")
    if found.unverifiable:
        names = ", ".join(f"{name} ({why})" for name, why in found.unverifiable[:SHOWN])
        rest = found.unverifiable_count - min(SHOWN, len(found.unverifiable))
        st.caption(f"Could not be verified: {md(names)}{f' and {rest:,} more' if rest > 0 else ''}")


def _summary(jobs: Sequence[VerifyJob]) -> None:
    """What came of the run's verifications since the server started."""
    ends = [job.verification.outcome for job in jobs if job.verification is not None]
    told = [f"{ends.count(outcome):,} {outcome.value}" for outcome in Outcome if outcome in ends]
    is_good = set(ends) == {Outcome.VERIFIED}
    icon = ":green[:material/verified:]" if is_good else ":orange[:material/warning:]"
    rest = " What is damaged stands in the findings." if Outcome.DAMAGED in ends else ""
    st.markdown(f"{icon} Lately: {', '.join(told)}.{rest}")


def _jobs(root: Root, checkpoints: Sequence[Checkpoint]) -> list[VerifyJob]:
    """Those about these checkpoints, in order, of each only the last."""
    wanted = {item.path for item in checkpoints}
    mine = {
        job.checkpoint.path: job
        for job in service.current().verifier.jobs()
        if job.root_path == root.path and job.checkpoint.path in wanted
    }
    return list(mine.values())

"""Handing a checkpoint over: the button, and the dialog that shows what will be restored and every warning."""

from dataclasses import dataclass

import streamlit as st

from core.errors import CoreError
from core.fs.names import to_text
from core.model import Checkpoint, Severity
from core.resume.manifest import Manifest
from core.resume.propose import Proposal
from pages._shared import facts, findings, frame, links, reads, service
from pages._shared import format as fmt
from pages._shared.text import md, md_lines, shown

_STATE = "resuming"
_NOTE_LENGTH = 2_000


@dataclass(slots=True)
class _Asked:
    """The checkpoint that a dialog is open for, what was proposed, and once written the manifest and its file."""

    checkpoint: Checkpoint
    proposal: Proposal
    written: tuple[Manifest, str] | None = None


def button(checkpoint: Checkpoint, *, key: str) -> None:
    """The button "Resume…"; for a checkpoint that cannot be restored it is disabled and says why."""
    tip = None if checkpoint.restorable else md(why_not(checkpoint))
    pressed = st.button(
        "Resume…", key=key, icon=":material/play_circle:", type="primary", disabled=not checkpoint.restorable, help=tip
    )
    if pressed:
        proposal = service.workspace().propose(checkpoint)
        st.session_state[_STATE] = _Asked(checkpoint=checkpoint, proposal=proposal)


def why_not(checkpoint: Checkpoint) -> str:
    """Why a checkpoint cannot be resumed from."""
    found = [finding.reason for finding in checkpoint.findings if finding.severity is Severity.ERROR]
    return " ".join(["It cannot be restored.", *(found or ["Its files are not whole."])])


def dialog_if_asked() -> None:
    """Show the dialog that a button asked for, also when the page runs again meanwhile."""
    asked = st.session_state.get(_STATE)
    frame.dialog_open(asked is not None)
    if asked is not None:
        _dialog(asked)


def forget() -> None:
    """Close the dialog, or forget one that was left open on another page."""
    st.session_state.pop(_STATE, None)
    frame.dialog_open(False)


@st.dialog("Resume from this checkpoint", width="medium", icon=":material/play_circle:", on_dismiss=forget)
def _dialog(asked: _Asked) -> None:
    if asked.written is not None:
        _show_written(asked)
        return
    _show_target(asked)
    _show_replaced(asked.checkpoint)
    _show_checks(asked.proposal)
    accepted = _ask_warnings(asked.proposal)
    note = st.text_area(
        "Note", max_chars=_NOTE_LENGTH, height=80, key="resume_note", placeholder="Why this one? Kept in the manifest."
    )
    left = len(asked.proposal.warnings) - len(accepted)
    if left:
        st.caption(f"Accept {fmt.count(left, 'more warning') if accepted else fmt.count(left, 'warning')} to go on.")
    if st.button(
        "Write the manifest", type="primary", disabled=left > 0, key="resume_confirm", icon=":material/check:"
    ):
        _write(asked, note or "", accepted)


def _show_target(asked: _Asked) -> None:
    checkpoint, restore, now = asked.checkpoint, asked.proposal.restore, service.workspace().now()
    st.markdown(
        f"**{md(links.local(checkpoint.path, checkpoint.run))}** of run **{md(links.run_name(checkpoint.run))}**"
    )
    with st.container(horizontal=True, gap="medium"):
        step, epoch = checkpoint.facts.step, checkpoint.facts.epoch
        frame.fact("Step", fmt.sourced(step), facts.source(step) or "not known")
        frame.fact("Epoch", fmt.sourced(epoch), facts.source(epoch) or "not known")
        frame.fact("Saved", fmt.ago(checkpoint.saved_at, now), fmt.exact(checkpoint.saved_at))
        frame.fact("Size", fmt.size(checkpoint.bytes), fmt.count(len(checkpoint.files), "file"))
        frame.fact("Contents", fmt.CONTENTS[checkpoint.facts.contents])
        frame.fact("Optimizer", restore.optimizer.value if restore.optimizer else "depends on the job")
        frame.fact("Restored by", restore.api.value)


def _show_replaced(checkpoint: Checkpoint) -> None:
    pending = reads.pending(checkpoint.root, checkpoint.run)
    if pending is not None:
        manifest = pending.manifest
        st.info(
            f"This replaces the pending manifest of {md(manifest.created_by)} for {md(manifest.checkpoint.path)}, "
            "which is kept as superseded.",
            icon=":material/swap_horiz:",
        )


def _show_checks(proposal: Proposal) -> None:
    passed, total = sum(check.ok for check in proposal.checks), len(proposal.checks)
    result = "all passed" if passed == total else f"{passed} passed, {total - passed} not known or not met"
    with st.expander(f"{fmt.count(total, 'check')}: {result}", icon=":material/checklist:"):
        for check in proposal.checks:
            icon = ":green[:material/check_circle:]" if check.ok else ":orange[:material/help:]"
            st.markdown(f"{icon} **{md(check.name)}**: {md(findings.meanings(check.detail))}")


def _ask_warnings(proposal: Proposal) -> list[str]:
    """One box for each warning; returns the ids of the accepted ones."""
    if not proposal.warnings:
        return []
    st.markdown("**Warnings.** Tick each to accept it; the manifest keeps which were accepted.")
    return [
        caution.id
        for caution in proposal.warnings
        if st.checkbox(md(caution.text), key=f"accept-{proposal.made_at.timestamp()}-{caution.id}")
    ]


def _write(asked: _Asked, note: str, accepted: list[str]) -> None:
    try:
        manifest, path = service.workspace().resume(asked.checkpoint, asked.proposal, note=note, accepted=accepted)
    except CoreError as error:
        st.error(f"Nothing was written. {md_lines(str(error))}", icon=":material/error:")
        return
    except OSError as error:
        place = to_text(str(error.filename or "The run's folder"))
        st.error(f"Nothing was written. {md(place)}: {md(error.strerror or str(error))}", icon=":material/error:")
        return
    asked.written = (manifest, str(path))
    reads.pending_count.clear()
    st.rerun(scope="fragment")


def _show_written(asked: _Asked) -> None:
    assert asked.written is not None
    manifest, path = asked.written
    step = "" if manifest.checkpoint.step is None else f" at step {manifest.checkpoint.step:,}"
    st.success("The manifest was written. It is pending until a job claims it.", icon=":material/check_circle:")
    st.caption("It lies here:")
    st.code(shown(path), language=None)
    st.text(
        f"Next: start the training job in the run's folder. A job that reads the manifest restores "
        f"{shown(manifest.checkpoint.path)} with {manifest.restore.api.value} and goes on{step}."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Close", key="resume_close"):
            forget()
            st.rerun()
        st.page_link(links.RESUME, label="All manifests", icon=":material/list:")

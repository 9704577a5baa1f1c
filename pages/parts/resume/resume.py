"""Handing a checkpoint over: the button, and the dialog that shows what will be restored and every warning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Checkpoint, Severity
from core.services.checkpoints import spec_of
from core.services.manifests import Manifest
from core.services.resume import Mode, Proposal, Scalar, propose, resume_from
from pages.parts.frame import acting, answers, links, reads, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, md_lines, shown
from pages.parts.resume import job_code, manifests, newer_save, proposed, ways_on
from waypoint_resume.names import from_text, to_text

_NOTE_LENGTH = 2_000
_HEIGHT = 480  # pixels of what is asked; the rest of the dialog stays in view of a screen 900 high


@dataclass(slots=True)
class _Asked:
    """The checkpoint that a dialog is open for, what is proposed for each mode that was looked at, with everything or
    with the weights alone, and once written the manifest and its file. `first` is what was proposed at first.
    """

    checkpoint: Checkpoint
    first: Proposal
    chosen: str | None  # of the same series, what one would resume from when the dialog was opened
    proposals: dict[tuple[Mode | None, bool], Proposal] = field(default_factory=dict)
    written: tuple[Manifest, str] | None = None

    def proposal(self, mode: Mode | None, *, weights_only: bool) -> Proposal:
        """What is proposed for a mode, as of its first look; for None the mode that suits most."""
        if (mode, weights_only) == (None, False):
            return self.first
        if (mode, weights_only) not in self.proposals:
            found = propose(service.workspace(), self.checkpoint, mode, weights_only=weights_only)
            self.proposals[mode, weights_only] = self.proposals[found.mode, weights_only] = found
        return self.proposals[mode, weights_only]

    @property
    def key(self) -> str:
        """Tells the widgets of this dialog from those of an earlier one."""
        return str(self.first.made_at.timestamp())


def button(checkpoint: Checkpoint, *, key: str, is_first: bool = True) -> None:
    """The button "Resume…"; for a checkpoint that cannot be restored it is disabled and says why. `is_first`: it stands
    out, as the one that is recommended.
    """
    tip = None if checkpoint.restorable else md(why_not(checkpoint))
    answers.button(
        "Resume…",
        ask,
        checkpoint,
        key=key,
        icon=":material/play_circle:",
        type="primary" if is_first else "secondary",
        disabled=not checkpoint.restorable,
        help=tip,
    )


def why_not(checkpoint: Checkpoint) -> str:
    """Why a checkpoint cannot be resumed from."""
    spec = spec_of(checkpoint.format)
    if not spec.is_resumable:
        return spec.not_resumable
    found = [finding.reason for finding in checkpoint.findings if finding.severity is Severity.ERROR]
    return " ".join(["It cannot be restored.", *(found or ["Its files are not whole."])])


def ask(checkpoint: Checkpoint) -> None:
    """Open the dialog about a checkpoint; for the callback of a button."""
    try:
        proposal = propose(service.workspace(), checkpoint)
    except (CoreError, OSError) as error:
        answers.put(f"Nothing can be proposed. {_reason(error)}", is_problem=True)
        return
    acting.ask(
        partial(
            _dialog, _Asked(checkpoint, proposal, newer_save.chosen(checkpoint), {(proposal.mode, False): proposal})
        )
    )


@st.dialog("Resume from this checkpoint", width="medium", icon=":material/play_circle:", on_dismiss=acting.close)
def _dialog(asked: _Asked) -> None:
    if asked.written is not None:
        _show_written(asked)
        return
    proposed.show_name(asked.checkpoint)
    newer_save.offer(asked.checkpoint, asked.chosen, ask)
    with st.container(height=_HEIGHT, border=False):  # so that what is below it is in view
        target = st.container()
        proposal, way = _ask_way(asked)
        accepted = _ask_warnings(asked, proposal)
        with st.container():  # without one, a box of fixed height presses it flat
            note = st.text_area(
                "Note", max_chars=_NOTE_LENGTH, height=80, key="resume_note", placeholder="Why this one? Kept in it."
            )
        ways_on.show_asides(asked.checkpoint, proposal)
        if proposal.mode is not Mode.FORK:
            proposed.show_replaced(asked.checkpoint)
        proposed.show_checks(proposal)
        overrides, problem = ways_on.overrides()
    with target:
        proposed.show_facts(asked.checkpoint, proposal)
    left = len(proposal.warnings) - len(accepted)
    proposed.show_usual(proposal)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = "Make the fork" if proposal.mode is Mode.FORK else "Write the manifest"
        is_ready = not (left or problem or way.problem)
        if st.button(label, type="primary", disabled=not is_ready, key="resume_confirm", icon=":material/check:"):
            _write(asked, proposal, way, overrides=overrides, note=note or "", accepted=accepted)
        if left:
            more = fmt.count(left, "more warning" if len(accepted) > len(proposed.usual(proposal)) else "warning")
            st.caption(f"Accept {more} to go on.", width="content")
        if way.problem:
            st.caption(f":material/error: {md(way.problem)}", width="content")


def _ask_way(asked: _Asked) -> tuple[Proposal, ways_on.Way]:
    """What is taken and how training goes on; what that needs besides."""
    is_alone = ways_on.weights_alone(asked.checkpoint, key=f"weights-{asked.key}")
    first = asked.proposal(None, weights_only=is_alone)
    mode = ways_on.choose(asked.checkpoint, first, key=f"mode-{asked.key}-{is_alone}")
    proposal = asked.proposal(mode, weights_only=is_alone)
    return proposal, ways_on.ask(asked.checkpoint, proposal)


def _ask_warnings(asked: _Asked, proposal: Proposal) -> list[str]:
    """One box for each warning that is special to this checkpoint; returns the ids of the accepted ones, the usual ones
    among them. What is ticked stays so in another mode.
    """
    accepted = [caution.id for caution in proposed.usual(proposal)]
    special = [caution for caution in proposal.warnings if caution.id not in proposed.USUAL]
    if special:
        st.markdown("**Warnings.** Tick each to accept it; the manifest keeps which were accepted.")
    return accepted + [
        caution.id for caution in special if st.checkbox(md(caution.text), key=f"accept-{asked.key}-{caution.id}")
    ]


def _write(
    asked: _Asked,
    proposal: Proposal,
    way: ways_on.Way,
    *,
    overrides: Mapping[str, Scalar],
    note: str,
    accepted: list[str],
) -> None:
    bar = st.progress(0.0, text="Copies…") if proposal.mode is Mode.FORK else None

    def watch(done: int) -> None:
        total = asked.checkpoint.bytes
        if bar is not None:
            bar.progress(min(1.0, done / total) if total else 1.0, text=f"{fmt.size(done)} of {fmt.size(total)}")

    try:
        manifest, path = resume_from(
            service.workspace(),
            asked.checkpoint,
            proposal,
            note=note,
            accepted=accepted,
            overrides=overrides,
            confirm=way.confirm,
            fork_name=way.fork_name,
            watch=watch,
        )
    except (CoreError, OSError) as error:
        if bar is not None:
            bar.empty()
        st.error(f"Nothing was written. {md_lines(_reason(error))}", icon=":material/error:")
        return
    asked.written = (manifest, str(path))
    reads.pending_count.clear()
    if proposal.mode is Mode.FORK:
        acting.tell(f"The new run was made, with its manifest: {to_text(from_text(manifest.run))}.")
    else:
        undo = partial(manifests.withdraw, asked.checkpoint.root, asked.checkpoint.run, manifest.id, False)
        acting.tell(
            f"Handed over: {manifest.checkpoint.path}. The next job that reads it goes on from there.", undo=undo
        )
    if proposal.mode is Mode.FORK:
        service.current().look_and_wait()  # so that its page is there
    st.rerun(scope="fragment")


def _reason(error: CoreError | OSError) -> str:
    if isinstance(error, CoreError):
        return str(error)
    place = to_text(str(error.filename or "The run's folder"))
    return f"{place}: {error.strerror or error}"


def _show_written(asked: _Asked) -> None:
    assert asked.written is not None
    manifest, path = asked.written
    root, run = asked.checkpoint.root, from_text(manifest.run)
    if manifest.mode is Mode.FORK:
        st.success("The new run was made, with its manifest.", icon=":material/check_circle:")
        links.run_link(root, run, icon=":material/folder:")
        st.warning(
            "The job must save and log into the new run's folder. Change those folders in its script too: else it goes "
            "on writing into the old run.",
            icon=":material/drive_file_move:",
        )
    else:
        st.success("The manifest was written. It is pending until a job claims it.", icon=":material/check_circle:")
    step = "" if manifest.checkpoint.step is None else f" at step {manifest.checkpoint.step:,}"
    name, what = shown(manifest.checkpoint.path), f"restores {{}} and goes on{step}"
    if manifest.restore.weights_only:
        what = "takes the weights of {} alone and begins anew"
    st.text(f"Next: the job {what.format(name)}.")
    job_code.how_to_start()
    job_code.show(root, run, manifest)
    job_code.where(path)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Close", key="resume_close"):
            acting.close()
            st.rerun()
        st.page_link(links.RESUME, label="All manifests", icon=":material/list:")

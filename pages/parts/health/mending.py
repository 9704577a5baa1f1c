"""Mending a state file: the buttons, and the dialog that shows the diff and its effects before anyone confirms."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Checkpoint, Run
from core.services import mending
from core.services.health import PlacedFinding
from core.services.mending import NAMEABLE, Mend, Mender, MendProposal, Refusal, effects
from pages.parts.frame import acting, answers, service
from pages.parts.frame.text import lines, md, md_lines
from pages.parts.health import mends
from waypoint_resume.names import short_id, to_text

RULES = frozenset({"moved-run", "dangling-latest", "dangling-history", "unreadable-state"})
MAX_TO_KEEP = 5  # TensorFlow's default
Wanted = Callable[[Mender], MendProposal | Refusal | None]


@dataclass(slots=True)
class _Asked:
    """The dialog that is open: on which run, what is wanted of it, and what was proposed or why nothing can be."""

    run: Run
    wanted: Wanted
    proposal: MendProposal | None = None
    refusal: str = ""
    is_live: bool = False
    problem: str = ""

    def look(self) -> None:
        """Read the state file and propose anew."""
        self.proposal, self.refusal = None, "There is nothing to mend: the state file says what it should."
        try:
            mender = mending.mender_of(service.workspace(), self.run)
            found = self.wanted(mender)
            if isinstance(found, Refusal):
                self.refusal = str(found.error)
            elif found is not None:
                self.proposal, self.is_live = found, mender.is_live()
        except (CoreError, OSError) as error:
            self.refusal = str(error)


def button(placed: PlacedFinding) -> None:
    """The button "Mend…" for a finding that a new state file answers."""
    if placed.finding.rule in RULES:
        name = short_id(placed.root, placed.run, placed.finding.rule, placed.finding.path)
        answers.button(
            "Mend…",
            _open,
            placed.root,
            placed.run,
            partial(_about, placed.finding.path),
            key=f"mend-{name}",
            type="tertiary",
            help="See what a mended state file would say, before anything is written.",
        )


def point_button(checkpoint: Checkpoint) -> None:
    """The button that makes a checkpoint its folder's latest, for formats that a state file names."""
    if checkpoint.format in NAMEABLE:
        answers.button(
            "Point latest_checkpoint here…",
            _open,
            checkpoint.root,
            checkpoint.run,
            partial(_pointing, checkpoint),
            key="point",
            icon=":material/my_location:",
            disabled=not checkpoint.restorable,
            help="See what the state file would say, so that `tf.train.latest_checkpoint` gives this one.",
        )


def _about(state: str, mender: Mender) -> MendProposal | Refusal | None:
    return next((item for item in mender.proposals() if item.state == state), None)


def _pointing(checkpoint: Checkpoint, mender: Mender) -> MendProposal | None:
    return mender.point_at(checkpoint)


def _open(root: str, run: str, wanted: Wanted) -> None:
    workspace = service.workspace()
    asked = _Asked(run=workspace.reader.run(root, run, workspace.now()), wanted=wanted)
    asked.look()
    acting.ask(partial(_dialog, asked))


@st.dialog("Mend the state file", width="large", icon=":material/build:", on_dismiss=acting.close)
def _dialog(asked: _Asked) -> None:
    if asked.problem:
        st.error(f"Nothing was written. {md_lines(asked.problem)}", icon=":material/error:")
    proposal = asked.proposal
    if proposal is None:
        st.info(md_lines(asked.refusal), icon=":material/info:")
        return
    _show(proposal)
    typed = mends.ask_name(asked.run, key="mend_name") if asked.is_live else ""
    if st.button("Write it", type="primary", icon=":material/check:", key="mend_confirm"):
        _write(asked, proposal, typed)


def _show(proposal: MendProposal) -> None:
    st.code(lines("\n".join(proposal.diff())), language="diff", wrap_lines=True)
    told = st.container()
    kept = st.number_input(
        "max_to_keep of the job",
        min_value=1,
        value=MAX_TO_KEEP,
        key="mend_max_to_keep",
        help="How many checkpoints the job's CheckpointManager keeps. It changes nothing but the last sentence above.",
        width=220,
    )
    now = service.workspace().now()
    told.markdown(
        "**What this changes**\n\n"
        + "\n".join(f"- {md(line)}" for line in effects(proposal, max_to_keep=kept, now=now))
    )
    st.caption("The file that it replaces is kept in the run's folder, below `.waypoint/mended/`. Undo puts it back.")


def _write(asked: _Asked, proposal: MendProposal, typed: str) -> None:
    made = list[Mend]()
    problem = acting.attempt(lambda: made.append(mending.apply(service.workspace(), asked.run, proposal, typed)))
    if problem is None:
        undo = partial(mends.undo, asked.run.root, asked.run.path, made[0].record.id)
        acting.tell(f"Mended: {to_text(proposal.state)}.", undo=undo)
        acting.close()
        st.rerun()
    asked.problem = problem
    asked.look()
    st.rerun(scope="fragment")

"""The former mends of a run, and taking one back."""

from datetime import datetime
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Run
from core.services import mending
from core.services.mending import Mend, Mender, MendState
from pages.parts.frame import acting, answers, frame, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md
from waypoint_resume.names import to_text

_BECAME = {
    MendState.IN_EFFECT: "In effect",
    MendState.UNDONE: "Undone",
    MendState.REPLACED: "Replaced: the state file was written again since",
    MendState.NEVER: "Never written",
}
_LIVE = (
    "This run is live. A live job never reads the state file again: at its next save it writes its own list over this "
    "one, and deletes by its own; what is said of the next save holds for a job that starts then. Better wait until "
    "the job has ended."
)


def show(run: Run, now: datetime) -> None:
    """The run's former mends, newest first; those in effect with Undo."""
    try:
        found = _mender(run).history()
    except (CoreError, OSError):
        return  # the run's folder went away: the next look at the disk says so
    if not found:
        return
    with frame.section("Mended state files", note="The file that each one replaced is kept."):
        for mend in found:
            name = mend.record.id
            answers.place(f"mend-{name}")
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                _told(mend, now)
                if mend.state is MendState.IN_EFFECT:
                    answers.button("Undo", undo, run.root, run.path, name, key=f"unmend-{name}", icon=":material/undo:")


def undo(root: str, run: str, mend_id: str) -> None:
    """Take a mend back; for a live run a dialog asks for its name first."""
    workspace = service.workspace()
    found = workspace.reader.run(root, run, workspace.now())
    if _mender(found).is_live():
        acting.ask(partial(_dialog, found, mend_id))
    else:
        acting.act(lambda: _undo(found, mend_id, ""), _done(found))


def ask_name(run: Run, *, key: str) -> str:
    """What a live run needs before its state file is written: its name, typed."""
    st.warning(_LIVE, icon=":material/warning:")
    return st.text_input(f"Type the run's name to go on: {md(to_text(run.path))}", key=key)


@st.dialog("Undo on a live run", icon=":material/undo:", on_dismiss=acting.close)
def _dialog(run: Run, mend_id: str) -> None:
    typed = ask_name(run, key="undo_name")
    if st.button("Undo", type="primary", icon=":material/undo:", key="undo_confirm"):
        acting.from_dialog(lambda: _undo(run, mend_id, typed), lambda _: _done(run), failed="Nothing was written.")


def _told(mend: Mend, now: datetime) -> None:
    record = mend.record
    with st.container(gap=None, width="stretch"):
        st.markdown(f"**{md(record.state)}**: {md(record.why)}")
        st.caption(f"{_BECAME[mend.state]}. {fmt.ago(record.at, now)} ({fmt.exact(record.at)}), by {md(record.actor)}")


def _mender(run: Run) -> Mender:
    return mending.mender_of(service.workspace(), run)


def _undo(run: Run, mend_id: str, typed: str) -> None:
    mending.undo(service.workspace(), run, mend_id, typed)


def _done(run: Run) -> str:
    return f"Undone: the state file of {to_text(run.path)} is what it was before."

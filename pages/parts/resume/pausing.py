"""Asking a run's job to pause, and what came of it: asked, saved, refused, or that nobody will answer."""

from datetime import datetime
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.services import pauses
from core.services.pauses import OPEN, Pause, PauseState
from core.services.resume import Heartbeat
from pages.parts.frame import acting, answers, links, reads, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import lines, md, md_lines

_NOTE_LENGTH = 500
_LOOK = 2.0  # seconds between two looks while an answer is waited for
_SHOWN_FOR = 7 * 86_400.0  # seconds that an answer is told
MEANING = (
    "The job looks for this about once a second. At the end of its next batch it saves where it stands, gives the run "
    "back and ends. Started again, it goes on from there."
)


def button(root: str, run: str, *, place: str, key: str = "pause") -> None:
    """Pause… while a job works in the run and nobody asked yet; to be drawn outside of a fragment, or in one."""
    heartbeat, last = reads.heartbeat(root, run), _last(root, run)
    if heartbeat is None or not heartbeat.is_fresh or (last is not None and last.state in OPEN):
        return
    reason = pauses.cannot_pause(heartbeat)
    help_text = reason or "Ask the job to save and to end."
    if st.button("Pause…", key=key, icon=":material/pause:", help=help_text, disabled=reason is not None):
        answers.clicked(place)
        acting.ask(partial(_dialog, root, run))
        st.rerun()


def told(root: str, run: str, now: datetime) -> None:
    """What was asked last, whether it was answered, and after how long; looked at again while an answer is awaited."""
    last = _last(root, run)
    if last is not None and last.state in OPEN:
        st.fragment(_awaited, run_every=_LOOK)(root, run, last)
    else:
        answer(root, run, now)


def _awaited(root: str, run: str, asked: Pause) -> None:
    last = _last(root, run)
    if last is None or (last.id, last.state) != (asked.id, asked.state):
        st.rerun()
    answer(root, run, service.workspace().now())


def answer(root: str, run: str, now: datetime, *, key: str = "pause") -> None:
    """The same without looking again."""
    last = _last(root, run)
    if last is None:
        return
    is_over = last.state is PauseState.WITHDRAWN or (last.state is PauseState.ANSWERED and _works(root, run))
    if last.state not in OPEN and (is_over or (now - last.at).total_seconds() > _SHOWN_FOR):
        return
    answers.place(f"{key}-request")
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{key}-request"):
        with st.container(width="stretch", gap="small"):
            _box(last, now, reads.heartbeat(root, run))
        if last.state is PauseState.WAITING and st.button("Withdraw", key=f"{key}-withdraw", icon=":material/undo:"):
            answers.clicked(f"{key}-request")
            text = "Withdrawn: the job goes on training."
            acting.act(lambda: pauses.withdraw_request(service.workspace(), root, run, last.id), text)
            st.rerun()


def _box(pause: Pause, now: datetime, heartbeat: Heartbeat | None) -> None:
    icon, words = sentence(pause, now)
    st.markdown(f"{icon} {md(words)}")
    lonely = pauses.nobody_answers(pause, heartbeat) if pause.state in OPEN else None
    if lonely is not None:
        st.markdown(f":orange[:material/warning:] {md(lonely)}")
    if pause.note:
        st.caption(md_lines(lines(pause.note)))


def sentence(pause: Pause, now: datetime) -> tuple[str, str]:
    """An icon, and what became of a request in one sentence."""
    asked = f"{pause.by} asked for a pause {fmt.ago(pause.at, now)}"
    if pause.state is PauseState.WAITING:
        return ":blue[:material/hourglass_top:]", f"{asked}. The job has not answered yet."
    if pause.state is PauseState.SAVING:
        return ":blue[:material/save:]", f"{asked}. The job has seen it and is saving."
    if pause.state is PauseState.WITHDRAWN:
        return ":gray[:material/undo:]", f"{asked}, and withdrew it."
    after = "" if pause.took is None else f" after {fmt.span(pause.took)}"
    if pause.state is PauseState.REFUSED:
        return ":orange[:material/block:]", f"{asked}. The job refused{after}: {pause.reason}"
    step = "" if pause.step is None else f" at step {pause.step:,}"
    saved = f", saved as {pause.checkpoint}" if pause.checkpoint else ""
    return ":green[:material/pause_circle:]", f"{asked}. The job paused{after}{step}{saved}. Start it again to go on."


@st.dialog("Pause this training", icon=":material/pause:", on_dismiss=acting.close)
def _dialog(root: str, run: str) -> None:
    st.markdown(f"**{md(links.run_name(run))}**")
    st.caption(MEANING)
    note = st.text_area("Note", max_chars=_NOTE_LENGTH, height=80, key="pause_note", placeholder="Why pause it?")
    if st.button("Ask the job to pause", type="primary", icon=":material/pause:", key="pause_confirm"):
        acting.from_dialog(
            lambda: pauses.pause(service.workspace(), root, run, note),
            lambda _: "Asked for a pause.",
            failed="Nothing was asked.",
            undo=partial(_withdraw_last, root, run),
        )


def _withdraw_last(root: str, run: str) -> None:
    last = _last(root, run)
    if last is not None and last.state is PauseState.WAITING:
        text = "Withdrawn: the job goes on training."
        acting.act(lambda: pauses.withdraw_request(service.workspace(), root, run, last.id), text)
    else:
        acting.tell("The job has answered already: it is told below.")


def _works(root: str, run: str) -> bool:
    heartbeat = reads.heartbeat(root, run)
    return heartbeat is not None and heartbeat.is_fresh


def _last(root: str, run: str) -> Pause | None:
    try:
        return next(iter(pauses.pauses(service.workspace(), root, run)), None)
    except (CoreError, OSError):
        return None  # the run's folder went away: the next look at the disk says so

"""What a click does to the disk: done, or said why not; afterwards a notice with Undo; one dialog at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from core.base.errors import CoreError
from pages.parts.frame import frame, service
from pages.parts.frame.text import md_lines
from waypoint_resume.names import to_text

T = TypeVar("T")
_NOTICE, _DIALOG, _PAGE = "notice", "dialog", "acting_on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What was done, or (`is_problem`) why it was not, in plain text; `undo` takes it back."""

    text: str
    undo: Callable[[], None] | None = None
    is_problem: bool = False


def begin(page: str) -> None:
    """Begin a page on which things are done: the notice about the last one, unless that was on another page."""
    if st.session_state.get(_PAGE) != page:
        st.session_state.pop(_NOTICE, None)
        close()
    st.session_state[_PAGE] = page
    notice: Notice | None = st.session_state.get(_NOTICE)
    if notice is None:
        return
    icon = ":red[:material/error:]" if notice.is_problem else ":green[:material/check_circle:]"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="notice"):
        st.markdown(f"{icon} {md_lines(notice.text)}", width="stretch")
        if notice.undo is not None:
            st.button("Undo", icon=":material/undo:", key="notice_undo", on_click=notice.undo)
        st.button("Dismiss", type="tertiary", key="notice_dismiss", on_click=_dismiss)


def attempt(action: Callable[[], object]) -> str | None:
    """Do something and look at the disk again; returns why it was not done, None where it was."""
    try:
        action()
    except CoreError as error:
        return str(error)
    except OSError as error:
        place = "" if error.filename is None else f"{to_text(str(error.filename))}: "
        return f"{place}{error.strerror or error}"
    service.current().look_and_wait()
    return None


def act(action: Callable[[], object], done: str, *, undo: Callable[[], None] | None = None) -> None:
    """Do something; the notice tells what came of it. For callbacks of buttons."""
    problem = attempt(action)
    if problem is None:
        tell(done, undo=undo)
    else:
        st.session_state[_NOTICE] = Notice(text=f"Nothing was changed. {problem}", is_problem=True)


def from_dialog(
    action: Callable[[], T], done: Callable[[T], str], *, failed: str, undo: Callable[[], None] | None = None
) -> None:
    """Do what a dialog asks for. It closes, and a notice says `done` of the answer where that says something; or it
    stays open and says, after `failed`, why nothing came of it.
    """
    answers: list[T] = []
    problem = attempt(lambda: answers.append(action()))
    if problem is not None:
        st.error(f"{failed} {md_lines(problem)}", icon=":material/error:")
        return
    if text := done(answers[0]):
        tell(text, undo=undo)
    close()
    st.rerun()


def tell(done: str, *, undo: Callable[[], None] | None = None) -> None:
    """Put up a notice about what was done."""
    st.session_state[_NOTICE] = Notice(text=done, undo=undo)


def ask(draw: Callable[[], None]) -> None:
    """Open a dialog: `draw` draws it at the end of the page, in every rerun until `close`."""
    st.session_state[_DIALOG] = draw


def dialog() -> None:
    """The dialog that was asked for. Its page stays as it is while it is open."""
    draw: Callable[[], None] | None = st.session_state.get(_DIALOG)
    if draw is not None:
        frame.dialog_open(True)
        draw()


def close() -> None:
    """Close the dialog."""
    st.session_state.pop(_DIALOG, None)
    frame.dialog_open(False)


def _dismiss() -> None:
    st.session_state.pop(_NOTICE, None)

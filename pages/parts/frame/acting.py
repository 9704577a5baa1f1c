"""What a click does to the disk: done, or said why not, where the click was; one dialog at a time."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from core.base.errors import CoreError
from pages.parts.frame import answers, frame, service
from pages.parts.frame.text import md_lines
from waypoint_resume.names import to_text

T = TypeVar("T")
_DIALOG, _PAGE = "dialog", "acting_on"
_UNCHANGED = "Nothing was changed"


def begin(page: str) -> None:
    """Begin a page on which things are done; what was asked or answered on another page is let go of."""
    is_same_page = st.session_state.get(_PAGE) == page
    if not is_same_page:
        close()
    st.session_state[_PAGE] = page
    answers.begin(is_same_page=is_same_page)


def attempt(action: Callable[[], object], *, looks: bool = True) -> str | None:
    """Do something and look at the disk again, unless the catalog cannot have changed by it; returns why it was not
    done, None where it was.
    """
    try:
        action()
    except CoreError as error:
        return str(error)
    except OSError as error:
        place = "" if error.filename is None else f"{to_text(str(error.filename))}: "
        return f"{place}{error.strerror or error}"
    if looks:
        service.current().look_and_wait()
    return None


def act(action: Callable[[], object], done: str, *, undo: Callable[[], None] | None = None, looks: bool = True) -> None:
    """Do something as `attempt` does, and answer with what came of it. For callbacks of buttons."""
    problem = attempt(action, looks=looks)
    if problem is None:
        tell(done, undo=undo)
    else:
        answers.put(problem if problem.startswith(_UNCHANGED) else f"{_UNCHANGED}. {problem}", is_problem=True)


def from_dialog(
    action: Callable[[], T], done: Callable[[T], str], *, failed: str, undo: Callable[[], None] | None = None
) -> None:
    """Do what a dialog asks for. It closes, and what `done` makes of the result answers the click; or it
    stays open and says, after `failed`, why nothing came of it.
    """
    results: list[T] = []
    problem = attempt(lambda: results.append(action()))
    if problem is not None:
        st.error(f"{failed} {md_lines(problem)}", icon=":material/error:")
        return
    tell(done(results[0]), undo=undo)
    close()
    st.rerun()


def tell(done: str, *, undo: Callable[[], None] | None = None) -> None:
    """Answer the last click with what was done."""
    answers.put(done, undo=undo)


def ask(draw: Callable[[], None]) -> None:
    """Open a dialog: `draw` draws it at the end of the page, in every rerun until `close`."""
    st.session_state[_DIALOG] = draw


def dialog() -> None:
    """End a page: the dialog that was asked for. Its page stays as it is while it is open."""
    answers.rest()
    draw: Callable[[], None] | None = st.session_state.get(_DIALOG)
    if draw is not None:
        frame.dialog_open(True)
        draw()


def close() -> None:
    """Close the dialog."""
    st.session_state.pop(_DIALOG, None)
    frame.dialog_open(False)

"""What came of a click, said where the click was, and as a toast.

Whoever draws something that can be acted on calls `place` first, and draws its buttons by `button`. The answer to a
click then stands at that place. Where the thing is gone by then, as a finding that was accepted, its answer stands
before the first of those that stood behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from pages.parts.frame.text import md, md_lines

_ANSWER, _CLICKED = "answer", "clicked_place"
_PLACES, _NOW = "drawn_places", "place_now"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What was done, or (`is_problem`) why it was not, in plain text; `undo` takes it back. `place` is where the click
    was, `behind` are the places that stood behind it, `drawn_at` the one where the answer stands now.
    """

    text: str
    undo: Callable[[], None] | None
    is_problem: bool
    place: str
    behind: frozenset[str]
    drawn_at: str | None = None
    is_new: bool = True


def begin(*, is_same_page: bool) -> None:
    """Begin a page: another one lets go of the answer, the same one says a new answer as a toast too."""
    if not is_same_page:
        for name in (_ANSWER, _CLICKED):
            st.session_state.pop(name, None)
    st.session_state[_PLACES], st.session_state[_NOW] = [], ""
    answer: Answer | None = st.session_state.get(_ANSWER)
    if answer is None:
        return
    answer.drawn_at = None
    if answer.is_new:
        answer.is_new = False
        icon = ":material/error:" if answer.is_problem else ":material/check_circle:"
        st.toast(md(answer.text), icon=icon, duration="long")


def place(key: str) -> None:
    """What is drawn next is one thing that can be acted on; the answer to the last click, if it belongs here."""
    places: list[str] = st.session_state.setdefault(_PLACES, [])
    if key not in places:  # a fragment draws its places again
        places.append(key)
    st.session_state[_NOW] = key
    answer: Answer | None = st.session_state.get(_ANSWER)
    if answer is None or (key != answer.place and key not in answer.behind):
        return
    if answer.drawn_at in (None, key):
        _draw(answer, key)


def rest() -> None:
    """The end of a page: the answer, where no place of it is left."""
    answer: Answer | None = st.session_state.get(_ANSWER)
    if answer is not None and answer.drawn_at is None:
        _draw(answer, "")


def button(label: str, do: Callable[..., None], *arguments: object, key: str, **options: object) -> None:
    """A button of the present place. What it does (`do(*arguments)`) is answered there; `options` as of st.button."""
    st.button(label, key=key, on_click=_click, args=(st.session_state.get(_NOW, ""), do, *arguments), **options)  # type: ignore[arg-type]


def clicked(key: str) -> None:
    """A click was at a place, for what is no `button`."""
    places: list[str] = st.session_state.get(_PLACES, [])
    behind = places[places.index(key) + 1 :] if key in places else []
    st.session_state[_CLICKED] = (key, frozenset(behind))


def put(text: str, *, undo: Callable[[], None] | None = None, is_problem: bool = False) -> None:
    """Answer the last click."""
    key, behind = st.session_state.get(_CLICKED, ("", frozenset()))
    st.session_state[_ANSWER] = Answer(text=text, undo=undo, is_problem=is_problem, place=key, behind=behind)


def _click(key: str, do: Callable[..., None], *arguments: object) -> None:
    clicked(key)
    do(*arguments)


def _undo(answer: Answer) -> None:
    """Where the answer stands is where its Undo was clicked; what comes back stands behind it."""
    st.session_state[_CLICKED] = (answer.place, answer.behind)
    if answer.undo is not None:
        answer.undo()


def _draw(answer: Answer, key: str) -> None:
    answer.drawn_at = key
    icon = ":red[:material/error:]" if answer.is_problem else ":green[:material/check_circle:]"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="answer"):
        st.markdown(f"{icon} {md_lines(answer.text)}", width="stretch")
        if answer.undo is not None:
            st.button("Undo", icon=":material/undo:", key="answer_undo", on_click=_undo, args=(answer,))
        st.button("Dismiss", type="tertiary", key="answer_dismiss", on_click=_dismiss)


def _dismiss() -> None:
    st.session_state.pop(_ANSWER, None)

"""Accepting a finding with a note, and taking that back."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from core.services import health
from core.services.health import RULES, PlacedFinding
from pages.parts.frame import acting, answers, frame, links, service
from pages.parts.frame.text import md, shown
from waypoint_resume.names import short_id, to_text

_NOTE_LENGTH = 2_000
MEANING = (
    "Accepting says: it is so on purpose. The finding leaves every list and count, and comes back by itself when the "
    "files that it is about change. The note is kept with your name in the run's folder, in `.waypoint/accepted.json`."
)


def key(placed: PlacedFinding) -> str:
    """Names a finding in the keys of widgets."""
    return short_id(placed.root, placed.run, placed.finding.rule, placed.finding.path)


def button(placed: PlacedFinding) -> None:
    """Accept… for a finding that counts, Undo for one that was accepted."""
    if placed.finding.accepted is not None:
        answers.button(
            "Undo",
            _withdraw,
            (placed,),
            key=f"unaccept-{key(placed)}",
            icon=":material/undo:",
            help="It is a finding again.",
            type="tertiary",
        )
    else:
        answers.button(
            "Accept…",
            acting.ask,
            partial(_dialog, (placed,)),
            key=f"accept-{key(placed)}",
            help="It is so on purpose: leave it out from now on.",
            type="tertiary",
        )


def all_button(name: str, members: Callable[[], Sequence[PlacedFinding]], *, is_accepted: bool) -> None:
    """The same for findings of one rule that repeat in a folder: `members` gives them when the button is pressed, and
    `name` names them in keys.
    """
    if is_accepted:
        answers.button(
            "Undo all",
            lambda: _withdraw(members()),
            key=f"unaccept-all-{name}",
            icon=":material/undo:",
            help="They are findings again.",
            type="tertiary",
        )
    else:
        answers.button(
            "Accept all…",
            lambda: acting.ask(partial(_dialog, members())),
            key=f"accept-all-{name}",
            help="They are so on purpose: leave them out from now on.",
            type="tertiary",
        )


@st.dialog("Accept what was found", icon=":material/task_alt:", on_dismiss=acting.close)
def _dialog(placed: Sequence[PlacedFinding]) -> None:
    found = placed[0].finding
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        frame.badge(found.severity.value)
        st.markdown(f"**{md(_name(placed))}**")
    st.text(shown(found.reason if len(placed) == 1 else RULES[found.rule].meaning))
    st.caption(MEANING)
    note = st.text_area(
        "Note", max_chars=_NOTE_LENGTH, height=80, key=f"note-{key(placed[0])}", placeholder="Why is it so on purpose?"
    )
    if not st.button("Accept", type="primary", icon=":material/check:", key="accept_confirm"):
        return
    if not note.strip():
        st.error("Write a note first: in half a year somebody will ask why.", icon=":material/edit:")
        return
    acting.from_dialog(
        lambda: health.accept(service.workspace(), placed, note),
        lambda _: f"Accepted: {found.rule} of {_name(placed)}.",
        failed="Nothing was accepted.",
        undo=partial(_withdraw, placed),
    )


def _withdraw(placed: Sequence[PlacedFinding]) -> None:
    are = "is a finding" if len(placed) == 1 else "are findings"
    done = f"No longer accepted: {placed[0].finding.rule} of {_name(placed)} {are} again."
    acting.act(lambda: health.withdraw_acceptance(service.workspace(), placed), done)


def _name(placed: Sequence[PlacedFinding]) -> str:
    names = [links.run_name(one.run) if one.finding.path == one.run else to_text(one.finding.path) for one in placed]
    return names[0] if len(names) == 1 else f"{len(names):,} things, {names[0]} … {names[-1]}"

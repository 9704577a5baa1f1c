"""Pinning a checkpoint, so that it stays under every policy; who did it and why; and taking that back."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.base.facts import Format
from core.base.files import Problem
from core.base.records import Checkpoint
from core.services import pins
from core.services.pins import Pin
from pages.parts.frame import acting, answers, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import lines, md, md_lines, shown

_NOTE_LENGTH = 2_000
MEANING = (
    "A pinned checkpoint never goes into quarantine, whatever the policy. The pin is kept with your name in the run's "
    "folder, in `.waypoint/pins.json`."
)


def button(checkpoint: Checkpoint) -> None:
    """Pin…, or Unpin for one that is pinned."""
    found = _pin(checkpoint)
    if isinstance(found, Pin):
        answers.button("Unpin", _unpin, checkpoint, key="unpin", icon=":material/keep_off:")
    else:
        answers.button(
            "Pin…",
            acting.ask,
            partial(_dialog, checkpoint),
            key="pin",
            icon=":material/keep:",
            help="Keep it under every policy.",
        )


def told(checkpoint: Checkpoint, now: datetime) -> None:
    """Who pinned it, when and why; or that the pins cannot be read."""
    found = _pin(checkpoint)
    if isinstance(found, Problem):
        text = f"The pins of this run cannot be read, so that all of it counts as pinned. {md_lines(found.problem)}"
        st.warning(text, icon=":material/keep:")
    elif found is not None:
        at = datetime.fromisoformat(found.at)
        st.markdown(f":blue[:material/keep:] Pinned {fmt.ago(at, now)} ({fmt.exact(at)}) by {md(found.by)}.")
        if found.note:
            st.text(lines(found.note))


def pinned(members: Sequence[Checkpoint]) -> frozenset[tuple[str, Format]]:
    """The pinned ones of a run's checkpoints, as (path, format); all of them where the pins cannot be understood."""
    try:
        return pins.pinned(service.workspace(), members)
    except CoreError:
        return frozenset()  # the run's folder went away, as above


@st.dialog("Pin this checkpoint", icon=":material/keep:", on_dismiss=acting.close)
def _dialog(checkpoint: Checkpoint) -> None:
    st.markdown(f"**{md(_name(checkpoint))}**")
    st.caption(MEANING)
    note = st.text_area("Note", max_chars=_NOTE_LENGTH, height=80, key="pin_note", placeholder="Why keep it?")
    if not st.button("Pin", type="primary", icon=":material/check:", key="pin_confirm"):
        return
    service.current().auditor.want()  # a pin may change what could go
    acting.from_dialog(
        lambda: pins.pin(service.workspace(), checkpoint, note),
        lambda _: f"Pinned: {_name(checkpoint)}.",
        failed="Nothing was pinned.",
        undo=partial(_unpin, checkpoint),
    )


def _unpin(checkpoint: Checkpoint) -> None:
    service.current().auditor.want()
    acting.act(lambda: pins.unpin(service.workspace(), checkpoint), f"No longer pinned: {_name(checkpoint)}.")


def _pin(checkpoint: Checkpoint) -> Pin | Problem | None:
    try:
        return pins.pin_of(service.workspace(), checkpoint)
    except CoreError:
        return None  # the run's folder went away: the next look at the disk says so


def _name(checkpoint: Checkpoint) -> str:
    return shown(links.local(checkpoint.path, checkpoint.run))

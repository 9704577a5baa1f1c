"""A save that became the one to resume from while a dialog about an older one was open: offered there."""

from collections.abc import Callable

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Checkpoint
from core.services.runs import series_choices
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import md


def chosen(checkpoint: Checkpoint) -> str | None:
    """The path of what one would resume from now, of the series of a checkpoint."""
    found = _chosen(checkpoint)
    return None if found is None else found.path


def offer(checkpoint: Checkpoint, before: str | None, take: Callable[[Checkpoint], None]) -> None:
    """Look again and again whether that is another one than `before`, and offer to `take` it instead."""
    st.fragment(_offer, run_every=frame.REFRESH_SECONDS)(checkpoint, before, take)


def _offer(checkpoint: Checkpoint, before: str | None, take: Callable[[Checkpoint], None]) -> None:
    newest = _chosen(checkpoint)
    if newest is None or newest.path in (before, checkpoint.path) or newest.saved_at <= checkpoint.saved_at:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="newer_save"):
        name = md(links.local(newest.path, newest.run))
        step = "" if newest.facts.step is None else f", step {fmt.sourced(newest.facts.step)}"
        st.markdown(f":blue[:material/fiber_new:] A newer save can be restored now: **{name}**{step}.", width="stretch")
        if st.button("Take that one", key="take_newer"):
            take(newest)
            st.rerun()


def _chosen(checkpoint: Checkpoint) -> Checkpoint | None:
    try:
        choices = series_choices(service.workspace(), checkpoint.root, checkpoint.run)
    except CoreError:
        return None  # the run's folder went away: the next look at the disk says so
    return next((choice.chosen for choice in choices if choice.id == checkpoint.series), None)

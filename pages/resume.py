"""What was handed over?"""

from collections.abc import Sequence

import streamlit as st

from core.base.errors import CoreError
from core.services.manifests import ManifestState, all_manifests, run_manifests, unreadable_manifests
from pages.parts.checkpoint import kept
from pages.parts.frame import acting, answers, frame, links, reads, service
from pages.parts.frame.text import md
from pages.parts.resume import job_code, manifest_cards, manifests
from pages.parts.resume.manifests import Placed

LATER = (
    (ManifestState.FINISHED, "The job that took these is done."),
    (ManifestState.SUPERSEDED, "Replaced by a newer manifest of the same run."),
)
OPEN = (ManifestState.PENDING, ManifestState.CLAIMED)
CARDS = 20  # of each state: the rest stands in a table


def of(placed: Sequence[Placed], state: ManifestState) -> list[Placed]:
    """Those of one state."""
    return [item for item in placed if item[2].state is state]


def known() -> int:
    """How many wait, as the other pages know it, of a minute ago at most."""
    return reads.pending_count(tuple(root.id for root in service.workspace().reader.roots()))


@st.fragment(run_every=frame.REFRESH_SECONDS)
def live(placed: list[Placed], waiting: int, *, is_any: bool) -> None:
    """The cards of what is open, looked at again and again: only the runs that they are about are read. The page runs
    anew when one of them became something else, or when another one was handed over. `is_any`: there are others.
    """
    fresh = [again for item in placed if (again := look(item)) is not None]
    if waiting != known() or [item[2].state for item in fresh] != [item[2].state for item in placed]:
        st.rerun()
    now = service.workspace().now()
    pending = of(fresh, ManifestState.PENDING)
    if is_any:
        with frame.section("Pending", note="Manifests that wait for a job to claim them."):
            if pending:
                job_code.how_to_start()
            else:
                st.text("None.")
            manifest_cards.draw(pending, now)
            answers.place("pending")
    if claimed := of(fresh, ManifestState.CLAIMED):
        with frame.section("Claimed", note="A job took these and has not finished."):
            manifest_cards.draw(claimed, now)
    answers.place("claimed")


def look(item: Placed) -> Placed | None:
    """What a manifest is now; None if it is gone."""
    root, run, entry = item
    try:
        entries = run_manifests(service.workspace(), root, run)
    except CoreError:
        return None
    return next(((root, run, one) for one in entries if one.manifest.id == entry.manifest.id), None)


now = frame.head("Resume")
everything = all_manifests(service.workspace())
shown = [item for state in OPEN for item in of(everything, state)[:CARDS]]
if not everything:
    frame.empty(
        ":material/play_circle:",
        "Nothing was handed over yet. Open a run, press *Resume…* on the recommended checkpoint, and a manifest is "
        "written that the training job reads.",
    )
    st.page_link(links.RUNS, label="Choose a run", icon=":material/folder_open:")
for _root, run, problem in unreadable_manifests(service.workspace()):
    st.error(
        f"The manifest of run {md(links.run_name(run))} cannot be read, so no job starts there: {md(problem.problem)} "
        "Hand a checkpoint over again; the unreadable one is kept.",
        icon=":material/error:",
    )
live(shown, known(), is_any=bool(everything))
for state in OPEN:
    if more := of(everything, state)[CARDS:]:
        st.caption(f"Older ones that are {state.value}:")
        manifests.table(more, now, key=state.value)
if withdrawn := of(everything, ManifestState.WITHDRAWN):
    with frame.section("Withdrawn", note="Taken back: jobs leave them alone."):
        manifest_cards.draw([item for item in withdrawn if item[2].is_current], now)
        if replaced := [item for item in withdrawn if not item[2].is_current]:
            st.caption("Replaced by a newer manifest since:")
            manifests.table(replaced, now, key="withdrawn")
answers.place("withdrawn")
for state, meaning in LATER:
    if rest := of(everything, state):
        with frame.section(state.value.capitalize(), note=meaning):
            manifests.table(rest, now, key=state.value)
kept.draw(everything)
acting.dialog()

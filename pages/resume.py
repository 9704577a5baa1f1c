"""What was handed over?"""

import streamlit as st

from core.resume.history import ManifestEntry, ManifestState
from pages._shared import frame, links, manifests, service

LATER = (
    (ManifestState.CLAIMED, "A job took these and has not finished."),
    (ManifestState.FINISHED, "The job that took these is done."),
    (ManifestState.SUPERSEDED, "Replaced by a newer manifest of the same run."),
    (ManifestState.WITHDRAWN, "Taken back before a job claimed them, and replaced since."),
)


def in_place(entry: ManifestEntry) -> bool:
    """Whether it waits for a job, or would again after an undo."""
    return entry.state is ManifestState.PENDING or (entry.state is ManifestState.WITHDRAWN and entry.is_current)


now = frame.head("Resume")
manifests.problem()
everything = service.workspace().all_manifests()
waiting = [item for item in everything if in_place(item[2])]
if not everything:
    frame.empty(
        ":material/play_circle:",
        "Nothing was handed over yet. Open a run, press *Resume…* on the recommended checkpoint, and a manifest is "
        "written that the training job reads.",
    )
    st.page_link(links.RUNS, label="Choose a run", icon=":material/folder_open:")
else:
    with frame.section("Pending", note="Manifests that wait for a job to claim them."):
        if not waiting:
            st.text("None.")
        for root, run, entry in waiting:
            manifests.card(root, run, entry, now)
for state, meaning in LATER:
    rest = [item for item in everything if item[2].state is state and item not in waiting]
    if rest:
        with frame.section(state.value.capitalize(), note=meaning):
            manifests.table(rest, now, key=state.value)

"""What was handed over?"""

import streamlit as st

from core.resume.history import ManifestState
from pages._shared import frame, links, manifests, service

LATER = (
    (ManifestState.CLAIMED, "A job took these and has not finished."),
    (ManifestState.FINISHED, "The job that took these is done."),
    (ManifestState.SUPERSEDED, "Replaced by a newer manifest of the same run."),
)


now = frame.head("Resume")
manifests.outcome()
everything = service.workspace().all_manifests()
waiting = [item for item in everything if item[2].state is ManifestState.PENDING]
withdrawn = [item for item in everything if item[2].state is ManifestState.WITHDRAWN]
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
if withdrawn:
    with frame.section("Withdrawn", note="Taken back before a job claimed them: jobs leave them alone."):
        replaced = [item for item in withdrawn if not item[2].is_current]
        for root, run, entry in withdrawn:
            if entry.is_current:
                manifests.card(root, run, entry, now)
        if replaced:
            st.caption("Replaced by a newer manifest since:")
            manifests.table(replaced, now, key="withdrawn")
for state, meaning in LATER:
    rest = [item for item in everything if item[2].state is state]
    if rest:
        with frame.section(state.value.capitalize(), note=meaning):
            manifests.table(rest, now, key=state.value)

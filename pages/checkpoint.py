"""What is in this checkpoint, and will it work?"""

from datetime import datetime

import streamlit as st

from core.base.records import Checkpoint, Root
from core.services.checkpoints import spec_of
from pages.parts import charts
from pages.parts.checkpoint import facts, pinning, snippets, variables, verifying
from pages.parts.frame import acting, answers, frame, links, reads
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, shown
from pages.parts.health import mending
from pages.parts.metrics import compare_with
from pages.parts.resume import resume
from pages.parts.tables import lists


def verdict(checkpoint: Checkpoint) -> None:
    """Will it work: restorable or not, and the button."""
    answers.place("verdict")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            if checkpoint.restorable:
                frame.badge("restorable", "green", icon=fmt.ICONS["ok"])
            elif spec_of(checkpoint.format).is_resumable:
                frame.badge("not restorable", "red", icon=fmt.ICONS["error"])
            else:
                frame.badge("listed, not resumable here", "gray", icon=fmt.ICONS["info"])
            frame.health_badge(checkpoint.health)
            if checkpoint.is_latest_restorable:
                frame.badge("latest restorable of its series", "blue", icon=":material/star:")
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            compare_with.checkpoint_box(checkpoint)
            pinning.button(checkpoint)
            mending.point_button(checkpoint)
            resume.button(checkpoint, key="resume")


def findings(checkpoint: Checkpoint) -> None:
    """What is wrong, why, and what to do."""
    for finding in checkpoint.findings:
        box = {"error": st.error, "warning": st.warning, "info": st.info}[finding.severity.value]
        box(f"{md(finding.reason)}\n\nWhat to do: {md(finding.action)}", icon=fmt.ICONS[finding.severity.value])


def details(root: Root, checkpoint: Checkpoint, read: reads.Inspection, now: datetime) -> None:
    """Variables, layers, files and code, one behind the other."""
    names = ["Variables", "Size by layer", "Files", "Restore code"]
    table, layers, files, code = st.tabs(names, key="tab", bind="query-params")
    with table:
        if read.variables:
            variables.show(read.variables, checkpoint.format)
        else:
            frame.empty(":material/data_object:", "No variables could be read from these files.")
    with layers:
        if read.variables:
            charts.layers(read.variables)
        else:
            frame.empty(":material/data_object:", "Without variables there is nothing to draw.")
    with files:
        st.text(shown(f"In {root.path}/{checkpoint.folder}"))
        lists.files(checkpoint.files, now)
    with code:
        snippets.show(root, checkpoint, read.variables)


root, run = reads.asked_run()
checkpoint = reads.asked_checkpoint(root, run)
with st.container(horizontal=True):
    links.back(links.CHECKPOINTS)
    links.run_link(root.id, run.path, icon=":material/folder:")
now = frame.head(links.local(checkpoint.path, checkpoint.run), icon=":material/deployed_code:")
verdict(checkpoint)
pinning.told(checkpoint, now)
findings(checkpoint)
read = reads.inspection(checkpoint)
if read.error:
    st.error(f"The files could not be read to the end: {md(read.error)}", icon=":material/error:")
facts.details(checkpoint, read.facts or checkpoint.facts, now)
verifying.of_checkpoint(root, checkpoint, now)
details(root, checkpoint, read, now)
acting.dialog()

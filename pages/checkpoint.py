"""What is in this checkpoint, and will it work?"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st

from core.fs.names import natural_key, to_text
from core.model import Checkpoint, Facts, RoleBytes, Root, Variable
from core.resume import restoring
from pages._shared import charts, choice_card, frame, links, reads, resume, snippets, tables
from pages._shared import format as fmt
from pages._shared.text import md, shown

VARIABLE_SORTS: dict[str, Callable[[Variable], Any]] = {
    "name": lambda item: natural_key(item.name),
    "bytes": lambda item: (item.bytes, natural_key(item.name)),
    "role": lambda item: (item.role.value, natural_key(item.name)),
}


def verdict(checkpoint: Checkpoint) -> None:
    """Will it work: restorable or not, and the button."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            word = "restorable" if checkpoint.restorable else "not restorable"
            frame.badge(
                word,
                "green" if checkpoint.restorable else "red",
                icon=fmt.ICONS["ok" if checkpoint.restorable else "error"],
            )
            frame.health_badge(checkpoint.health)
            if checkpoint.is_latest_restorable:
                frame.badge("latest restorable of its series", "blue", icon=":material/star:")
        resume.button(checkpoint, key="resume")


def numbers(checkpoint: Checkpoint, facts: Facts, now: datetime) -> None:
    """The facts, each with its source."""
    with st.container(border=True):
        choice_card.facts(checkpoint, now)
        with st.container(horizontal=True, gap="large"):
            if facts.save_counter:
                frame.fact("Save counter", fmt.sourced(facts.save_counter), f"from {facts.save_counter.source}")
            frame.fact("Optimizer state", "yes" if facts.has_optimizer else "no")
            frame.fact("Architecture", "yes" if facts.has_architecture else "no")
            frame.fact("Variables", fmt.number(facts.variables))
            frame.fact("Parameters", fmt.number(facts.parameters), "weights only")
            if facts.writer:
                frame.fact("Written by", facts.writer)
        if facts.contents_reason:
            st.caption(f"Contents: {md(facts.contents_reason)}")
        roles(facts.role_bytes)


def roles(sizes: RoleBytes) -> None:
    """Bytes by role, and what keeping the weights alone would save."""
    total = sizes.weights + sizes.optimizer + sizes.other
    if total:
        saved = (
            f" Weights only would save {fmt.size(sizes.optimizer)} ({sizes.optimizer / total:.0%})."
            if sizes.optimizer
            else ""
        )
        split = (
            f"Weights {fmt.size(sizes.weights)}, optimizer {fmt.size(sizes.optimizer)}, other {fmt.size(sizes.other)}."
        )
        st.caption(split + saved)


def findings(checkpoint: Checkpoint) -> None:
    """What is wrong, why, and what to do."""
    for finding in checkpoint.findings:
        box = {"error": st.error, "warning": st.warning, "info": st.info}[finding.severity.value]
        box(f"{md(finding.reason)}\n\nWhat to do: {md(finding.action)}", icon=fmt.ICONS[finding.severity.value])


def variable_list(variables: tuple[Variable, ...]) -> None:
    """The variables: searched, sorted, in pages."""
    text = st.text_input("Search", key="v", bind="query-params", placeholder="part of a name", icon=":material/search:")
    found = [item for item in variables if (text or "").lower() in to_text(item.name).lower()]
    sort = tables.Sort.asked(tuple(VARIABLE_SORTS), tables.Sort(by="name", descending=False))
    found.sort(key=VARIABLE_SORTS[sort.by], reverse=sort.descending)
    ending = any(item.name.endswith(tables.TF_ENDING) for item in variables)
    note = f" Each name ends in `{tables.TF_ENDING}`, which is left out." if ending else ""
    st.caption(f"{fmt.count(len(found), 'variable')}, {fmt.size(sum(item.bytes for item in found))}.{note}")
    offset = tables.pages(len(found))
    tables.variables(found[offset : offset + tables.PAGE_ROWS], sort=sort)


def details(root: Root, checkpoint: Checkpoint, read: reads.Inspection, now: datetime) -> None:
    """Variables, layers, files and code, one behind the other."""
    names = ["Variables", "Size by layer", "Files", "Restore code"]
    variables, layers, files, code = st.tabs(names)
    with variables:
        if read.variables:
            variable_list(read.variables)
        else:
            frame.empty(":material/data_object:", "No variables could be read from these files.")
    with layers:
        if read.variables:
            charts.layers(read.variables)
        else:
            frame.empty(":material/data_object:", "Without variables there is nothing to draw.")
    with files:
        st.text(shown(f"In {root.path}/{checkpoint.folder}"))
        tables.files(checkpoint.files, now)
    with code:
        path = f"{root.path}/{checkpoint.path}"
        api = restoring.api(checkpoint)
        st.code(snippets.restore_code(api, path, has_optimizer=checkpoint.facts.has_optimizer), language="python")


root, run = reads.asked_run()
checkpoint = reads.asked_checkpoint(root, run)
with st.container(horizontal=True):
    links.back(links.CHECKPOINTS)
    links.run_link(root.id, run.path, icon=":material/folder:")
now = frame.head(links.local(checkpoint.path, checkpoint.run), icon=":material/deployed_code:")
verdict(checkpoint)
findings(checkpoint)
read = reads.inspection(checkpoint)
if read.error:
    st.error(f"The files could not be read to the end: {md(read.error)}", icon=":material/error:")
numbers(checkpoint, read.facts or checkpoint.facts, now)
details(root, checkpoint, read, now)
resume.dialog_if_asked()

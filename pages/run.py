"""What do I resume from?"""

from datetime import datetime

import streamlit as st

from core.base.records import Root, Run
from core.services import metrics
from core.services.health import RULES
from core.services.runs import series_choices
from pages.parts.frame import acting, answers, disk, frame, links, reads, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, shown
from pages.parts.metrics import compare_with, run_picture
from pages.parts.resume import pausing
from pages.parts.runs import checkpoint_list, choice_card, run_health, sweep_lists, tagging
from pages.parts.storage import storage_cards


def about(root: Root, run: Run, now: datetime) -> None:
    """The run in one line: status, what it holds, where it lies."""
    answers.place("about")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run.is_deleted:
            frame.badge("deleted in MLflow", "gray", icon=":material/delete:", tip=RULES["deleted-run"].why)
        frame.badge(run.status, tip=f"Last change: {fmt.ago(run.changed_at, now)}." if run.changed_at else None)
        for word in fmt.findings(run.errors, run.warnings):
            frame.badge(word)
        held = f"{fmt.count(run.checkpoints, 'checkpoint')}, {run.restorable:,} restorable, "
        held += f"file size {fmt.size(run.bytes)}, on disk {disk.on_disk(run.root, run.path)}"
        if run.last_saved is None:
            st.text(held)
        else:
            st.text(f"{held}, last saved {fmt.ago(run.last_saved, now)}", help=fmt.exact(run.last_saved))
        compare_with.run_link(root.id, run.path)
        storage_cards.run_link(run)
        pausing.button(root.id, run.path, place="about")
    folder = service.workspace().absolute(root.id, run.path)
    st.code(shown(folder), language=None)


def pending(run: Run, now: datetime) -> None:
    """The manifest that waits for a job."""
    entry = reads.pending(run.root, run.path)
    if entry is not None:
        manifest = entry.manifest
        step = "" if manifest.checkpoint.step is None else f", step {manifest.checkpoint.step:,}"
        st.info(
            f"A manifest is pending: {md(manifest.checkpoint.path)}{step}, handed over by {md(manifest.created_by)} "
            f"{fmt.ago(manifest.created_at, now)}. The next job that reads it resumes from there.",
            icon=":material/schedule:",
        )
        st.page_link(links.RESUME, label="See all manifests", icon=":material/list:")


root, run = reads.asked_run()
links.back()
now = frame.head(links.run_name(run.path), icon=":material/folder:")
choices = series_choices(service.workspace(), root.id, run.path)
members = [member for choice in choices for member in choice.members]
about(root, run, now)
known = metrics.at_checkpoints(service.workspace(), root.id, run.path)
tagging.draw(run, members, None if known is None else known.metric)
sweep_lists.trial_of(run)
pausing.told(root.id, run.path, now)
pending(run, now)
best = {one.series: one for one in known.best} if known is not None else {}
for choice in choices:
    choice_card.draw(choice, now, only=len(choices) == 1, best=best.get(choice.id))
choice_card.beside(root, run, choices)
if not choices:
    frame.empty(":material/save:", "No checkpoint lies in this run. What was found is listed below.")
else:
    run_picture.draw(root, run, members, known, now)
    checkpoint_list.draw(root, run, known, now)
run_health.draw(root, run, members, now)
storage_cards.leftovers(root, run, now)
acting.dialog()

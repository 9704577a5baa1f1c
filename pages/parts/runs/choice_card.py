"""The card of one series: which checkpoint to resume from, why this one, and what newer ones lack."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.base.records import Checkpoint, Root, Run
from core.services import runs
from core.services.checkpoints import spec_of
from core.services.metrics import BestOfSeries
from core.services.runs import PassedOver, SeriesChoice
from pages.parts.checkpoint import facts
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame.text import md, shown
from pages.parts.health import findings
from pages.parts.metrics import main_metric
from pages.parts.resume import resume

_LISTED = 5


def draw(choice: SeriesChoice, now: datetime, *, only: bool, best: BestOfSeries | None = None) -> None:
    """The card; `only` leaves out the series' name where the run has no other."""
    answers.place(f"series-{choice.id}")
    with st.container(border=True):
        if not only:
            st.caption(f"Series {md(choice.name)}")
        if choice.chosen is None:
            _nothing(choice)
        else:
            is_best = best is not None and best.checkpoint.path == choice.chosen.path
            _recommended(choice.chosen, choice, now, best if is_best else None)
            if best is not None and not is_best:
                main_metric.line(best, choice.chosen, key=f"best-{choice.id}")
        if spec_of(choice.latest.format).is_resumable:
            _passed_over(choice)
        if choice.order_note:
            st.caption(f":material/info: {md(choice.order_note)}")
        if spec_of(choice.latest.format).in_state_files:
            _tensorflow(choice)


def beside(root: Root, run: Run, choices: Sequence[SeriesChoice]) -> None:
    """What may hold a newer checkpoint than those chosen; where none can be restored, what a job may go on from all the
    same.
    """
    left = service.workspace().reader.leftovers(root.id, run.path)
    for told in runs.closed_folders(left):
        st.warning(md(told), icon=":material/lock:")
    for told in runs.killed_saves(choices, left):
        st.info(md(told), icon=":material/restart_alt:")


def _recommended(checkpoint: Checkpoint, choice: SeriesChoice, now: datetime, best: BestOfSeries | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.subheader(
                f"Resume from {md(links.local(checkpoint.path, checkpoint.run))}", anchor=False, width="content"
            )
            frame.health_badge(checkpoint.health)
            if best is not None:
                main_metric.badge(best)
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            links.checkpoint_link(checkpoint, label="Open", icon=":material/open_in_full:")
            resume.button(checkpoint, key=f"resume-{choice.id}")
    facts.main(checkpoint, now)
    st.markdown(f"**Why this one:** {md(choice.why)}")


def _nothing(choice: SeriesChoice) -> None:
    if not spec_of(choice.latest.format).is_resumable:
        st.subheader(":material/inventory_2: Only listed", anchor=False)
        st.markdown(md(choice.why))
        return
    st.subheader(":red[:material/error:] Nothing to resume from", anchor=False)
    st.markdown(md(choice.why))


def _passed_over(choice: SeriesChoice) -> None:
    """Why newer ones are passed over; several with the same fault are one line."""
    if not choice.passed_over:
        return
    st.markdown("**Newer, but passed over:**" if choice.chosen else "**What they lack:**")
    faults: dict[tuple[str, ...], list[PassedOver]] = {}
    for passed in choice.passed_over:
        faults.setdefault(tuple(reason.partition(": ")[0] for reason in passed.reasons), []).append(passed)
    for alike in list(faults.values())[:_LISTED]:
        newest, oldest = alike[0], alike[-1]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.checkpoint_link(newest.checkpoint, icon=":material/block:")
            told = "; ".join(map(findings.without_rule, newest.reasons))
            if len(alike) > 1:
                last = links.local(oldest.checkpoint.path, oldest.checkpoint.run)
                told = f"and {len(alike) - 1:,} more, to {last}, the same: {told}"
            st.text(shown(told), width="stretch")
    if len(faults) > _LISTED:
        st.caption("and others, all in the table below")


def _tensorflow(choice: SeriesChoice) -> None:
    chosen = choice.chosen.path if choice.chosen else None
    if choice.tensorflow_error:
        answer = f": {md(choice.tensorflow_error)}"
    elif choice.tensorflow_latest is None:
        answer = " answers None: it sees no checkpoint here."
    elif choice.tensorflow_latest == chosen:
        answer = " answers the same."
    else:
        is_lost = any(passed.checkpoint.path == choice.tensorflow_latest for passed in choice.passed_over)
        other = "which cannot be restored" if is_lost else "which is another one"
        answer = f" answers {md(links.local(choice.tensorflow_latest, choice.latest.run))}, {other}."
    st.caption(f"`tf.train.latest_checkpoint`{answer}")

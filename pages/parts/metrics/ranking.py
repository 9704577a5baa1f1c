"""Runs by the best value of a metric, the best first, each with the checkpoint that is to be gone on from."""

import math
from datetime import datetime
from typing import NamedTuple

import streamlit as st

from core.base.records import Checkpoint, Run
from core.services.comparing import RunComparison
from core.services.metrics import BestOfSeries, Direction, RunMetric
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md
from pages.parts.metrics.curves import color
from pages.parts.resume import resume


class Ranked(NamedTuple):
    """A run of a comparison: its place there, the best value that was logged or is known at a checkpoint (None: no
    value is known), and its best restorable checkpoint, where one's value is known.
    """

    number: int
    run: Run
    score: float | None
    best: BestOfSeries | None


def ranked(compared: RunComparison) -> list[Ranked]:
    """The runs of a comparison, the best first."""
    metric = compared.metric
    if metric is None:
        return [Ranked(number, run, None, None) for number, run in enumerate(compared.runs)]
    found = []
    for number, (run, known, series) in enumerate(zip(compared.runs, compared.details, compared.best, strict=True)):
        best = min(series, key=lambda one: metric.mode.rank(one.value.value), default=None)
        found.append(Ranked(number, run, _score(known.metric(metric.tag), metric.mode, best), best))
    return sorted(found, key=lambda one: math.inf if one.score is None else metric.mode.rank(one.score))


def draw(compared: RunComparison, now: datetime) -> None:
    """A line for each run, with the button that hands over its best checkpoint, or else its latest restorable one."""
    if compared.metric is None:
        return
    tag = compared.metric.tag
    guessed = ", which is a guess" if compared.metric.is_guess else ""
    with frame.section("Best first", note=f"By the {compared.metric.mode.word} {md(tag)} that a run logged{guessed}."):
        for one in ranked(compared):
            answers.place(f"best-{one.number}")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                dot = f'<span style="color:{color(one.number)};font-size:1.4rem;line-height:1">●</span>'
                st.html(dot, width="content")
                links.run_link(one.run.root, one.run.path)
                st.markdown(f"**{fmt.NONE if one.score is None else format(one.score, '.6g')}**", width="content")
                _checkpoint(one, tag, now)


def _checkpoint(one: Ranked, tag: str, now: datetime) -> None:
    """From where to go on in a run."""
    item = one.best.checkpoint if one.best is not None else latest_restorable(one.run)
    if item is None:
        st.caption("nothing that can be restored", width="content")
        return
    links.checkpoint_link(item)
    if one.best is not None:
        told = f"best checkpoint, {md(tag)} {one.best.value.value:.6g}"
        st.caption(told, width="content", help=md(one.best.value.way.meaning))
    else:
        why = f"No value of {md(tag)} is known at a checkpoint of this run: nothing joins its logs and its saves."
        st.caption("latest restorable", width="content", help=why)
    st.caption(f"saved {fmt.ago(item.saved_at, now)}", width="content")
    resume.button(item, key=f"resume-{one.number}")


def latest_restorable(run: Run) -> Checkpoint | None:
    """The latest checkpoint of a run that can be restored."""
    members = [item for item in service.workspace().members(run.root, run.path) if item.is_latest_restorable]
    return max(members, key=lambda item: item.saved_at, default=None)


def _score(logged: RunMetric | None, mode: Direction, best: BestOfSeries | None) -> float | None:
    """The best value that a run logged, else that of its best checkpoint."""
    point = None if logged is None else logged.min if mode is Direction.MIN else logged.max
    if point is not None and point.value is not None:
        return point.value
    return None if best is None else best.value.value

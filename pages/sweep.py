"""Which trial was best?"""

import streamlit as st

from core.base.records import Run
from core.services.sweeps import Sweep, Trial, runs_of
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, reads, service, url_state
from pages.parts.frame.text import md, shorten, shown
from pages.parts.runs import sweep_lists
from pages.parts.tables import tables


def about(sweep: Sweep, trials: tuple[Trial, ...], runs: dict[str, Run]) -> None:
    """The sweep in one line: the best trial first."""
    best = next((trial for trial in trials if trial.path == sweep.best), None)
    objective = sweep.objective
    with st.container(border=True):
        with st.container(horizontal=True, gap="medium"):
            score = "not known" if best is None or best.score is None else f"{best.score:.6g}"
            frame.fact("Best score", score, f"trial {best.name}" if best else "no trial has a rank")
            frame.fact("Objective", objective.name or "not known", sweep_lists.objective_told(sweep))
            frame.fact("Trials", fmt.number(sweep.trials), f"{sweep.ranked:,} ranked")
            held = fmt.count(sum(run.checkpoints for run in runs.values()), "checkpoint")
            frame.fact("File size", fmt.size(sum(run.bytes for run in runs.values())), held)
            frame.fact("Tuner", sweep_lists.KINDS[sweep.kind])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if best is not None and best.path in runs:
                query = links.run_query(sweep.root, best.path)
                st.page_link(links.RUN, label="The best trial", icon=":material/star:", query_params=query)
            query = links.sweep_query(sweep.root, sweep.path)
            st.page_link(links.STORAGE, label="Keep the best trials…", icon=":material/database:", query_params=query)
    st.code(shown(service.workspace().absolute(sweep.root, sweep.path)), language=None)
    if sweep.problem:
        st.warning(md(sweep.problem), icon=":material/warning:")


def members(sweep: Sweep, trials: tuple[Trial, ...], runs: dict[str, Run]) -> None:
    """The trials that are runs, the best first, and below them the others."""
    _, equal = sweep_lists.params_of(trials)
    first = "The best first. " if sweep.ranked else ""
    with frame.section("Trials", note=f"{first}Click a name to open the run."):
        if equal:
            st.caption(f"The same in all: {md(sweep_lists.in_a_line(list(equal.items())))}")
        listed = [trial for trial in trials if trial.path in runs]
        offset = tables.pages(len(listed))
        sweep_lists.trials(sweep, listed[offset : offset + tables.PAGE_ROWS], runs, key="trials")
    without = [trial for trial in trials if trial.path not in runs]
    if without:
        with frame.section("Without checkpoints", note="Nothing of them lies here but what the tuner wrote."):
            offset = tables.pages(len(without), key="without_page")
            sweep_lists.trials(sweep, without[offset : offset + tables.PAGE_ROWS], {}, key="without")


sweep = reads.asked_sweep()
links.back()
frame.head(shorten(sweep_lists.name_of(sweep)), icon=":material/tune:")
url_state.remember(links.SWEEP)
trials = service.workspace().sweeps.trials(sweep.root, sweep.path)
runs = runs_of(service.workspace(), sweep.root, sweep.path)
about(sweep, trials, runs)
members(sweep, trials, runs)

"""What is broken in a run and what was done about it: findings, former mends, verification."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.base.records import Checkpoint, Root, Run
from core.services.health import FindingFilter
from pages.parts.checkpoint import verifying
from pages.parts.frame import answers, frame, links, service
from pages.parts.health import findings, health_filters, health_rules, mends

SHOWN = 20  # places with findings


def draw(root: Root, run: Run, members: Sequence[Checkpoint], now: datetime) -> None:
    """The three sections; those with nothing to say are left out, but the findings."""
    _found(root, run)
    mends.show(run, now)
    verifying.of_run(root, members)


def _found(root: Root, run: Run) -> None:
    """What is broken or odd in a run, with what to do."""
    with frame.section("Findings"):
        places = findings.by_place(service.workspace().reader.findings(FindingFilter(root=root.id, run=run.path)))
        if not places:
            answers.place("no-finding")
            st.markdown(":green[:material/check_circle:] None.")
        groups = findings.alike(places)
        for alike in groups[:SHOWN]:
            if len(alike) == 1:
                findings.card(alike[0], health_rules.actions)
            else:
                findings.repeated_card(alike, health_rules.actions, health_rules.all_actions)
        if len(groups) > SHOWN:
            st.caption(f"The worst {SHOWN} places. Health lists all of them.")
        query = {health_filters.RUN: health_filters.run_name(run)}
        st.page_link(links.HEALTH, label="This run on Health", icon=":material/health_and_safety:", query_params=query)

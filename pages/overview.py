"""What needs me today?"""

from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.catalog.queries import CheckpointFilter, Overview
from pages._shared import format as fmt
from pages._shared import frame, links, service, tables
from pages._shared.findings import by_place, line
from pages._shared.text import md

ATTENTION = 8
LAST_SAVES = 6


def cards(numbers: Overview) -> None:
    """The four numbers."""
    worst = fmt.count(numbers.errors, "error") if numbers.errors else fmt.count(numbers.warnings, "warning")
    rest = [fmt.count(numbers.warnings, "warning")] if numbers.errors and numbers.warnings else []
    rest += [fmt.count(numbers.infos, "info")] if numbers.infos else []
    stale = f", {numbers.stale:,} stale" if numbers.stale else ""
    live, checkpoints, disk, findings = st.columns(4)
    card(live, "Live runs", f"{numbers.live:,}", f"of {fmt.count(numbers.runs, 'run')}{stale}")
    card(checkpoints, "Checkpoints", f"{numbers.checkpoints:,}", f"{numbers.restorable:,} restorable")
    card(disk, "On disk", fmt.size(numbers.bytes), f"{fmt.size(numbers.leftover_bytes)} in leftovers")
    card(findings, "Findings", worst, " and ".join(rest) or "nothing else")


def card(place: DeltaGenerator, label: str, value: str, below: str) -> None:
    """One number with what it is a part of."""
    place.metric(label, value, below, border=True, delta_color="off", delta_arrow="off", height="stretch")


def attention() -> None:
    """The worst findings, each a link."""
    with frame.section("Needs attention"), st.container(border=True):
        places = by_place(service.workspace().reader.findings(severities=("error", "warning")))
        if not places:
            st.markdown(":green[:material/check_circle:] Nothing: no errors and no warnings in any run.")
        for place in places[:ATTENTION]:
            line(place)
        if len(places) > ATTENTION:
            label = f"{len(places) - ATTENTION:,} more: see the runs with errors or warnings"
            query = [("health", "error"), ("health", "warning")]
            st.page_link(links.RUNS, label=label, icon=":material/arrow_forward:", query_params=query)


def last_saves(now: datetime) -> None:
    """The newest checkpoints of all runs."""
    with frame.section("Last saves"):
        newest = service.workspace().reader.checkpoints(CheckpointFilter(), limit=LAST_SAVES).items
        tables.checkpoints(newest, now, key="last-saves")


def nothing_yet() -> None:
    """What to do when no run was found."""
    folders = ", ".join(md(folder) for folder in service.workspace().settings.roots)
    frame.empty(
        ":material/folder_open:",
        f"No runs were found yet below {folders}. {frame.SET_ROOTS}",
    )


now = frame.head("Overview")
links.remember(links.OVERVIEW)
reader = service.workspace().reader
frame.root_problems(reader.roots())
numbers = reader.overview(now)
if numbers.runs == 0:
    nothing_yet()
else:
    cards(numbers)
    attention()
    last_saves(now)

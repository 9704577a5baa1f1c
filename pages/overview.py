"""What needs me today?"""

from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base.sizes import ON_DISK
from core.services.checkpoints import CheckpointFilter
from core.services.health import FindingFilter
from core.services.runs import Overview
from pages.parts.frame import acting, frame, links, reads, service, url_state
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md
from pages.parts.health import attention
from pages.parts.storage import storage_cards
from pages.parts.tables import lists

ATTENTION = 8
LAST_SAVES = 6
MOST = 500  # groups of findings that are looked through


def cards(numbers: Overview) -> None:
    """The four numbers."""
    found = [(numbers.errors, "error"), (numbers.warnings, "warning"), (numbers.infos, "info")]
    worst, *rest = [fmt.count(number, word) for number, word in found if number] or ["None"]
    stale = f", {numbers.stale:,} stale" if numbers.stale else ""
    live, checkpoints, disk, findings = st.columns(4)
    card(live, "Live runs", f"{numbers.live:,}", f"of {fmt.count(numbers.runs, 'run')}{stale}")
    card(checkpoints, "Checkpoints", f"{numbers.checkpoints:,}", f"{numbers.restorable:,} restorable")
    card(disk, "On disk", *storage_cards.in_short(numbers), tip=ON_DISK)
    card(findings, "Findings", worst, " and ".join(rest) or ("nothing else" if worst != "None" else "in any run"))


def card(place: DeltaGenerator, label: str, value: str, below: str, *, tip: str | None = None) -> None:
    """One number with what it is a part of."""
    place.metric(label, value, below, border=True, delta_color="off", delta_arrow="off", height="stretch", help=tip)


def ways_on(waiting: int) -> None:
    """To the disk's space, and to the manifests that wait for a job, if any do."""
    with st.container(horizontal=True):
        st.page_link(links.STORAGE, label="Where the disk went, and what could go", icon=":material/database:")
        if waiting:
            label = f"{fmt.count(waiting, 'manifest')} {'waits' if waiting == 1 else 'wait'} for a job"
            st.page_link(links.RESUME, label=label, icon=":material/play_circle:")


def needs_somebody(numbers: Overview) -> None:
    """The worst findings, one row for each run and kind."""
    groups = service.workspace().reader.finding_groups(FindingFilter(severities=("error", "warning")), limit=MOST)
    rows, are_all = attention.rows(groups), len(groups) < MOST
    found = " and ".join(fmt.findings(numbers.errors, numbers.warnings))
    note = f"{found} in {fmt.count(attention.runs_of(rows), 'run')}, one row for each run and kind."
    with frame.section("Needs attention", note=note if rows and are_all else None), st.container(border=True):
        if not rows:
            st.markdown(":green[:material/check_circle:] Nothing: no errors and no warnings in any run.")
        for row in rows[:ATTENTION]:
            attention.draw(row)
        if rows:
            more = f" ({len(rows) - ATTENTION:,} more here)" if len(rows) > ATTENTION and are_all else ""
            query = [("severity", "error"), ("severity", "warning")]
            label = f"See all on Health, by what is wrong{more}"
            st.page_link(links.HEALTH, label=label, icon=":material/health_and_safety:", query_params=query)


def last_saves(now: datetime) -> None:
    """The newest checkpoints of all runs."""
    with frame.section("Last saves"):
        newest = service.workspace().reader.checkpoints(CheckpointFilter(), limit=LAST_SAVES).items
        lists.checkpoints(newest, now, key="last-saves")


def nothing_yet() -> None:
    """What to do when no run was found."""
    folders = ", ".join(md(folder) for folder in service.workspace().settings.roots)
    frame.empty(
        ":material/folder_open:",
        f"No runs were found yet below {folders}. {frame.SET_ROOTS}",
    )


now = frame.head("Overview")
url_state.remember(links.OVERVIEW)
reader = service.workspace().reader
frame.root_problems(reader.roots())
numbers = reader.overview(now)
if numbers.runs == 0:
    nothing_yet()
    frame.passed_over(reader.roots())
else:
    cards(numbers)
    ways_on(reads.pending_count(tuple(root.id for root in reader.roots())))
    needs_somebody(numbers)
    last_saves(now)
    frame.passed_over(reader.roots())
acting.dialog()

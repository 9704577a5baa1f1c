"""What is broken?"""

from datetime import datetime

import streamlit as st

from core.base.records import Severity
from core.services.health import FindingFilter
from core.services.runs import Overview
from pages.parts.frame import acting, answers, frame, links, service, url_state
from pages.parts.frame import format as fmt
from pages.parts.health import health_filters, health_rules

WORDS = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.INFO: "Infos"}
MEANINGS = {
    Severity.ERROR: "something does not work",
    Severity.WARNING: "waste, or trouble to come",
    Severity.INFO: "nothing is broken",
}


def cards(counts: dict[Severity, int]) -> None:
    """How many findings there are of each severity."""
    for place, (severity, number) in zip(st.columns(len(counts)), counts.items(), strict=True):
        below = MEANINGS[severity]
        place.metric(WORDS[severity], f"{number:,}", below, border=True, delta_color="off", delta_arrow="off")


def looked_at(totals: Overview, now: datetime) -> str:
    """What was looked at, and when."""
    times = [root.looked_at for root in reader.roots() if root.looked_at is not None]
    when = f", {fmt.ago(min(times), now)}" if times else ""
    return f"Looked at {fmt.count(totals.runs, 'run')} with {fmt.count(totals.checkpoints, 'checkpoint')}{when}."


def all_clear(numbers: dict[Severity, int], totals: Overview, now: datetime) -> None:
    """Said when nothing is broken; infos may remain."""
    rest = " The infos below need nothing done." if numbers[Severity.INFO] else ""
    st.success(f"All clear: no errors and no warnings. {looked_at(totals, now)}{rest}", icon=":material/check_circle:")


def nothing_fits(where: FindingFilter) -> None:
    """Nothing to list, although there are findings or filters."""
    if health_filters.is_filtered(where):
        frame.empty(":material/filter_alt_off:", "No finding fits these filters.")
        st.button("Clear the filters", icon=":material/filter_alt_off:", on_click=health_filters.clear)
    elif where.accepted:
        frame.empty(":material/task_alt:", "No finding was accepted.")


now = frame.head("Health")
reader = service.workspace().reader
frame.root_problems(reader.roots())
totals = reader.overview(now)
if totals.runs == 0:
    frame.empty(
        ":material/health_and_safety:", f"No runs were found yet, so there is nothing to judge. {frame.SET_ROOTS}"
    )
else:
    everything = reader.finding_counts(FindingFilter())
    numbers = health_rules.by_severity(everything)
    cards(numbers)
    where = health_filters.ask(sum(reader.finding_counts(FindingFilter(accepted=True)).values()))
    url_state.remember(links.HEALTH)
    if not (numbers[Severity.ERROR] or numbers[Severity.WARNING] or where.accepted):
        all_clear(numbers, totals, now)
    groups = health_rules.groups(everything if where == FindingFilter() else reader.finding_counts(where))
    for group in groups:
        health_rules.draw(group, where)
    if not groups:
        answers.place("no-finding")
        nothing_fits(where)
frame.passed_over(reader.roots())
acting.dialog()

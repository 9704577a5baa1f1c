"""Where did the disk go, and what can go without regret?"""

from datetime import datetime

import streamlit as st

from core.services.survey import Survey
from pages.parts.frame import acting, answers, frame, links, reads, service, url_state
from pages.parts.storage import (
    batch_list,
    plan_result,
    policy_form,
    quarantining,
    storage_cards,
    storage_map,
    storage_tables,
)

WHAT_GOES = "A plan moves nothing. What it lets go can be moved to quarantine, and brought back from there."
QUARANTINE = (
    "What was moved lies inside its run until it is purged: in `.waypoint/quarantine`, or in `.waypoint/rewound` where "
    "a job went on from an older checkpoint."
)


def where(survey: Survey, now: datetime) -> None:
    """The treemap and the tables."""
    with frame.section("Where it went"):
        if survey.audited is None:
            frame.empty(":material/database:", "Every file is being looked at once; the numbers come by themselves.")
        else:
            storage_map.draw(survey, storage_cards.looked(survey, now))
            storage_tables.draw(survey)


def aside(survey: Survey, now: datetime) -> None:
    """What lies in quarantine, or was set aside."""
    with frame.section("Quarantine", note=QUARANTINE):
        batch_list.draw(survey.batches, now, first=links.asked(links.BATCH))


def what(_survey: Survey, now: datetime) -> None:
    """Policies, and what a plan would let go."""
    with frame.section("What could go", note=WHAT_GOES):
        tried = policy_form.ask(now)
        answers.place("plan")
        quarantining.outcome()
        if tried is not None:
            plan_result.draw(tried, now)


now = frame.head("Storage")
url_state.remember(links.STORAGE)
reader, survey = service.workspace().reader, reads.survey()
frame.root_problems(reader.roots())
if reader.overview(now).runs == 0 and not survey.batches:
    frame.empty(":material/database:", f"No runs were found yet, so there is nothing to add up. {frame.SET_ROOTS}")
else:
    storage_cards.draw(survey, now)
    storage_cards.problems(survey)
    # Who comes from a manifest wants its batch back; who comes from a run asks what could go of it.
    order = [what, where, aside] if {"run", "sweep"} & set(st.query_params) else [where, what, aside]
    if links.BATCH in st.query_params:
        order = [aside, where, what]
    for section in order:
        section(survey, now)
acting.dialog()

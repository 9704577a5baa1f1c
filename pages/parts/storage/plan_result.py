"""A plan as people read it: what would go and what stays, each with its reasons, before anything happens."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import streamlit as st

from core.base.sizes import FILE_SIZE
from core.documents.plans import plan_document
from core.services.retention import ItemKind, Plan
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links
from pages.parts.frame.text import shorten, shown
from pages.parts.storage import quarantining
from pages.parts.storage.policy_form import Tried
from pages.parts.tables import export, tables
from pages.parts.tables.tables import Column
from waypoint_resume.names import to_text

_HEADS = ("run", "path", "kind", "bytes", "reasons")


class Row(NamedTuple):
    """One line: everything as text but the bytes."""

    run: str
    path: str
    kind: str
    bytes: int
    reasons: str


def draw(tried: Tried, now: datetime) -> None:
    """What would go, in numbers; the lists; and what can be done with the plan."""
    plan = tried.plan
    goes, stays = list(_goes(plan)), list(_stays(plan))
    st.markdown(f"**{_numbers(plan)}**")
    st.caption(f"Planned {fmt.ago(plan.made_at, now)}. Nothing has been moved.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = {f"would go ({len(goes):,})": goes, f"stay ({len(stays):,})": stays}
        place = st.segmented_control("Show", range(2), format_func=list(labels).__getitem__, default=0, key="plan_part")
        text = st.text_input(
            "Filter", key="plan_filter", placeholder="part of a path or reason", icon=":material/search:"
        )
    rows = stays if place == 1 else goes
    found = [row for row in rows if _fits(row, text.casefold())]
    if found:
        _table(found)
    else:
        frame.empty(":material/filter_alt_off:", "Nothing fits this filter." if rows else "Nothing.")
    with st.container(horizontal=True):
        quarantining.button(tried.plan, tried.policy)
        name = "plan-stays" if place == 1 else "plan-goes"
        export.csv_button(name, _HEADS, lambda: found)
        export.download("JSON", "waypoint-plan.json", "application/json", lambda: _json(plan))


def _table(rows: list[Row]) -> None:
    columns = (
        Column[Row](head="path", cell=lambda row: shorten(shown(row.path)), name=True),
        Column[Row](head="run", cell=lambda row: shorten(shown(row.run))),
        Column[Row](head="kind", cell=lambda row: row.kind),
        Column[Row](head="file size", cell=lambda row: fmt.size(row.bytes), right=True, help=FILE_SIZE),
        Column[Row](head="why", cell=lambda row: shown(row.reasons), width="large"),
    )
    offset = tables.pages(len(rows), key="plan_page")
    tables.show(columns, rows[offset : offset + tables.PAGE_ROWS], key="plan-rows", alt="The plan, one thing a row")


def _numbers(plan: Plan) -> str:
    items = [item for run in plan.runs for item in run.items]
    stays = fmt.count(sum(len(run.stays) for run in plan.runs), "thing stays", "things stay")
    if not items:
        return f"Nothing would go; {stays}."
    runs = fmt.count(sum(bool(run.items) for run in plan.runs), "run")
    return (
        f"{quarantining.what(items)} of {runs} would go, {fmt.size(plan.bytes)}; {fmt.size(plan.freed_bytes)} on disk "
        f"would be free once they are purged. {stays[:1].upper()}{stays[1:]}.{_emptied(plan)}"
    )


def _emptied(plan: Plan) -> str:
    count = plan.emptied
    return f" {fmt.count(count, 'trial')} would be left without a checkpoint." if count else ""


def _goes(plan: Plan) -> Iterable[Row]:
    for run in plan.runs:
        for item in run.items:
            yield _row(run.run, item.path, item.kind, item.bytes, item.reason)


def _stays(plan: Plan) -> Iterable[Row]:
    for run in plan.runs:
        for item in run.stays:
            yield _row(run.run, item.path, item.kind, item.bytes, "; ".join(item.reasons))


def _row(run: str, path: str, kind: ItemKind, size: int, reasons: str) -> Row:
    return Row(to_text(links.run_name(run)), to_text(path), kind.value, size, to_text(reasons))


def _fits(row: Row, text: str) -> bool:
    return not text or any(text in part.casefold() for part in (row.run, row.path, row.kind, row.reasons))


def _json(plan: Plan) -> bytes:
    return json.dumps(plan_document(plan), indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")

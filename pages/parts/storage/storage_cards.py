"""Disk space in a few numbers: on its page, on the Overview and on the page of a run; what could not be looked at."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.base.records import Root, Run
from core.base.sizes import FILE_SIZE, ON_DISK
from core.services.disk_space import Growths, Usage
from core.services.runs import Overview
from core.services.survey import Survey
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import md, shown
from pages.parts.tables import lists
from waypoint_resume.names import to_text

_SHOWN = 20  # problems
HELP = {
    "On disk": ON_DISK,
    "Could go": ON_DISK,
    "In quarantine": FILE_SIZE,
    "Growth": ON_DISK,
}


def draw(survey: Survey, now: datetime) -> None:
    """The cards; a number that is not known yet is a dash."""
    usage = None if survey.audited is None else survey.audited.usage
    cards = (
        ("On disk", *_on_disk(usage)),
        ("Could go", *_could_go(survey)),
        ("In quarantine", *_in_quarantine(survey)),
        ("Growth", *_growth(survey.growths, now)),
    )
    for place, (label, value, below) in zip(st.columns(4), cards, strict=True):
        place.metric(
            label, value, below, border=True, delta_color="off", delta_arrow="off", height="stretch", help=HELP[label]
        )


def in_short(numbers: Overview) -> tuple[str, str]:
    """What lies on disk and what could go; a dash until the files were added up."""
    survey = service.current().survey
    usage, going = survey.audited, survey.could_go
    below = f"leftovers have {fmt.size(numbers.leftover_bytes)} file size"
    return (
        fmt.NONE if usage is None else fmt.size(usage.usage.allocated_bytes),
        below if going is None else f"{fmt.size(going.total.freed)} could go",
    )


def run_link(run: Run) -> None:
    """A link to what could go of a run."""
    survey = service.current().survey
    going = None if survey.could_go is None else survey.could_go.by_run.get((run.root, run.path))
    label = "What could go" if going is None else f"What could go: {fmt.size(going.freed)}"
    st.page_link(
        links.STORAGE, label=label, icon=":material/database:", query_params=links.run_query(run.root, run.path)
    )


def leftovers(root: Root, run: Run, now: datetime) -> None:
    """Files that belong to no checkpoint."""
    items = service.workspace().reader.leftovers(root.id, run.path)
    if not items:
        return
    files = [file for item in items for file in item.files]
    total = fmt.size(sum(file.size for file in files))
    with frame.section("Leftovers", note=f"{fmt.count(len(files), 'file')} of no checkpoint, {total} file size."):
        lists.files(files, now, key="leftovers")


def looked(survey: Survey, now: datetime) -> str:
    """When the numbers were made, in a sentence."""
    at = "Not yet added up" if survey.audited is None else f"Added up {fmt.ago(survey.audited.at, now)}"
    return f"{at}; it is being done again." if survey.is_looking else f"{at}."


def problems(survey: Survey) -> None:
    """What could not be looked at, and why."""
    if survey.error is not None:
        st.error(f"Disk space could not be added up. {md(survey.error)}", icon=":material/error:")
    found = [f"{one.path}: {one.problem}" for one in survey.problems]
    if survey.audited is not None:
        roots = {root.id: to_text(root.path) for root in service.workspace().reader.roots()}
        found += [f"{roots.get(root, root)}/{one.path}: {one.problem}" for root, one in survey.audited.usage.problems]
    if found:
        with st.expander(f"{fmt.count(len(found), 'place')} could not be looked at", icon=":material/warning:"):
            _lines(found)


def _lines(found: Sequence[str]) -> None:
    st.text("\n".join(shown(line) for line in found[:_SHOWN]))
    if len(found) > _SHOWN:
        st.caption(f"and {len(found) - _SHOWN:,} more")


def _on_disk(usage: Usage | None) -> tuple[str, str]:
    if usage is None:
        return fmt.NONE, "not known yet"
    return fmt.size(
        usage.allocated_bytes
    ), f"file size {fmt.size(usage.apparent_bytes)}, {fmt.count(usage.files, 'file')}"


def _could_go(survey: Survey) -> tuple[str, str]:
    if survey.could_go is None:
        return fmt.NONE, "not known yet"
    total, runs = survey.could_go.total, len(survey.could_go.by_run)
    if not total.items:
        return fmt.size(0), "by the policies of the settings"
    return fmt.size(total.freed), f"{fmt.count(total.items, 'thing')} of {fmt.count(runs, 'run')}"


def _in_quarantine(survey: Survey) -> tuple[str, str]:
    lying = [one.batch for one in survey.batches if one.batch.undoable]
    freed = f", a purge frees {fmt.size(sum(batch.freed_bytes for batch in lying))}" if lying else ""
    return fmt.size(sum(batch.bytes for batch in lying)), fmt.count(len(lying), "batch", "batches") + freed


def _growth(growths: Growths | None, now: datetime) -> tuple[str, str]:
    if growths is None:
        return fmt.NONE, "no earlier audit to compare with"
    grown = sum(one.allocated for one in growths.by_root)
    since = min(one.since for one in growths.by_root)
    return fmt.signed(grown), f"since {fmt.ago(since, now)}"

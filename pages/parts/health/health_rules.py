"""Findings rule by rule: which are asked for, how many there are, and each rule explained where it is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.base.names import natural_key
from core.base.records import Severity
from core.services.health import FindingFilter, FindingGroup, PlacedFinding, Rule
from pages.parts.frame import answers, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, shorten, shown
from pages.parts.health import accepting, health_filters, mending
from pages.parts.tables import tables
from waypoint_resume.names import short_id, to_text

SHOWN = 20  # findings of a rule, as long as others are shown beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A rule and how many findings it has."""

    rule: Rule
    number: int


def groups(counts: Mapping[str, int]) -> list[Group]:
    """The rules that found something, the worst first."""
    return [Group(rule=rule, number=counts[rule.id]) for rule in health_filters.WORST_FIRST if counts.get(rule.id)]


def by_severity(counts: Mapping[str, int]) -> dict[Severity, int]:
    """How many findings there are of each severity, from the numbers by rule."""
    return {
        severity: sum(counts.get(rule.id, 0) for rule in health_filters.WORST_FIRST if rule.severity is severity)
        for severity in reversed(Severity)
    }


def draw(group: Group, where: FindingFilter) -> None:
    """A rule: what it means, why that happens, what to do, and where it was found. Infos are folded."""
    rule, is_alone = group.rule, where.rule == group.rule.id
    color = fmt.COLORS[rule.severity.value]
    label = f":{color}-badge[{fmt.ICONS[rule.severity.value]} {fmt.count(group.number, rule.severity.value)}]"
    is_open = is_alone or rule.severity is not Severity.INFO
    # Another key where the rule stands alone, for it is open then.
    key = f"rule-{rule.id}-{is_alone}"
    answers.place(f"rule-{rule.id}")
    box = st.expander(f"{label} {md(rule.meaning)}", expanded=is_open, on_change="rerun", key=key)
    if not box.open:
        return
    with box:
        st.markdown(f"**Why it happens:** {md(rule.why)}  \n**What to do:** {md(rule.action)}")
        _places(group, replace(where, rule=rule.id, severities=(rule.severity.value,)), is_alone=is_alone)
        st.caption(f"Rule `{rule.id}`, {rule.family.value.lower()}")


def _places(group: Group, where: FindingFilter, *, is_alone: bool) -> None:
    reader = service.workspace().reader
    total = reader.group_count(where)
    limit, offset = (tables.PAGE_ROWS, tables.pages(total)) if is_alone else (SHOWN, 0)
    for found in reader.finding_groups(where, limit=limit, offset=offset):
        if found.number > 1:
            repeated(found, where)
        for placed in reader.findings(_within(found, where), limit=1) if found.number == 1 else ():
            line(placed)
    if total > SHOWN and not is_alone:
        st.button(
            f"Show all {group.number:,}",
            key=f"all-{group.rule.id}",
            icon=":material/arrow_forward:",
            on_click=health_filters.show_only,
            args=(group.rule.id,),
        )


def _within(found: FindingGroup, where: FindingFilter) -> FindingFilter:
    return replace(where, root=found.root, run=found.run, folder=found.folder)


def repeated(found: FindingGroup, where: FindingFilter) -> None:
    """Findings that repeat in a folder: how many, from where to where, a link to their run; each of them within."""
    key = short_id(found.root, found.run, found.folder, found.rule)

    def all_of_them() -> list[PlacedFinding]:
        every = service.workspace().reader.findings(_within(found, where), limit=None)
        return sorted(every, key=lambda item: natural_key(item.finding.path))

    answers.place(f"folder-{key}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(gap=None, width="stretch"):
            query = links.run_query(found.root, found.run)
            label = md(shorten(shown(links.run_name(found.folder))))
            st.page_link(links.RUN, label=label, icon=":material/folder:", query_params=query)
            st.text(shown(found.label))
        accepting.all_button(key, all_of_them, is_accepted=bool(where.accepted))
    each = st.expander(f"Each of the {found.number:,}", on_change="rerun", key=f"each-{key}")
    if not each.open:
        return
    with each:
        offset = tables.pages(found.number, key=f"page_{key}")
        members = service.workspace().reader.findings(_within(found, where), limit=tables.PAGE_ROWS, offset=offset)
        for placed in sorted(members, key=lambda item: natural_key(item.finding.path)):
            line(placed)


def line(placed: PlacedFinding) -> None:
    """One finding: a link to where it is, the reason, and what can be done about it here."""
    answers.place(f"finding-{accepting.key(placed)}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(gap=None, width="stretch"):
            _link(placed)
            st.text(shown(placed.finding.reason))
            if placed.finding.accepted is not None:
                st.caption(f"Accepted: {md(placed.finding.accepted)}")
        with st.container(horizontal=True, width="content", gap="small"):
            actions(placed)


def actions(placed: PlacedFinding) -> None:
    """The buttons of a finding."""
    if placed.finding.accepted is None:
        mending.button(placed)
    accepting.button(placed)


def all_actions(name: str, placed: Sequence[PlacedFinding]) -> None:
    """The buttons for findings of one rule that repeat in a folder; `name` names them in keys."""
    accepting.all_button(name, lambda: placed, is_accepted=placed[0].finding.accepted is not None)


def _link(placed: PlacedFinding) -> None:
    path = placed.finding.path
    name = links.run_name(path) if path == placed.run else path
    query = links.run_query(placed.root, placed.run)
    if placed.is_checkpoint:
        query |= {"path": to_text(path)}
    page = links.CHECKPOINT if placed.is_checkpoint else links.RUN
    icon = ":material/deployed_code:" if placed.is_checkpoint else ":material/folder:"
    st.page_link(page, label=md(shorten(shown(name))), icon=icon, query_params=query)

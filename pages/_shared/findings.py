"""Findings, put together by the place they are about: how bad, where, what, and what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st

from core.catalog.answers import PlacedFinding
from core.health.rules import RULES
from core.model import Finding, Severity
from pages._shared import frame, links
from pages._shared.text import md, shorten, shown
from waypoint_resume.names import to_text

# It follows from another finding about the same checkpoint, which is named first.
_FOLLOWS = "newest-not-restorable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Everything that was found about one path, the worst first."""

    root: str
    run: str
    path: str
    is_checkpoint: bool
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity:
        """The worst severity."""
        return max((finding.severity for finding in self.findings), key=lambda severity: severity.rank)

    def placed(self, finding: Finding) -> PlacedFinding:
        """One of the findings with its place."""
        return PlacedFinding(root=self.root, run=self.run, finding=finding, is_checkpoint=self.is_checkpoint)


def by_place(placed: Iterable[PlacedFinding]) -> list[Place]:
    """One entry for each path, the worst first, otherwise in the given order."""
    groups: dict[tuple[str, str, str], list[PlacedFinding]] = {}
    for item in placed:
        groups.setdefault((item.root, item.run, item.finding.path), []).append(item)
    places = [
        Place(
            root=root,
            run=run,
            path=path,
            is_checkpoint=items[0].is_checkpoint,
            findings=tuple(sorted((item.finding for item in items), key=_order)),
        )
        for (root, run, path), items in groups.items()
    ]
    return sorted(places, key=lambda place: -place.severity.rank)


def line(place: Place) -> None:
    """A place as one entry of a list: its severity, a link to it, and what was found."""
    badge, where, what = st.columns([2, 6, 9], vertical_alignment="center", gap="small")
    with badge:
        frame.badge(place.severity.value)
    with where:
        link(place)
    with what:
        st.text(shown(" ".join(finding.reason for finding in place.findings)))


def link(place: Place) -> None:
    """A link to the checkpoint that a place is, else to its run."""
    if place.is_checkpoint:
        query = {**links.run_query(place.root, place.run), "path": to_text(place.path)}
        st.page_link(links.CHECKPOINT, label=md(shorten(shown(place.path))), query_params=query)
    else:
        links.run_link(place.root, place.run)


def card(place: Place, actions: Callable[[PlacedFinding], None]) -> None:
    """A place with each finding, what to do about it, and `actions` beside it."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            frame.badge(place.severity.value)
            st.markdown(f"**{md(links.local(place.path, place.run))}**")
        for finding in place.findings:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                with st.container(gap=None, width="stretch"):
                    st.text(shown(finding.reason))
                    st.caption(f"What to do: {md(finding.action)}")
                with st.container(horizontal=True, width="content", gap="small"):
                    actions(place.placed(finding))


def without_rule(reason: str) -> str:
    """A reason without the id of its rule in front: `missing-shard: 1 of 3 …` is `1 of 3 …`."""
    rule, colon, rest = reason.partition(": ")
    return rest if colon and rule in RULES else reason


def meanings(rules: str) -> str:
    """What rules mean, in place of a list of their ids; any other text stays as it is."""
    ids = rules.split(", ")
    return " ".join(RULES[rule].meaning for rule in ids) if all(rule in RULES for rule in ids) else rules


def _order(finding: Finding) -> tuple[int, bool]:
    return -finding.severity.rank, finding.rule == _FOLLOWS

"""Findings, put together by the place they are about: how bad, where, what, and what to do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.base.names import natural_key
from core.base.records import Finding, Severity
from core.services.health import RULES, PlacedFinding, folder_of
from pages.parts.frame import answers, frame, links
from pages.parts.frame.text import md, shown
from waypoint_resume.names import short_id

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


def alike(places: Iterable[Place]) -> list[tuple[Place, ...]]:
    """Places of one folder about which the same was found, together, in natural order."""
    groups: dict[tuple[object, ...], list[Place]] = {}
    for place in places:
        rules = tuple(finding.rule for finding in place.findings)
        groups.setdefault((place.root, place.run, folder_of(place.path, place.run), rules), []).append(place)
    return [tuple(sorted(items, key=lambda place: natural_key(place.path))) for items in groups.values()]


def card(place: Place, actions: Callable[[PlacedFinding], None]) -> None:
    """A place with each finding, what to do about it, and `actions` beside it."""
    answers.place(f"findings-{short_id(place.root, place.path)}")
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            frame.badge(place.severity.value)
            st.markdown(f"**{md(links.local(place.path, place.run))}**")
        for finding in place.findings:
            answers.place(f"finding-{short_id(place.root, place.path, finding.rule)}")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                with st.container(gap=None, width="stretch"):
                    st.text(shown(finding.reason))
                    st.caption(f"What to do: {md(finding.action)}")
                with st.container(horizontal=True, width="content", gap="small"):
                    actions(place.placed(finding))


def repeated_card(
    places: Sequence[Place],
    actions: Callable[[PlacedFinding], None],
    all_actions: Callable[[str, Sequence[PlacedFinding]], None],
) -> None:
    """Places of one folder about which the same was found, as one: what it means, what to do, and `all_actions` for all
    of them, with a name for keys; each of them within.
    """
    first, last = places[0], places[-1]
    names = links.local(first.path, first.run), last.path.rpartition("/")[2]
    answers.place(f"findings-{short_id(first.root, first.path, last.path)}")
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            frame.badge(first.severity.value)
            st.markdown(f"**{len(places):,} × {md(names[0])} … {md(names[1])}**")
        for finding in first.findings:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                with st.container(gap=None, width="stretch"):
                    st.text(RULES[finding.rule].meaning)
                    st.caption(f"What to do: {md(finding.action)}")
                every = [place.placed(one) for place in places for one in place.findings if one.rule == finding.rule]
                all_actions(short_id(first.root, first.run, first.path, finding.rule), every)
        rules = (finding.rule for finding in first.findings)
        key = f"each-{short_id(first.root, first.path, *rules)}"
        each = st.expander(f"Each of the {len(places):,}", on_change="rerun", key=key)
        if each.open:
            with each:
                for place in places:
                    card(place, actions)


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

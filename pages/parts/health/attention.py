"""What needs somebody: one row for each run and kind of trouble, with the one button that helps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Severity
from core.services.health import FindingFilter, FindingGroup, PlacedFinding
from core.services.runs import series_choices
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame.text import shown
from pages.parts.health import mending
from pages.parts.resume import resume
from pages.parts.tables.lists import TF_ENDING
from waypoint_resume.names import short_id

# It follows from a damage of the same run, and tells what can still be done.
_FOLLOWS = "newest-not-restorable"
_LEFT_BEHIND = frozenset({"interrupted-save", "orphan-shard"})  # what a plan lets go


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All findings of one rule in a run, by folder; `follows` is that its newest checkpoint is lost by them."""

    groups: tuple[FindingGroup, ...]
    follows: FindingGroup | None = None

    @property
    def severity(self) -> Severity:
        """That of the rule."""
        return self.groups[0].severity


def rows(groups: Iterable[FindingGroup]) -> list[Row]:
    """One for each run and rule: the worst first, among these the runs whose newest checkpoint is lost. What follows
    from a damage stands with the first one of its run, alone only where there is none.
    """
    kinds: dict[tuple[str, str, str], list[FindingGroup]] = {}
    lost: dict[tuple[str, str], FindingGroup] = {}
    for group in groups:
        if group.rule == _FOLLOWS:
            lost.setdefault((group.root, group.run), group)
        else:
            kinds.setdefault((group.root, group.run, group.rule), []).append(group)
    found: list[Row] = []
    for (root, run, _), several in kinds.items():
        is_damage = several[0].severity is Severity.ERROR
        found.append(Row(groups=tuple(several), follows=lost.pop((root, run), None) if is_damage else None))
    found += [Row(groups=(group,), follows=group) for group in lost.values()]
    return sorted(found, key=lambda row: (-row.severity.rank, row.follows is None))


def draw(row: Row) -> None:
    """The row: how bad, which run, what is wrong in a sentence, and the button."""
    first = row.groups[0]
    key = short_id(first.root, first.run, first.rule)
    answers.place(f"attention-{key}")
    only = _only(first) if len(row.groups) == 1 and first.number == 1 else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width=90):
            frame.badge(row.severity.value)
        with st.container(gap=None, width="stretch"):
            links.run_link(first.root, first.run)
            st.text(shown(_told(row, only)))
        with st.container(width="content"):
            _button(row, only, key)


def _told(row: Row, only: PlacedFinding | None) -> str:
    first, number = row.groups[0], sum(group.number for group in row.groups)
    if only is not None:
        told = [_short(only)]
    elif len(row.groups) == 1:
        told = [f"{first.label}."]
    else:
        told = [f"{number:,} × {first.rule.replace('-', ' ')} in {len(row.groups):,} folders."]
    if row.follows is not None and row.follows is not first:
        follows = _only(row.follows)
        told += [] if follows is None else [_short(follows)]
    return " ".join(told)


def _short(placed: PlacedFinding) -> str:
    """A finding's reason; paths in it begin at the run, and a name of TensorFlow's goes without its ending."""
    return placed.finding.reason.replace(f"{placed.run}/", "").replace(TF_ENDING, "")


def _button(row: Row, only: PlacedFinding | None, key: str) -> None:
    """To go on from what is left, to mend, to let go of what a save left behind; else the run's page."""
    first = row.groups[0]
    query = links.run_query(first.root, first.run)
    if row.follows is not None:
        answers.button("Resume…", _resume, first.root, first.run, key=f"attend-{key}", icon=":material/play_circle:")
    elif only is not None and first.rule in mending.RULES:
        mending.button(only)
    elif first.rule in _LEFT_BEHIND:
        st.page_link(links.STORAGE, label="What could go", icon=":material/database:", query_params=query)
    else:
        st.page_link(links.RUN, label="Open", icon=":material/folder:", query_params=query)


def _resume(root: str, run: str) -> None:
    """Open the dialog about the latest restorable checkpoint, of the series whose newest save came last."""
    try:
        choices = series_choices(service.workspace(), root, run)
    except CoreError as error:
        answers.put(str(error), is_problem=True)
        return
    chosen = next((choice.chosen for choice in choices if choice.passed_over and choice.chosen), None)
    if chosen is None:
        answers.put("Nothing of this run can be restored any more.", is_problem=True)
    else:
        resume.ask(chosen)


def _only(group: FindingGroup) -> PlacedFinding | None:
    """The first finding of a group."""
    where = FindingFilter(root=group.root, run=group.run, folder=group.folder, rule=group.rule)
    return next(iter(service.workspace().reader.findings(where, limit=1)), None)


def runs_of(found: Sequence[Row]) -> int:
    """How many runs they are about."""
    return len({(row.groups[0].root, row.groups[0].run) for row in found})

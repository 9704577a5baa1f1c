"""Which findings are asked for: the filters of the Health page, kept in its URL."""

import contextlib
from collections.abc import Iterable

import streamlit as st

from core.base.errors import NotFoundError
from core.base.records import Root, Run, Severity
from core.services.health import RULES, FindingFilter
from core.services.runs import RunFilter
from pages.parts.frame import service
from pages.parts.tables import tables
from waypoint_resume.names import from_text, to_text

RUN = "in_run"  # its name in the URL: `run` belongs to the page of a run
MOST_RUNS = 500  # that the choice of runs offers
WORST_FIRST = sorted(RULES.values(), key=lambda rule: -rule.severity.rank)
_SEVERITIES = tuple(severity.value for severity in reversed(Severity))
_EMPTY: dict[str, object] = {"q": "", RUN: None, "rule": None, "severity": []}
_ACCEPTED = "Show the findings that people accepted, each with its note, in place of those that count."
_IN = " in "  # between a run and its root, where there are several roots


def ask(accepted: int) -> FindingFilter:
    """The filters, kept in the URL. What the URL says and is not known is left out. `accepted`: how many there are."""
    runs = _runs()
    keeps = tables.FILTER
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Search", key="q", placeholder="part of a path", icon=":material/search:", **keeps)
        name = st.selectbox("Run", list(runs), index=None, placeholder="any", key=RUN, **keeps)
        rules = [rule.id for rule in WORST_FIRST]
        rule = st.selectbox("Rule", rules, index=None, placeholder="any", key="rule", **keeps)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        severities = st.pills("Severity", _SEVERITIES, selection_mode="multi", key="severity", **keeps)
        with st.container(horizontal=True, width="content", gap="small"):
            st.text(f"{accepted:,} accepted")
            # A label that changes would lose its tie to the URL.
            only = st.toggle("Show", key="accepted", help=_ACCEPTED, **keeps)
    run = runs.get(name or "")
    return FindingFilter(
        root=None if run is None else run.root,
        run=None if run is None else run.path,
        rule=rule,
        text=text or "",
        severities=tuple(severities),
        accepted=only,
    )


def clear() -> None:
    """Let go of every filter but the choice between findings that count and accepted ones."""
    st.session_state.update(_EMPTY)
    tables.first_page()


def show_only(rule: str) -> None:
    """List one rule alone."""
    st.session_state["rule"] = rule
    tables.first_page()


def is_filtered(where: FindingFilter) -> bool:
    """Whether anything is filtered away."""
    return where != FindingFilter(accepted=where.accepted)


def run_name(run: Run) -> str:
    """A run as the choice and the page's URL name it."""
    name, roots = to_text(run.path), service.workspace().reader.roots()
    return name if len(roots) == 1 else name + _IN + to_text(_root_path(run, roots))


def _runs() -> dict[str, Run]:
    """The runs to choose from: those with the most errors, and the one that the URL names."""
    workspace = service.workspace()
    now, roots = workspace.now(), workspace.reader.roots()
    found = list(workspace.reader.runs(RunFilter(), now, sort="errors", limit=MOST_RUNS).items)
    asked = st.query_params.get(RUN, "")
    for root in roots if asked else ():
        ending = "" if len(roots) == 1 else _IN + to_text(root.path)
        with contextlib.suppress(NotFoundError, ValueError):  # the choice then says "any", which is what holds
            if asked.endswith(ending):
                found.append(workspace.reader.run(root.id, from_text(asked.removesuffix(ending)), now))
    return {run_name(run): run for run in sorted(found, key=lambda run: run.path)}


def _root_path(run: Run, roots: Iterable[Root]) -> str:
    return next((root.path for root in roots if root.id == run.root), run.root)

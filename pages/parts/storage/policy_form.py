"""Asking for a plan: for which runs, and by which policy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from core.base.direction import Direction
from core.base.errors import SettingsError
from core.base.records import Run
from core.services import retention
from core.services.retention import LEFTOVERS, RULES, Key, Kind, Plan, Policy, parse_policy
from core.services.runs import RunFilter
from core.services.sweeps import Sweep, runs_of
from pages.parts.frame import format as fmt
from pages.parts.frame import links, reads, service
from pages.parts.frame.text import md, md_lines, shorten, shown
from pages.parts.runs import sweep_lists
from waypoint_resume.names import to_text

SETTINGS, TRY = "of the settings", "to try"
MOST_RUNS = 200  # that the choice of runs offers
_PLAN, _ASKED = "storage_plan", "storage_plan_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A plan that was asked for; `policy` is None for those of the settings."""

    plan: Plan
    policy: Policy | None


def ask(now: datetime) -> Tried | None:
    """The form; the plan that was asked for last, until `forget`."""
    named = _named_run()
    sweep = _named_sweep()
    how = st.segmented_control("Policy", [SETTINGS, TRY], default=TRY if sweep else SETTINGS, key="policy")
    with st.form("plan", border=True):
        if how == TRY:
            st.caption("Any rule that keeps a checkpoint is enough for it to stay. Empty fields are no rules.")
            values = _rules(sweep)
        else:
            st.markdown(_settings_text())
            values = {}
        chosen = _choose_runs(now, named) if sweep is None else _runs_of(sweep)
        if st.form_submit_button("Show what would go", type="primary", icon=":material/rule:"):
            _plan(values if how == TRY else None, chosen())
    tried: Tried | None = st.session_state.get(_PLAN)
    return tried


def forget() -> None:
    """Let go of the plan: it was carried out."""
    st.session_state.pop(_PLAN, None)


def _named_run() -> Run | None:
    """The run that the link names; its plan by the settings is made at once."""
    if not st.query_params.get("run"):
        if not st.query_params.get("sweep"):
            st.session_state.pop(_ASKED, None)
        return None
    _, run = reads.asked_run()
    if st.session_state.get(_ASKED) != (run.root, run.path):
        st.session_state[_ASKED] = (run.root, run.path)
        _plan(None, [run])
    return run


def _named_sweep() -> Sweep | None:
    """The sweep that the link names; a plan of another one is let go of."""
    if not st.query_params.get("sweep"):
        return None
    sweep = reads.asked_sweep()
    if st.session_state.get(_ASKED) != (sweep.root, sweep.path, "sweep"):
        st.session_state[_ASKED] = (sweep.root, sweep.path, "sweep")
        forget()
    return sweep


def _runs_of(sweep: Sweep) -> Callable[[], Sequence[Run]]:
    """Gives the runs of a sweep's trials."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Of the trials of **{md(shorten(shown(sweep_lists.name_of(sweep))))}**", width="content")
        st.page_link(links.STORAGE, label="Of all runs", icon=":material/close:")
    return lambda: list(runs_of(service.workspace(), sweep.root, sweep.path).values())


def _rules(sweep: Sweep | None) -> dict[str, object]:
    """The rules that were filled in, as the keys of `[[retention]]`. Who comes from a sweep asks for its best.

    Rules of one key share a line, one of several has a line for itself.
    """
    asked = [[key for key in row.keys if key.label] for row in RULES]
    lines = [[*(keys[0] for keys in asked if len(keys) == 1), LEFTOVERS], *(keys for keys in asked if len(keys) > 1)]
    found: dict[str, object] = {}
    for line in lines:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            found |= {key.name: _field(key, sweep) for key in line}
    return {key: value for key, value in found.items() if value not in (None, "")}


def _field(key: Key, sweep: Sweep | None) -> object:
    """What was filled in for a key."""
    width = max(150, 10 + 8 * len(key.label))
    if key.kind is Kind.FLAG:
        return st.checkbox(key.label, key=key.name, help=key.tip) or None
    if key.kind is Kind.TEXT:
        return st.text_input(key.label, placeholder=key.placeholder, key=key.name, width=width, help=key.tip)
    if key.kind is Kind.MODE:
        modes = [mode.value for mode in Direction]
        return st.selectbox(
            key.label, modes, index=None, placeholder=key.placeholder, key=key.name, width=width, help=key.tip
        )
    value = None if sweep is None else key.of_sweep
    name = key.name if value is None else f"{key.name}_of_sweep"
    least = 1 if key.kind is Kind.WHOLE else 0.0
    return st.number_input(key.label, min_value=least, value=value, key=name, width=width, help=key.tip)


def _settings_text() -> str:
    count = len(service.workspace().retention)
    if not count:
        return "No `[[retention]]` is set in `waypoint.toml`, so that only leftovers would go."
    return f"{fmt.count(count, 'policy', 'policies')} in `waypoint.toml`: the first that is for a run governs it."


def _choose_runs(now: datetime, named: Run | None) -> Callable[[], Sequence[Run]]:
    """Gives the chosen runs, else all that fit the text; all without either."""
    reader = service.workspace().reader
    offered = reader.runs(RunFilter(), now, sort="bytes", limit=MOST_RUNS)
    roots = {root.id: to_text(root.path) for root in reader.roots()}
    names: dict[str, Run] = {}
    for run in (*([] if named is None else [named]), *offered.items):
        names[shown(links.run_name(run.path)) + (f" in {roots[run.root]}" if len(roots) > 1 else "")] = run
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Runs", list(names), default=list(names)[:1] if named else [], key="plan_runs", placeholder="all"
        )
        text = st.text_input(
            "or all whose path contains", key="plan_text", placeholder="part of a path", icon=":material/search:"
        )
    if offered.total > MOST_RUNS:
        st.caption(f"Offered are the {MOST_RUNS:,} runs with the most bytes of {offered.total:,}.")
    if chosen:
        return lambda: [names[name] for name in chosen]
    return lambda: reader.runs(RunFilter(text=text), now, sort="path", descending=False, limit=None).items


def _plan(values: Mapping[str, object] | None, runs: Sequence[Run]) -> None:
    try:
        policy = None if values is None else parse_policy(values)
        with st.spinner(f"Planning {fmt.count(len(runs), 'run')}…"):
            made = retention.plan(service.workspace(), runs, policy)
    except SettingsError as error:
        forget()
        st.error(md_lines(str(error)), icon=":material/error:")
        return
    st.session_state[_PLAN] = Tried(plan=made, policy=policy)

"""Sweeps and their trials as tables, and what a run is of a sweep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from core.base.records import Run
from core.base.sizes import FILE_SIZE
from core.services.sweeps import (
    SOURCES,
    Direction,
    Sweep,
    SweepKind,
    Trial,
    ordinal,
    parent_of,
    score_text,
    trial_results,
)
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, service
from pages.parts.frame.text import md, shorten, shown
from pages.parts.tables.tables import PAGE_ROWS, Column, pages, show

KINDS = {source.kind: source.label for source in SOURCES}
BETTER = {Direction.MIN: "lower is better", Direction.MAX: "higher is better", None: "which is better is not told"}
STATUS_COLORS = {"completed": "green", "running": "blue", "waiting": "gray", "stopped": "gray", "unknown": "orange"}
_FEW = 8  # sweeps that are shown at once
_MOST_PARAMS = 6  # columns
_MOST_TOLD = 30  # hyperparameters in a line


def name_of(sweep: Sweep) -> str:
    """How a sweep is called; that of the root's own folder has no name."""
    return sweep.path or "(the root itself)"


def sweeps(text: str) -> None:
    """The sweeps whose path holds a text, on the Runs page; nothing where there are none."""
    found = [one for one in service.workspace().sweeps.sweeps() if text.casefold() in shown(one.path).casefold()]
    if not found:
        return
    sizes = service.workspace().sweeps.sizes()
    with st.expander(fmt.count(len(found), "sweep"), expanded=len(found) <= _FEW, icon=":material/tune:"):
        columns = (
            Column[Sweep](head="sweep", cell=lambda one: shorten(shown(name_of(one))), name=True),
            Column[Sweep](head="tuner", cell=lambda one: KINDS[one.kind]),
            Column[Sweep](head="trials", cell=lambda one: fmt.number(one.trials), right=True),
            Column[Sweep](head="best trial", cell=_best_name),
            Column[Sweep](head="best score", cell=_best_score),
            Column[Sweep](
                head="file size",
                cell=lambda one: fmt.size(sizes.get((one.root, one.path), 0)),
                right=True,
                help=FILE_SIZE,
            ),
        )
        offset = pages(len(found), key="sweep_page")
        opens = (links.SWEEP, lambda one: links.sweep_query(one.root, one.path))
        show(columns, found[offset : offset + PAGE_ROWS], key="sweeps", alt="Sweeps, one a row", opens=opens)


def trial_of(run: Run) -> None:
    """What a run is of a sweep, on its page; nothing where it is no trial."""
    found = trial_results(service.workspace(), [(run.root, run.path)]).get((run.root, run.path))
    if found is None:
        return
    trial, sweep = found.trial, found.sweep
    with st.container(border=True, key="trial"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            status_badge(trial)
            st.markdown(f"**Trial {md(trial.name)}**: {_told(sweep, trial)}", width="content")
            label = f"The sweep {md(shorten(shown(name_of(sweep))))}"
            query = links.sweep_query(run.root, sweep.path)
            st.page_link(links.SWEEP, label=label, icon=":material/tune:", query_params=query)
        if trial.params:
            st.text(in_a_line(trial.params))
        for note in filter(None, (trial.problem, trial.needed)):
            st.caption(md(note))


def trials(sweep: Sweep, found: Sequence[Trial], runs: Mapping[str, Run], *, key: str) -> None:
    """The trials of a sweep in the given order; those that have no run lead nowhere."""
    varied, _ = params_of(found)
    has_runs = any(trial.path in runs for trial in found)
    size = Column[Trial](head="file size", cell=lambda one: fmt.size(runs[one.path].bytes), right=True, help=FILE_SIZE)
    columns = (
        Column[Trial](head="trial", cell=lambda one: shorten(shown(one.path.rpartition("/")[2])), name=True),
        Column[Trial](head="rank", cell=lambda one: fmt.number(one.rank), right=True, width=60),
        Column[Trial](head="score", cell=_score, right=True, help="The value of the objective, see above."),
        Column[Trial](head="status", cell=lambda one: [one.status.value], colors=status_color),
        *((size,) if has_runs else ()),
        *(Column[Trial](head=head, cell=partial(_param, name)) for name, head in varied.items()),
        Column[Trial](head="note", cell=lambda one: shown(one.problem or one.needed or fmt.NONE), width="medium"),
    )
    opens = (links.RUN, lambda one: links.run_query(sweep.root, one.path)) if has_runs else None
    show(columns, found, key=key, alt="Trials, one a row, the best first", opens=opens)


def params_of(found: Sequence[Trial]) -> tuple[dict[str, str], dict[str, str]]:
    """The hyperparameters that differ between trials, as many as have room, each with its column's head; and those that
    are equal in all, with their values.
    """
    values: dict[str, Counter[str | None]] = {}
    for trial in found:
        for name, value in trial.params:
            values.setdefault(name, Counter())[value] += 1
    equal = {name: next(iter(seen)) for name, seen in values.items() if len(seen) == 1 and seen.total() == len(found)}
    own = {"trial", "rank", "score", "status", "file size", "note"}
    varied = {
        name: f"{shown(name)} (parameter)" if shown(name) in own else shown(name)
        for name in values
        if name not in equal
    }
    return dict(list(varied.items())[:_MOST_PARAMS]), {name: value or "" for name, value in equal.items()}


def in_a_line(params: Sequence[tuple[str, str]]) -> str:
    """Hyperparameters with their values, as many as one reads."""
    told = [f"{name} = {value}" for name, value in params[:_MOST_TOLD]]
    more = [f"and {len(params) - _MOST_TOLD:,} more"] if len(params) > _MOST_TOLD else []
    return shown(", ".join([*told, *more]))


def status_color(word: str) -> str:
    """The colour of a trial's status."""
    return STATUS_COLORS.get(word, "red")


def status_badge(trial: Trial) -> None:
    """A trial's status as a badge."""
    frame.badge(trial.status.value, color=status_color(trial.status.value))


def _told(sweep: Sweep, trial: Trial) -> str:
    if trial.score is None:
        return "no score"
    score = md(score_text(sweep.objective.name, trial.score))
    if trial.rank is None:
        return f"{score}, {BETTER[None] if sweep.objective.direction is None else 'not ranked'}"
    return f"{ordinal(trial.rank)} of {sweep.ranked:,} by {score} ({BETTER[sweep.objective.direction]})"


def _score(trial: Trial) -> str:
    return fmt.NONE if trial.score is None else f"{trial.score:.6g}"


def _param(name: str, trial: Trial) -> str:
    return shown(dict(trial.params).get(name, fmt.NONE))


def _best_name(sweep: Sweep) -> str:
    return fmt.NONE if sweep.best is None else shown(sweep.best[len(parent_of(sweep.best)) :].lstrip("/"))


def _best_score(sweep: Sweep) -> str:
    return fmt.NONE if sweep.best_score is None else shown(score_text(sweep.objective.name, sweep.best_score))


def objective_told(sweep: Sweep) -> str:
    """Which scores are better, and how that is known."""
    if sweep.objective.direction is None:
        return "no file of the tuner tells which scores are better"
    how = "its best values are the trials' scores" if sweep.kind is SweepKind.KERAS_TUNER else "from the state"
    return f"{BETTER[sweep.objective.direction]}; {how}"

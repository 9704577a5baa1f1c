"""Carrying out a plan: the dialog that says what will happen, and what came of it."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import streamlit as st

from core.base.errors import CoreError
from core.services import quarantine, retention
from core.services.quarantine import Place, Quarantined
from core.services.retention import Item, Plan, Policy, RunPlan
from pages.parts.frame import acting, answers, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, shorten, shown
from pages.parts.storage import batch_list, deleting, policy_form
from pages.parts.tables import tables
from pages.parts.tables.tables import Column
from waypoint_resume.names import to_text

_NOTE_LENGTH = 2_000
_PATIENCE = 600.0  # seconds that a large disk may take to be looked at
_LEFT = "storage_left_out"


class Left(NamedTuple):
    """Something of a plan that stays after all, as text, and why."""

    run: str
    path: str
    why: str


@dataclass(slots=True)
class Outcome:
    """What became of a plan: batches, how many things went into them, and what stays after all."""

    batches: list[Place] = field(default_factory=list)
    items: int = 0
    left: list[Left] = field(default_factory=list)
    full: list[RunPlan] = field(default_factory=list)  # parts for which their disk had no room


def what(items: Iterable[Item]) -> str:
    """`3 checkpoints and 1 leftover`."""
    counts = Counter(item.kind.value for item in items)
    return " and ".join(fmt.count(number, kind) for kind, number in sorted(counts.items()))


def button(plan: Plan, policy: Policy | None) -> None:
    """The button "Move to quarantine…"."""
    answers.button(
        "Move to quarantine…",
        acting.ask,
        partial(_dialog, plan, policy),
        type="primary",
        icon=":material/inventory_2:",
        key="quarantine",
        disabled=not any(run.items for run in plan.runs),
    )


def outcome() -> None:
    """What was left out of the last move, and why, until it is dismissed."""
    left: list[Left] = st.session_state.get(_LEFT, [])
    if not left:
        return
    with st.container(border=True):
        st.markdown(f":orange[:material/warning:] **{fmt.count(len(left), 'thing was', 'things were')} left out:**")
        columns = (
            Column[Left](head="path", cell=lambda one: shorten(shown(one.path)), name=True),
            Column[Left](head="run", cell=lambda one: shorten(shown(one.run))),
            Column[Left](head="why", cell=lambda one: shown(one.why), width="large"),
        )
        tables.show(columns, left[: tables.PAGE_ROWS], key="left-out", alt="What was left out, one thing a row")
        if len(left) > tables.PAGE_ROWS:
            st.caption(f"and {len(left) - tables.PAGE_ROWS:,} more")
        deleting.buttons()
        st.button("Dismiss the list", key="left_dismiss", type="tertiary", on_click=_dismiss)


@st.dialog("Move to quarantine", width="medium", icon=":material/inventory_2:", on_dismiss=acting.close)
def _dialog(plan: Plan, policy: Policy | None) -> None:
    parts = [run for run in plan.runs if run.items]
    items = [item for run in parts for item in run.items]
    files = sum(len(item.files) for item in items)
    live = sum(run.is_live and not run.needs_word for run in parts)
    held = f"{fmt.count(files, 'file')}, {fmt.size(plan.bytes)}"
    freed = fmt.size(plan.freed_bytes)
    lines = [
        f"{what(items)} of {fmt.count(len(parts), 'run')} go into quarantine: {held}.",
        f"Nothing is deleted. The disk gains {freed} when they are purged; until then Undo brings all of it back.",
        "Right before, the disk and all decisions are read again. What changed since the plan was made is left out.",
        "State files that name what goes are written anew.",
    ]
    if live:
        lines.append(f"{fmt.count(live, 'run is', 'runs are')} live: only leftovers go there.")
    days = service.workspace().settings.purge_after_days
    if days:
        lines.append(f"Waypoint purges by itself what has been in quarantine for {days:g} days.")
    st.markdown("\n".join(f"- {md(line)}" for line in lines))
    wanted = retention.confirmation_of(plan)
    if wanted is not None:
        st.warning(
            f"Nothing will be left to resume from of {md(wanted)}: all of their checkpoints go, because better trials "
            "of their sweep stay. Undo brings them back, until they are purged.",
            icon=":material/warning:",
        )
        typed = st.text_input(f"Type {md(wanted)} to confirm", key="quarantine_typed", placeholder=wanted)
    words = [_asked_word(run) for run in parts if run.needs_word]
    note = st.text_area(
        "Note", max_chars=_NOTE_LENGTH, height=80, key="quarantine_note", placeholder="Why? Kept with it."
    )
    if st.button("Move", type="primary", icon=":material/check:", key="quarantine_confirm"):
        try:
            retention.require_confirmation(plan, typed if wanted is not None else "")
        except CoreError as error:
            st.error(md(str(error)), icon=":material/error:")
            return
        with st.spinner("Looking at the disk again, then moving…"):
            _move(parts, policy, note, words)


def _asked_word(planned: RunPlan) -> str:
    """What is typed for a run whose job may have died of a full disk."""
    name = md(to_text(planned.run))
    return st.text_input(
        f"{name} was written lately, and its disk is full. If its job has ended, type {name}: else only leftovers go",
        key=f"quarantine_word-{planned.root}-{planned.run}",
    ).strip()


def moved(parts: Iterable[RunPlan], policy: Policy | None, note: str, words: Collection[str] = ()) -> Outcome:
    """Carry out a plan that was confirmed."""
    told = Outcome()
    for part in quarantine.carry_out(service.workspace(), parts, policy=policy, note=note, words=words):
        planned, name = part.planned, deleting.name_of(part.planned)
        if part.problem is not None:
            told.left.append(Left(name, "all of it", part.problem))
        if part.is_full:
            told.full.append(planned)
        if part.done is None:
            continue
        told.left += [Left(name, to_text(one.path), "; ".join(one.reasons)) for one in part.done.left_out]
        if isinstance(part.done, Quarantined) and part.done.journal is not None:
            told.items += len(part.done.journal.items)
            told.batches.append((planned.root, planned.run, part.done.journal.id))
        service.current().acted(planned.root, planned.run)
    return told


def _move(parts: Iterable[RunPlan], policy: Policy | None, note: str, words: Collection[str]) -> None:
    if not service.current().look_and_wait(_PATIENCE):
        st.error("The disk could not be looked at again, so nothing was moved.", icon=":material/error:")
        return
    done = moved(parts, policy, note, words)
    st.session_state[_LEFT] = done.left
    deleting.offer(done.full, policy)
    policy_form.forget()
    service.current().look_and_wait()
    acting.close()
    if done.batches:
        text = f"Moved to quarantine: {fmt.count(done.items, 'thing')} of {fmt.count(len(done.batches), 'run')}."
        acting.tell(text, undo=partial(batch_list.undo, *done.batches))
    else:
        acting.tell("Nothing was moved.")
    st.rerun()


def _dismiss() -> None:
    st.session_state.pop(_LEFT, None)
    deleting.offer((), None)

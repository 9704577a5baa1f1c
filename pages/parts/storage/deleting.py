"""The way out of a full disk: what a plan holds is deleted at once, after its run's name was typed."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from core.services import quarantine
from core.services.quarantine import Deleted
from core.services.retention import Policy, RunPlan, freed
from pages.parts.frame import acting, answers, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md, shorten, shown
from waypoint_resume.names import to_text

_OFFERED = "storage_to_delete"
_PATIENCE = 600.0  # seconds that a large disk may take to be looked at
_SHOWN = 20  # files in the dialog


class Offer(NamedTuple):
    """A run's part of a plan that had no room for quarantine, and the policy that was tried (None: the settings')."""

    planned: RunPlan
    policy: Policy | None


def offer(parts: Sequence[RunPlan], policy: Policy | None) -> None:
    """Offer to delete what could not be moved, in place of what was offered before."""
    st.session_state[_OFFERED] = [Offer(part, policy) for part in parts]


def buttons() -> None:
    """A button for each run whose disk is full."""
    for number, one in enumerate(st.session_state.get(_OFFERED, [])):
        answers.button(
            f"Delete at once, of {md(shorten(shown(links.run_name(one.planned.run))))}…",
            acting.ask,
            partial(_dialog, one),
            icon=":material/delete_forever:",
            key=f"delete_now-{number}",
        )


@st.dialog("Delete at once", width="medium", icon=":material/delete_forever:", on_dismiss=acting.close)
def _dialog(one: Offer) -> None:
    planned, name = one.planned, to_text(one.planned.run)
    files = [(planned.folder, file) for item in planned.items for file in item.files]
    st.warning("This deletes the files for good. It cannot be undone.", icon=":material/warning:")
    lines = [
        f"The disk of {links.run_name(planned.run)} has no room for quarantine, which frees nothing by itself.",
        f"{fmt.count(len(planned.items), 'thing goes', 'things go')}: the disk gains {fmt.size(freed(files))}.",
        "Right before, the disk and all decisions are read again. What changed since the plan was made stays.",
    ]
    if planned.needs_word:
        lines.append("The run was written lately: typing its name also says that its job has ended.")
    st.markdown("\n".join(f"- {md(line)}" for line in lines))
    for _, file in files[:_SHOWN]:
        st.text(shown(to_text(file.path)))
    if len(files) > _SHOWN:
        st.caption(f"and {len(files) - _SHOWN:,} more files")
    typed = st.text_input(f"Type the run's name, {md(name)}, to confirm", key="delete_typed")
    if st.button("Delete for good", type="primary", icon=":material/delete_forever:", key="delete_confirm"):
        with st.spinner("Looking at the disk again, then deleting…"):
            _delete(one, typed.strip())


def _delete(one: Offer, typed: str) -> None:
    planned = one.planned

    def act() -> Deleted:
        workspace = service.workspace()
        service.current().look_and_wait(_PATIENCE)
        run = workspace.reader.run(planned.root, planned.run, workspace.now())
        try:
            # That trials are left without a checkpoint was confirmed before the move was tried.
            return quarantine.delete(workspace, run, planned, policy=one.policy, confirm=typed, empties=True)
        finally:
            service.current().acted(planned.root, planned.run)

    acting.from_dialog(act, partial(_told, one), failed="Nothing more was deleted.")


def _told(one: Offer, deleted: Deleted) -> str:
    """The offer is gone, and this is what came of it."""
    st.session_state[_OFFERED] = [other for other in st.session_state.get(_OFFERED, []) if other != one]
    stays = f"; {fmt.count(len(deleted.left_out), 'thing stays', 'things stay')}" if deleted.left_out else ""
    count = fmt.count(len(deleted.paths), "thing")
    return f"Deleted for good: {count} of {name_of(one.planned)}, {fmt.size(deleted.freed_bytes)} freed{stays}."


def name_of(planned: RunPlan) -> str:
    """A run as people read it."""
    return to_text(links.run_name(planned.run))

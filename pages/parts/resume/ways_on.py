"""The part of the dialog that asks how training goes on: continue, rewind or fork, each by its consequences."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.base.records import Checkpoint
from core.services.resume import (
    Mode,
    Outlook,
    Proposal,
    Scalar,
    is_backup,
    parse_overrides,
    refused_by_client,
    why_no_fork,
)
from pages.parts.frame import format as fmt
from pages.parts.frame import links, reads, service
from pages.parts.frame.text import md, shown
from waypoint_resume.names import to_text

_LISTED = 20
_ALL, _WEIGHTS = "Everything", "The weights alone"
_ANEW = "A new training begins with them, with its own optimizer and from epoch 0; best as a fork."
# Of any name: which one it gets is typed below.
_FORKED = "A new run beside this one gets a copy; this one stays as it is, byte for byte."


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What was typed beside the mode: the run's name for the rewind of a live run, the name of a fork; and what is
    still missing or wrong.
    """

    confirm: str = ""
    fork_name: str | None = None
    problem: str | None = None


def weights_alone(checkpoint: Checkpoint, *, key: str) -> bool:
    """Whether the weights alone are handed over: asked where the job's side can take them."""
    if refused_by_client(checkpoint) is not None:
        return False
    picked = st.segmented_control("What does the job take?", [_ALL, _WEIGHTS], default=_ALL, key=key)
    if picked == _WEIGHTS:
        st.caption(_ANEW)
    return picked == _WEIGHTS


def choose(checkpoint: Checkpoint, proposal: Proposal, *, key: str) -> Mode:
    """One of the modes that are possible, the proposed one first; the others are told with what stands against them."""
    possible = [look for look in proposal.outlooks if look.possible]
    modes = [look.mode for look in possible]
    picked = proposal.mode
    if modes:
        picked = st.radio(
            "How does training go on?",
            modes,
            index=modes.index(proposal.mode) if proposal.mode in modes else 0,
            format_func=lambda mode: mode.value.capitalize(),
            captions=[md(_consequence(look)) for look in possible],
            key=key,
        )
    is_for_life = proposal.mode is Mode.FORK and proposal.is_live and not proposal.restore.weights_only
    if is_for_life and Mode.REWIND in modes:
        st.caption(
            f":material/info: Fork is proposed because the run counts as live: {_live(checkpoint)}. A rewind would "
            "take checkpoints from under its job."
        )
    for look in proposal.outlooks:
        if not look.possible:
            st.caption(f":material/block: {look.mode.value.capitalize()} is not possible. {md(look.consequence)}")
    return picked or proposal.mode


def ask(checkpoint: Checkpoint, proposal: Proposal) -> Way:
    """What a mode needs besides."""
    if proposal.mode is Mode.FORK:
        beside = posixpath.dirname(checkpoint.run)
        place = f"In {to_text(beside)}/, beside this run." if beside else "Beside this run."
        typed = st.text_input("Name of the new run", value=proposal.fork_name, key="fork_name", help=md(place))
        name = (typed or "").strip()
        return Way(fork_name=name, problem=why_no_fork(service.workspace(), checkpoint, name))
    if proposal.mode is not Mode.REWIND:
        return Way()
    if not proposal.is_live:
        return Way()
    run = to_text(checkpoint.run)
    st.warning(
        f"This run counts as live: {_live(checkpoint)}. First end a job that still runs in it: it would go on from "
        "what is set aside, and save over it.",
        icon=":material/warning:",
    )
    typed = (st.text_input(f"Type the run's name to go on: {md(run)}", key="rewind_confirm") or "").strip()
    return Way(confirm=typed, problem=None if typed == run else "Type the run's name to go on.")


def show_asides(checkpoint: Checkpoint, proposal: Proposal) -> None:
    """What a rewind sets aside, folded."""
    if proposal.mode is not Mode.REWIND:
        return
    with st.expander(f"Set aside: {_counted(proposal)}", icon=":material/inventory_2:"):
        for aside in proposal.asides[:_LISTED]:
            local = links.local(aside.checkpoint.path, checkpoint.run)
            st.text(shown(f"{local}, {fmt.size(aside.checkpoint.bytes)}: {aside.reason}"))
        if len(proposal.asides) > _LISTED:
            st.caption(f"and {len(proposal.asides) - _LISTED:,} more")
        st.caption("And what the job saves until then. The Storage page brings it back.")


def _consequence(look: Outlook) -> str:
    """What a possible mode does."""
    return _FORKED if look.mode is Mode.FORK else look.consequence


def _live(checkpoint: Checkpoint) -> str:
    """Why the run counts as live, as a clause."""
    workspace, (root, run) = service.workspace(), (checkpoint.root, checkpoint.run)
    now, beat = workspace.now(), reads.heartbeat(root, run)
    if beat is not None and beat.is_fresh:
        return f"a job's heartbeat came {fmt.span(beat.age)} ago"
    return f"it changed {fmt.ago(workspace.reader.run(root, run, now).changed_at, now)}"


def _counted(proposal: Proposal) -> str:
    """What a rewind sets aside, counted as its consequence does."""
    backups = sum(is_backup(aside.checkpoint) for aside in proposal.asides)
    found = [fmt.count(len(proposal.asides) - backups, "checkpoint")] if len(proposal.asides) > backups else []
    return " and ".join([*found, *(["BackupAndRestore's data"] if backups else [])])


def overrides() -> tuple[Mapping[str, Scalar], str | None]:
    """Settings that the job changes after the restore; and what is wrong with what was typed."""
    with st.expander("Change settings of the optimizer", icon=":material/tune:"):
        text = st.text_area(
            "Overrides, one a line",
            key="overrides",
            height=80,
            placeholder="learning_rate = 0.0003",
            help="The job applies them after the restore, and refuses what its optimizer does not have.",
        )
    try:
        return parse_overrides((text or "").splitlines()), None
    except ValueError as error:
        st.error(md(str(error)), icon=":material/error:")
        return {}, str(error)

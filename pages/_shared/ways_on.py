"""The part of the dialog that asks how training goes on: continue, rewind or fork, each by its consequences."""

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.decisions.values import scalar
from core.fs.names import to_text
from core.model import Checkpoint
from core.resume.manifest import Mode, Scalar
from core.resume.propose import Proposal
from pages._shared import format as fmt
from pages._shared import links
from pages._shared.text import md, shown

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What was typed beside the mode: the run's name for the rewind of a live run, the name of a fork."""

    confirm: str = ""
    fork_name: str | None = None


def choose(proposal: Proposal, *, key: str) -> Mode:
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
            captions=[md(look.consequence) for look in possible],
            key=key,
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
        name = st.text_input("Name of the new run", value=proposal.fork_name, key="fork_name", help=md(place))
        return Way(fork_name=(name or "").strip())
    if proposal.mode is not Mode.REWIND:
        return Way()
    with st.expander(f"Set aside: {fmt.count(len(proposal.asides), 'checkpoint')}", icon=":material/inventory_2:"):
        for aside in proposal.asides[:_LISTED]:
            local = links.local(aside.checkpoint.path, checkpoint.run)
            st.text(shown(f"{local}, {fmt.size(aside.checkpoint.bytes)}: {aside.reason}"))
        if len(proposal.asides) > _LISTED:
            st.caption(f"and {len(proposal.asides) - _LISTED:,} more")
        st.caption("And what the job saves until then. The Storage page brings it back.")
    if not proposal.is_live:
        return Way()
    run = to_text(checkpoint.run)
    st.warning(
        "This run is live. A job that still saves into it goes on from what is moved.", icon=":material/warning:"
    )
    typed = st.text_input(f"Type the run's name to go on: {md(run)}", key="rewind_confirm")
    return Way(confirm=(typed or "").strip())


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
        return parse(text or ""), None
    except ValueError as error:
        st.error(md(str(error)), icon=":material/error:")
        return {}, str(error)


def parse(text: str) -> dict[str, Scalar]:
    """Names and values, `name = value` in each line; a value is JSON (0.001, true, null), or else text as it stands.

    ValueError names the line.
    """
    found: dict[str, Scalar] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not sign or not name or not value:
            raise ValueError(f"Line {number} is no override: write it as name = value.")
        if name in found:
            raise ValueError(f"Line {number}: {name} stands there twice.")
        found[name] = _value(value, number)
    return found


def _value(text: str, number: int) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    try:
        return scalar(value)  # type: ignore[return-value]
    except ValueError as error:
        raise ValueError(f"Line {number}: {error}.") from None

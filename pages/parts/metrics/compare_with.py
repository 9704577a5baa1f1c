"""The ways to a comparison: of a run with others, and of a checkpoint with another one of its run."""

import streamlit as st

from core.base.records import Checkpoint
from pages.parts.frame import links, service
from pages.parts.frame.text import shown


def run_link(root: str, run: str) -> None:
    """A link to the page on which a run stands beside others."""
    query = {"runs": links.compare_value(root, run)}
    st.page_link(links.COMPARE, label="Compare…", icon=":material/compare_arrows:", query_params=query)


def checkpoint_box(checkpoint: Checkpoint) -> None:
    """The choice of another checkpoint of the run to stand beside this one."""
    with st.popover("Compare…", icon=":material/compare_arrows:"):
        members = service.workspace().members(checkpoint.root, checkpoint.run)
        others = {links.compare_value(item.root, item.path): item for item in members if item.path != checkpoint.path}
        if not others:
            st.caption("The run has no other checkpoint.")
            return
        chosen = st.selectbox(
            "With",
            list(others),
            index=None,
            format_func=lambda value: shown(links.local(others[value].path, others[value].run)),
            placeholder="Choose a checkpoint of this run",
        )
        if chosen is not None:
            pair = [("checkpoints", links.compare_value(checkpoint.root, checkpoint.path)), ("checkpoints", chosen)]
            st.page_link(links.COMPARE, label="Side by side", icon=":material/arrow_forward:", query_params=pair)

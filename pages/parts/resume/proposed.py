"""What a proposal says: the checkpoint, what is replaced, what was checked, and what is so of most checkpoints."""

import streamlit as st

from core.base.records import Checkpoint
from core.services.manifests import ManifestState
from core.services.resume import Caution, Proposal
from pages.parts.checkpoint import facts
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, links, reads, service
from pages.parts.frame.text import md
from pages.parts.health import findings
from pages.parts.resume import manifests

USUAL = frozenset({"not-in-the-file", "epoch-unknown"})  # warnings that say nothing of this checkpoint alone


def usual(proposal: Proposal) -> list[Caution]:
    """The warnings that say nothing of this checkpoint alone."""
    return [caution for caution in proposal.warnings if caution.id in USUAL]


def show_usual(proposal: Proposal) -> None:
    """What is so of every checkpoint beside which no state was kept, in one line; the whole of it on hover."""
    if found := usual(proposal):
        words = "; ".join(manifests.ACCEPTED[caution.id] for caution in found)
        st.caption(f"As of most checkpoints: {words}.", help="\n\n".join(md(caution.text) for caution in found))


def show_name(checkpoint: Checkpoint) -> None:
    """Which checkpoint of which run."""
    run = links.run_name(checkpoint.run)
    st.markdown(f"**{md(links.local(checkpoint.path, checkpoint.run))}** of run **{md(run)}**")


def show_facts(checkpoint: Checkpoint, proposal: Proposal) -> None:
    """What tells the checkpoint from others, and what of it is restored by which call."""
    restore, now = proposal.restore, service.workspace().now()
    step, epoch = checkpoint.facts.step, checkpoint.facts.epoch
    with st.container(horizontal=True, gap="medium"):
        frame.fact("Step", fmt.sourced(step), tip=facts.source(step) or "not known")
        frame.fact("Epoch", fmt.sourced(epoch), tip=facts.source(epoch) or "not known")
        frame.fact("Saved", fmt.ago(checkpoint.saved_at, now), tip=fmt.exact(checkpoint.saved_at))
        frame.fact("Contents", fmt.CONTENTS[checkpoint.facts.contents])
        frame.fact("Optimizer", restore.optimizer.value if restore.optimizer else "depends on the job")
        frame.fact("Restored by", "waypoint_resume" if restore.weights_only else restore.api.value)


def show_replaced(checkpoint: Checkpoint) -> None:
    """The manifest that a new one replaces."""
    entry = reads.unfinished(checkpoint.root, checkpoint.run)
    if entry is not None:
        manifest, words = entry.manifest, "which is kept as superseded"
        if entry.state is ManifestState.CLAIMED:
            words += "; its job, which has not finished it, takes the new one when it is started again"
        st.info(
            f"This replaces the {entry.state.value} manifest of {md(manifest.created_by)} for "
            f"{md(manifest.checkpoint.path)}, {words}.",
            icon=":material/swap_horiz:",
        )


def show_checks(proposal: Proposal) -> None:
    """What was checked, folded."""
    passed, total = sum(check.ok for check in proposal.checks), len(proposal.checks)
    result = "all passed" if passed == total else f"{passed} passed, {total - passed} not known or not met"
    with st.expander(f"{fmt.count(total, 'check')}: {result}", icon=":material/checklist:"):
        for check in proposal.checks:
            icon = ":green[:material/check_circle:]" if check.ok else ":orange[:material/help:]"
            st.markdown(f"{icon} **{md(check.name)}**: {md(findings.meanings(check.detail))}")

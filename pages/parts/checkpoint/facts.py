"""A checkpoint's facts, each with its source."""

from datetime import datetime

import streamlit as st

from core.base.facts import Facts, RoleBytes, Sourced
from core.base.records import Checkpoint
from pages.parts.frame import format as fmt
from pages.parts.frame import frame
from pages.parts.frame.text import md


def main(checkpoint: Checkpoint, now: datetime) -> None:
    """The facts that tell checkpoints apart, each with its source."""
    step, epoch = checkpoint.facts.step, checkpoint.facts.epoch
    with st.container(horizontal=True, gap="medium"):
        frame.fact("Step", fmt.sourced(step), source(step) or checkpoint.facts.step_reason or "not stored")
        frame.fact("Epoch", fmt.sourced(epoch), source(epoch) or "not stored")
        frame.fact("Contents", fmt.CONTENTS[checkpoint.facts.contents], fmt.FORMATS[checkpoint.format])
        saved_from = f"{fmt.exact(checkpoint.saved_at)}, {fmt.SAVED_AT[checkpoint.saved_at_source]}"
        frame.fact("Saved", fmt.ago(checkpoint.saved_at, now), saved_from)
        frame.fact("File size", fmt.size(checkpoint.bytes), fmt.count(len(checkpoint.files), "file"))


def source(number: Sourced | None) -> str | None:
    """Where a number was read. A source is a variable's name, a file's name, or a phrase, which has spaces."""
    if number is None:
        return None
    is_variable = " " not in number.source and not number.source.endswith(".json")
    return f"from the variable {number.source}" if is_variable else f"from {number.source}"


def details(checkpoint: Checkpoint, facts: Facts, now: datetime) -> None:
    """The facts, each with its source."""
    with st.container(border=True):
        main(checkpoint, now)
        with st.container(horizontal=True, gap="medium"):
            if facts.save_counter:
                frame.fact("Save counter", fmt.sourced(facts.save_counter), source(facts.save_counter))
            frame.fact("Optimizer state", "yes" if facts.has_optimizer else "no")
            frame.fact("Architecture", "yes" if facts.has_architecture else "no")
            frame.fact("Variables", fmt.number(facts.variables))
            frame.fact("Parameters", fmt.number(facts.parameters), "without optimizer state")
            if checkpoint.metric is not None:
                frame.fact("Metric", fmt.metric(checkpoint.metric), "from the name")
            if facts.writer:
                frame.fact("Written by", facts.writer)
        if facts.contents_reason:
            st.caption(f"Contents: {md(facts.contents_reason)}")
        _roles(facts.role_bytes)


def _roles(sizes: RoleBytes) -> None:
    """Bytes by role, and what keeping the weights alone would save."""
    parts = {"weights": sizes.weights, "optimizer": sizes.optimizer, "other": sizes.other}
    total = sum(parts.values())
    if total:
        split = ", ".join(f"{name} {fmt.size(size)}" for name, size in parts.items() if size)
        share = f"{sizes.optimizer / total:.0%}"
        saved = f". Weights only would save {fmt.size(sizes.optimizer)} ({share})." if sizes.optimizer else ""
        st.caption(f"By role: {split}{saved}")

"""What a job's start really restored, on the card of the manifest that it followed."""

from datetime import datetime

import streamlit as st

from core.services.manifests import ManifestEntry, ReceiptEntry, manifest_receipts
from pages.parts.frame import format as fmt
from pages.parts.frame import frame, service
from pages.parts.frame.text import lines, md, shown

_DIGITS = 12  # of a digest: enough to compare by eye


def draw(root: str, run: str, entry: ManifestEntry, now: datetime) -> None:
    """The newest start's receipt; nothing where no start left one."""
    found = manifest_receipts(service.workspace(), root, run, entry.manifest.id)
    if not found:
        return
    newest = found[0]
    again = f", after {len(found) - 1:,} earlier start{'s' * (len(found) > 2)}" if len(found) > 1 else ""
    with st.expander(f"Restored {fmt.ago(newest.at, now)}{again}: {verdict(newest)}", icon=":material/receipt_long:"):
        _facts(newest)
        for head, texts in (("Restarts", newest.restarts), ("Not put back", newest.not_kept)):
            if texts:
                st.caption(head)
                st.markdown("\n".join(f"- {md(text)}" for text in texts))


def verdict(receipt: ReceiptEntry) -> str:
    """How exact a start was, in a few words."""
    if receipt.weights_only:
        return "the weights alone, as asked"
    if not receipt.has_state:
        return "the checkpoint alone, no state was kept beside it"
    missing = len(receipt.restarts) + len(receipt.not_kept)
    if missing:
        return f"all but {missing:,} thing{'s' * (missing > 1)}"
    return "everything"


def position(receipt: ReceiptEntry) -> str | None:
    """How many epochs, and batches of the next one, were done."""
    if receipt.epoch is None:
        return None
    done = f"{receipt.epoch:,} epoch{'s' * (receipt.epoch != 1)}"
    return f"{done} and {receipt.batch:,} batch{'es' * (receipt.batch != 1)} done" if receipt.batch else f"{done} done"


def _facts(receipt: ReceiptEntry) -> None:
    content = f"content {receipt.digest[:_DIGITS]}" if receipt.digest else "content not read"
    rates = ", ".join(f"{rate:.6g}" for rate in receipt.learning_rate)
    with st.container(horizontal=True, gap="medium"):
        frame.fact("Checkpoint", shown(receipt.source or "not told"), content)
        frame.fact("Step", fmt.number(receipt.step), position(receipt))
        frame.fact("Optimizer", receipt.optimizer or "none", f"learning rate {rates}" if rates else None)
    for head, text in (
        ("Learning rate", receipt.learning_rate_told or ""),
        ("Callbacks", ", ".join(receipt.callbacks)),
        ("Random state", ", ".join(receipt.random)),
        ("Data", receipt.data or ""),
    ):
        if text:
            with st.container(gap=None):
                st.caption(head)
                st.text(lines(text))

"""State files put right, as JSON: the answer of `mend`."""

from collections.abc import Sequence
from datetime import datetime

from core.mend.effects import deleted_by_next_save, effects
from core.mend.of_run import Mender, Refusal
from core.mend.propose import MendProposal
from core.mend.records import Mend
from waypoint_resume.names import to_text


def mends_document(
    mender: Mender, proposals: Sequence[dict[str, object]] = (), refusals: Sequence[Refusal] = ()
) -> dict[str, object]:
    """What is proposed for a run (`proposal_document` of each), what is refused, and what was mended before."""
    return {
        "root": to_text(mender.run_folder.root_path),
        "run": to_text(mender.run.path),
        "proposals": list(proposals),
        "refused": [{"state": to_text(item.state), "reason": str(item.error)} for item in refusals],
        "mends": [mend_document(mend) for mend in mender.history()],
    }


def proposal_document(proposal: MendProposal, mend: Mend | None, max_to_keep: int, now: datetime) -> dict[str, object]:
    """What would be written or, with a mend, was; and what the next save deletes with a job's `max_to_keep`."""
    return {
        "state": to_text(proposal.state),
        "rules": list(proposal.rules),
        "latest": to_text(proposal.latest),
        "listed": [to_text(path) for path in proposal.listed],
        "diff": list(proposal.diff()),
        "effects": list(effects(proposal, max_to_keep=max_to_keep, now=now)),
        "next_save_deletes": [to_text(path) for path in deleted_by_next_save(proposal, max_to_keep, now)],
        "mend": None if mend is None else mend.record.id,
    }


def mend_document(mend: Mend) -> dict[str, object]:
    """A mend that was made, and what became of it."""
    return mend.record.model_dump(mode="json") | {"became": mend.state.value}

"""Verifications as JSON: the answer of `verify`."""

from core.base.records import Checkpoint
from core.verify.results import Verification
from waypoint_resume.names import to_text


def verification_document(checkpoint: Checkpoint, root_path: str, found: Verification) -> dict[str, object]:
    """A result. Of an answer that the library was not asked for, null."""
    answer = found.restore
    return {
        "root": to_text(root_path),
        "run": to_text(checkpoint.run),
        "path": to_text(checkpoint.path),
        "outcome": found.outcome.value,
        "detail": found.detail,
        "tensors": found.tensors,
        "bytes": found.bytes,
        "seconds": round(found.seconds, 3),
        "problems": [
            {"rule": item.rule.value, "name": item.name, "detail": item.detail, "count": item.count}
            for item in found.problems
        ],
        "problem_count": found.problem_count,
        "unverifiable": [{"name": name, "why": why} for name, why in found.unverifiable],
        "unverifiable_count": found.unverifiable_count,
        "restore": None
        if answer is None
        else {"ok": answer.ok, "library": answer.library, "tensors": answer.tensors, "detail": answer.detail},
    }

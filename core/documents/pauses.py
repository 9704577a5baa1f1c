"""Requests to pause as JSON: the answer of `pause`."""

from core.resume.pauses import Pause
from waypoint_resume.clock import moment_text


def pause_document(pause: Pause) -> dict[str, object]:
    """A request and its answer."""
    return {
        "id": pause.id,
        "state": pause.state.value,
        "by": pause.by,
        "at": moment_text(pause.at.timestamp()),
        "note": pause.note,
        "answered_at": None if pause.answered_at is None else moment_text(pause.answered_at.timestamp()),
        "seconds": pause.took,
        "step": pause.step,
        "checkpoint": pause.checkpoint,
        "reason": pause.reason,
    }

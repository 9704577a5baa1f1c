"""Asking the job of a run to pause, and what came of it. The pages and the shell share this."""

from core.resume.errors import StateError
from core.resume.pauses import OPEN, Pause, PauseState, ask_pause, read_pauses, withdraw_pause
from core.services.resume import run_heartbeat
from core.services.workspace import Workspace
from waypoint_resume.heartbeat import Heartbeat
from waypoint_resume.requests import SEVERAL_WORKERS

__all__ = ["OPEN", "Pause", "PauseState", "cannot_pause", "nobody_answers", "pause", "pauses", "withdraw_request"]


def pauses(workspace: Workspace, root_id: str, run: str) -> tuple[Pause, ...]:
    """The newest requests of a run, the last one first; read from disk now."""
    return read_pauses(workspace.run_folder(root_id, run))


def pause(workspace: Workspace, root_id: str, run: str, note: str = "") -> Pause:
    """Ask the job of a run to pause; `withdraw_request` takes that back until the job accepts it. StateError with the
    reason where the job would refuse.
    """
    if (reason := cannot_pause(run_heartbeat(workspace, root_id, run))) is not None:
        raise StateError(reason)
    return ask_pause(workspace.run_folder(root_id, run), actor=workspace.actor, now=workspace.now(), note=note)


def cannot_pause(beat: Heartbeat | None) -> str | None:
    """Why the job of a run would refuse a pause, known before it is asked; None where nothing says so."""
    if beat is None or not beat.is_fresh or beat.workers == 1 or beat.stops_together:
        return None
    return SEVERAL_WORKERS


def withdraw_request(workspace: Workspace, root_id: str, run: str, request: str) -> Pause:
    """Take a request back that the job has not accepted."""
    return withdraw_pause(workspace.run_folder(root_id, run), request, actor=workspace.actor, now=workspace.now())


def nobody_answers(request: Pause, beat: Heartbeat | None) -> str | None:
    """Why an open request gets no answer; None while a job may still give one, and for one that is answered."""
    if request.state not in OPEN:
        return None
    if beat is None:
        return "No job that uses waypoint_resume works in this run, so nobody will answer."
    if not beat.is_fresh:
        return f"The job {beat.job or 'without a name'} has ended or is stuck, so nobody will answer."
    return None

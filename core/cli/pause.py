"""The command `pause`: a running job is asked to save where it stands and to end."""

from typing import Annotated

import typer

from core.base.errors import NotFoundError
from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import looked_at, print_json, say
from core.documents.pauses import pause_document
from core.services import pauses
from core.services.pauses import OPEN, Pause
from core.services.resume import run_heartbeat
from waypoint_resume.names import to_text


def pause_command(
    run: RunName,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever reads the run's page.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the open request back instead.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say what was asked last and answered.")] = False,
    roots: Roots = None,
    as_json: AsJson = False,
    cached: Cached = False,
) -> None:
    """Ask a run's job to save where it stands, give the run back and end; it looks about once a second."""
    with looked_at(roots, "pause", cached=cached) as (workspace, code):
        found = workspace.find_run(run)
        known = pauses.pauses(workspace, found.root, found.path)
        if withdraw:
            waiting = next((item for item in known if item.state in OPEN), None)
            if waiting is None:
                raise NotFoundError(f"Nobody waits for a pause of {to_text(found.path)}.")
            pauses.withdraw_request(workspace, found.root, found.path, waiting.id)
        elif not status:
            pauses.pause(workspace, found.root, found.path, note)
        elif not known:
            raise NotFoundError(f"Nobody asked for a pause of {to_text(found.path)}.")
        last = pauses.pauses(workspace, found.root, found.path)[0]
        lonely = pauses.nobody_answers(last, run_heartbeat(workspace, found.root, found.path))
        if lonely is not None:
            say(lonely)
        if as_json:
            print_json(pause_document(last))
        else:
            say(_told(last))
        is_asked_in_vain = lonely is not None and not (status or withdraw)
        raise typer.Exit(code or int(is_asked_in_vain))


def _told(pause: Pause) -> str:
    after = "" if pause.took is None else f" after {pause.took:.0f} s"
    saved = f", saved as {pause.checkpoint}" if pause.checkpoint else ""
    step = "" if pause.step is None else f" at step {pause.step:,}"
    return f"{pause.state.value}{after}{step}{saved}{'' if pause.reason is None else f': {pause.reason}'}"
